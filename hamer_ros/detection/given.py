"""The detector ``given``: boxes come from outside, for those who find hands by themselves."""

from __future__ import annotations

from hamer_ros.detection.box_follower import BoxFollower, SideLook
from hamer_ros.detection.boxes import FoundBox
from hamer_ros.detection.detector import DEFAULT_OPTIONS, DetectorOptions
from hamer_ros.detection.side_look import SideByLandmarks
from hamer_ros.hands import Detection, Frame, Side
from hamer_ros.nets.device import Provider
from hamer_ros.nets.session import CPU


class GivenDetector:
    """Passes on the boxes that come with a frame.

    The boxes are taken as they are: no score is too low, and nothing is suppressed.

    options: see DetectorOptions.
    look: asked for the side of boxes that come without one.
    """

    def __init__(
        self, options: DetectorOptions = DEFAULT_OPTIONS, look: SideLook | None = None
    ) -> None:
        self._follower = BoxFollower(options, look)

    @classmethod
    def load(
        cls,
        options: DetectorOptions = DEFAULT_OPTIONS,
        providers: tuple[Provider, ...] = CPU,
        threads: int = 1,
    ) -> GivenDetector:
        """Build the detector; the landmark net is loaded when the first box without a side comes.

        It must have been fetched by then: `detect` raises NetsMissingError otherwise.
        """
        return cls(options, SideByLandmarks(providers, threads))

    def reset(self) -> None:
        """Forget the hands that are followed."""
        self._follower.reset()

    def detect(self, frame: Frame) -> list[Detection]:
        """The hands of this frame's boxes; none where it has no boxes."""
        found = [
            FoundBox(
                box.box, box.score, None if box.side is None else float(box.side is Side.RIGHT)
            )
            for box in frame.boxes or ()
        ]
        return self._follower.follow(frame.rgb, found)
