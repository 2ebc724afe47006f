"""What the node may do with an image, told from how the image was made."""

from __future__ import annotations

from dataclasses import dataclass

PROCESSED = "processed"
"""What becomes of an image that is not refused."""


@dataclass(frozen=True)
class Verdict:
    """The right outcomes.

    reasons: under which the image may be refused.
    must_be_refused: whether it may not be processed.
    """

    reasons: frozenset[str] = frozenset()
    must_be_refused: bool = False

    def __and__(self, other: Verdict) -> Verdict:
        """Of an image with both properties: any of its defects may be the one that is named."""
        return Verdict(self.reasons | other.reasons, self.must_be_refused or other.must_be_refused)

    def allows(self, outcome: str) -> bool:
        """Whether an outcome, `PROCESSED` or a reason, is right."""
        return not self.must_be_refused if outcome == PROCESSED else outcome in self.reasons

    def __str__(self) -> str:
        outcomes = [] if self.must_be_refused else [PROCESSED]
        outcomes += [f"refused as '{reason}'" for reason in sorted(self.reasons)]
        return " or ".join(outcomes)


SOUND = Verdict()


def broken(*reasons: str) -> Verdict:
    """To be refused, for one of these reasons."""
    return Verdict(frozenset(reasons), must_be_refused=True)


def doubtful(*reasons: str) -> Verdict:
    """To be processed, or refused for one of these reasons: one may think either way."""
    return Verdict(frozenset(reasons))


BAD_IMAGE = "bad image"
NO_FRAME = "no frame_id"
NO_INFO = "no camera_info"
UNCALIBRATED = "uncalibrated camera"
BAD_INFO = "bad camera_info"
OTHER_SIZE = "size differs from camera_info"
FUTURE = "stamp in the future"
OUT_OF_ORDER = "out of order"
NO_CLOCK = "no clock"
BAD_STAMP = "bad stamp"
