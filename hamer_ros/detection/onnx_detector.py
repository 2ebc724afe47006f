"""The detector ``onnx``: finds boxes of hands with any ONNX model.

The handedness comes from the names of the model's classes.  Where they have none, the landmark
model of the detector ``landmarks`` looks into the box.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from hamer_ros.detection.box_classes import hand_classes
from hamer_ros.detection.box_outputs import ScoredBoxes
from hamer_ros.detection.box_tracking import BoxFollower, HandednessLook
from hamer_ros.detection.detector import DEFAULT_OPTIONS, DetectorOptions
from hamer_ros.detection.found_boxes import FoundBox, distinct_boxes
from hamer_ros.detection.handedness_classifier import HandednessClassifier
from hamer_ros.detection.onnx_box_model import BoxModel
from hamer_ros.errors import ConfigurationError
from hamer_ros.files.kinds import absolute_path
from hamer_ros.hands import Detection, Frame, Handedness
from hamer_ros.inference.device import CPU, Device


class OnnxDetector:
    """Finds hands with a box model.

    model: image (H, W, 3) uint8 RGB -> the boxes in it.
    classes: index of each class that is a hand -> its handedness, None where it has none.
    options: see `DetectorOptions`.
    look: classifies boxes whose class has no handedness.
    """

    def __init__(
        self,
        model: Callable[[np.ndarray], ScoredBoxes],
        classes: Mapping[int, Handedness | None],
        options: DetectorOptions = DEFAULT_OPTIONS,
        look: HandednessLook | None = None,
    ) -> None:
        self._model = model
        self._classes = classes
        self._min_score = options.min_score
        self._follower = BoxFollower(options, look)

    @classmethod
    def load(
        cls,
        options: DetectorOptions = DEFAULT_OPTIONS,
        device: Device = CPU,
        threads: int = 1,
    ) -> OnnxDetector:
        """Build the detector with the model of ``options.detector_model``.

        Raises:
            ConfigurationError: no path is given, its classes have to be named, or onnxruntime does
                not run on ``device``.
            MissingFileError: there is no such file; or its classes have no handedness, and the
                landmark model has not been fetched.
            FileFormatError: it is no model of hands that is understood.
        """
        if not options.detector_model:
            raise ConfigurationError(
                "the detector 'onnx' needs the path of a model that finds hands, in detector_model"
            )
        path = absolute_path(options.detector_model)
        model = BoxModel(path, options.detector_classes, device, threads)
        try:
            classes = hand_classes(model.names, model.n_classes)
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: {error}") from error
        if None not in classes.values():
            return cls(model, classes, options)
        look = HandednessClassifier(device, threads)
        _ = look.model  # so that a missing model is an error now
        return cls(model, classes, options, look)

    def reset(self) -> None:
        """Forget the hands that are followed; ids are not used again."""
        self._follower.reset()

    def detect(self, frame: Frame) -> list[Detection]:
        """Find the hands in the next image, those that are followed longest first."""
        found = hand_boxes(self._model(frame.rgb), self._classes, self._min_score)
        return self._follower.follow(frame.rgb, distinct_boxes(found))


def hand_boxes(
    scored: ScoredBoxes, classes: Mapping[int, Handedness | None], min_score: float
) -> list[FoundBox]:
    """The boxes whose best class of hands has at least a score.

    The probability of a right hand is (1 + right - left) / 2, from the scores of both classes.
    """
    if not len(scored.boxes):
        return []
    index = np.array(list(classes))
    scores = scored.scores[:, index]
    best = scores.argmax(axis=1)
    right, left = (
        scores[:, [i for i, c in enumerate(index) if classes[int(c)] is handedness]].max(
            axis=1, initial=0.0
        )
        for handedness in (Handedness.RIGHT, Handedness.LEFT)
    )
    chosen = np.flatnonzero(scores.max(axis=1) >= min_score)
    return [
        FoundBox(
            bounding_box=scored.boxes[k],
            score=float(scores[k, best[k]]),
            right=None
            if classes[int(index[best[k]])] is None
            else float((1 + right[k] - left[k]) / 2),
        )
        for k in chosen
    ]
