"""The detector ``external``: it takes boxes of hands that another program has found."""

from __future__ import annotations

from hamer_ros.detection.box_tracking import BoxFollower, HandednessLook
from hamer_ros.detection.detector import DEFAULT_OPTIONS, DetectorOptions
from hamer_ros.detection.found_boxes import FoundBox
from hamer_ros.detection.handedness_classifier import HandednessClassifier
from hamer_ros.hands import Detection, Frame, Handedness
from hamer_ros.inference.device import CPU, Device


class ExternalDetector:
    """Passes on the boxes that come with a frame.

    The boxes are taken as they are: no score is too low, and nothing is suppressed.

    options: see `DetectorOptions`.
    look: classifies boxes that come without a handedness.
    """

    def __init__(
        self, options: DetectorOptions = DEFAULT_OPTIONS, look: HandednessLook | None = None
    ) -> None:
        self._follower = BoxFollower(options, look)

    @classmethod
    def load(
        cls,
        options: DetectorOptions = DEFAULT_OPTIONS,
        device: Device = CPU,
        threads: int = 1,
    ) -> ExternalDetector:
        """Build the detector; the first box without a handedness loads the landmark model.

        It must have been fetched by then: `detect` raises ModelsMissingError otherwise.
        """
        return cls(options, HandednessClassifier(device, threads))

    def reset(self) -> None:
        """Forget the hands that are followed."""
        self._follower.reset()

    def detect(self, frame: Frame) -> list[Detection]:
        """The hands of the frame's boxes; none where it has no boxes."""
        found = [
            FoundBox(
                box.bounding_box,
                box.score,
                None if box.handedness is None else float(box.handedness is Handedness.RIGHT),
            )
            for box in frame.boxes or ()
        ]
        return self._follower.follow(frame.rgb, found)
