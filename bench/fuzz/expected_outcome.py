"""The expected outcome of an image, from how it was made."""

from __future__ import annotations

from dataclasses import dataclass

PROCESSED = "processed"
"""Outcome of an image that is not refused."""


@dataclass(frozen=True)
class ExpectedOutcome:
    """The right outcomes of an image.

    reasons: under which it may be refused.
    must_be_refused: it may not be processed.
    """

    reasons: frozenset[str] = frozenset()
    must_be_refused: bool = False

    def __and__(self, other: ExpectedOutcome) -> ExpectedOutcome:
        """Return the outcomes of an image with both properties: either defect may be named."""
        return ExpectedOutcome(
            self.reasons | other.reasons, self.must_be_refused or other.must_be_refused
        )

    def allows(self, outcome: str) -> bool:
        """True if an outcome, `PROCESSED` or a reason, is right."""
        return not self.must_be_refused if outcome == PROCESSED else outcome in self.reasons

    def __str__(self) -> str:
        outcomes = [] if self.must_be_refused else [PROCESSED]
        outcomes += [f"refused as '{reason}'" for reason in sorted(self.reasons)]
        return " or ".join(outcomes)


SOUND = ExpectedOutcome()


def broken(*reasons: str) -> ExpectedOutcome:
    """Return the outcome: refused for one of these reasons."""
    return ExpectedOutcome(frozenset(reasons), must_be_refused=True)


def doubtful(*reasons: str) -> ExpectedOutcome:
    """Return the outcome: processed, or refused for one of these reasons; both are acceptable."""
    return ExpectedOutcome(frozenset(reasons))


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
