"""The detector ``onnx``: boxes of hands from any ONNX net.

The side of a hand comes from the names of the net's classes.  Where they do not tell it, the
landmark net of the detector ``landmarks`` looks into the box: a hand needs a side, and nothing
else in a box has to do with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from hamer_ros.detection.box_classes import hand_classes
from hamer_ros.detection.box_follower import BoxFollower, SideLook
from hamer_ros.detection.box_net import BoxNet
from hamer_ros.detection.box_outputs import ScoredBoxes
from hamer_ros.detection.boxes import FoundBox, distinct_boxes
from hamer_ros.detection.detector import DEFAULT_OPTIONS, DetectorOptions
from hamer_ros.detection.side_look import SideByLandmarks
from hamer_ros.errors import ConfigurationError
from hamer_ros.file_kinds import absolute_path
from hamer_ros.hands import Detection, Frame, Side
from hamer_ros.nets.device import Provider
from hamer_ros.nets.session import CPU


class OnnxDetector:
    """Hands by a net of boxes.

    net: image (H, W, 3) uint8 RGB -> the boxes in it.
    classes: index of each class that is a hand -> its side, None where it is not told.
    options: see DetectorOptions.
    look: asked for the side where the class does not tell it.
    """

    def __init__(
        self,
        net: Callable[[np.ndarray], ScoredBoxes],
        classes: Mapping[int, Side | None],
        options: DetectorOptions = DEFAULT_OPTIONS,
        look: SideLook | None = None,
    ) -> None:
        self._net = net
        self._classes = classes
        self._min_score = options.min_score
        self._follower = BoxFollower(options, look)

    @classmethod
    def load(
        cls,
        options: DetectorOptions = DEFAULT_OPTIONS,
        providers: tuple[Provider, ...] = CPU,
        threads: int = 1,
    ) -> OnnxDetector:
        """Build the detector with the net of ``options.model``.

        Raises:
            ConfigurationError: no path is given, its classes have to be named, or onnxruntime does
                not have one of ``providers``.
            MissingFileError: there is no such file; or its classes do not tell the side, and the
                landmark net has not been fetched.
            FileFormatError: it is no net of hands that is understood.
        """
        if not options.model:
            raise ConfigurationError(
                "the detector 'onnx' needs the path of a net that finds hands, in detector_model"
            )
        path = absolute_path(options.model)
        net = BoxNet(path, options.classes, providers, threads)
        try:
            classes = hand_classes(net.names, net.n_classes)
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: {error}") from error
        if None not in classes.values():
            return cls(net, classes, options)
        look = SideByLandmarks(providers, threads)
        _ = look.net  # so that it is now that a missing net is missed
        return cls(net, classes, options, look)

    def reset(self) -> None:
        """Forget the hands that are followed; numbers of regions are not used again."""
        self._follower.reset()

    def detect(self, frame: Frame) -> list[Detection]:
        """Hands in the next image, those that are followed longest first."""
        found = hand_boxes(self._net(frame.rgb), self._classes, self._min_score)
        return self._follower.follow(frame.rgb, distinct_boxes(found))


def hand_boxes(
    scored: ScoredBoxes, classes: Mapping[int, Side | None], min_score: float
) -> list[FoundBox]:
    """The boxes whose best class of hands has at least a score.

    The probability of a right hand is (1 + right - left) / 2 of the scores of both sides.
    """
    if not len(scored.boxes):
        return []
    index = np.array(list(classes))
    scores = scored.scores[:, index]
    best = scores.argmax(axis=1)
    right, left = (
        scores[:, [i for i, c in enumerate(index) if classes[int(c)] is side]].max(
            axis=1, initial=0.0
        )
        for side in (Side.RIGHT, Side.LEFT)
    )
    chosen = np.flatnonzero(scores.max(axis=1) >= min_score)
    return [
        FoundBox(
            box=scored.boxes[k],
            score=float(scores[k, best[k]]),
            right=None
            if classes[int(index[best[k]])] is None
            else float((1 + right[k] - left[k]) / 2),
        )
        for k in chosen
    ]
