"""The detector ``vitpose``: finds people, their keypoints, and boxes around those of hands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from hamer_ros.detection.box_classes import person_class
from hamer_ros.detection.box_outputs import ScoredBoxes
from hamer_ros.detection.box_tracking import BoxFollower
from hamer_ros.detection.detector import DEFAULT_OPTIONS, DetectorOptions
from hamer_ros.detection.found_boxes import SAME_IOU, distinct_boxes, suppress
from hamer_ros.detection.onnx_box_model import BoxModel
from hamer_ros.detection.vitpose.crops import cut_crops, person_window
from hamer_ros.detection.vitpose.heat_maps import HANDS, decode, merge_mirrored, person_hands
from hamer_ros.detection.vitpose.network import VitPoseNetwork
from hamer_ros.detection.vitpose.weights import load_network
from hamer_ros.errors import ConfigurationError
from hamer_ros.files.kinds import absolute_path
from hamer_ros.hands import Detection, Frame
from hamer_ros.inference.device import CPU, Device
from hamer_ros.inference.device_failures import device_errors
from hamer_ros.inference.torch_device import check_cuda, torch_device
from hamer_ros.networks.vision_transformer import checked

MIN_PERSON_SCORE = 0.5
"""Score up to which people are not looked at."""


class VitPoseDetector:
    """Finds hands through people and their keypoints.

    people: image (H, W, 3) uint8 RGB -> the boxes in it.
    person: index of the class of people.
    network: finds the keypoints of a person; it runs where its weights lie.
    options: see `DetectorOptions`.
    """

    def __init__(
        self,
        people: Callable[[np.ndarray], ScoredBoxes],
        person: int,
        network: VitPoseNetwork,
        options: DetectorOptions = DEFAULT_OPTIONS,
    ) -> None:
        self._people = people
        self._person = person
        self._network = network.eval()
        self._device = next(network.parameters()).device
        self._follower = BoxFollower(options)

    @classmethod
    def load(
        cls,
        options: DetectorOptions = DEFAULT_OPTIONS,
        device: Device = CPU,
        threads: int = 1,
    ) -> VitPoseDetector:
        """Build the detector with the files of the options, on a CPU or a GPU.

        Raises:
            ConfigurationError: a path is not given, or onnxruntime or torch does not run on
                ``device``.
            MissingFileError: there is no such file.
            FileFormatError: ``options.detector_model`` is no model of people that is understood, or
                ``options.vitpose`` is not the weights of ViTPose+.
            DeviceError: the GPU fails or has too little memory.
        """
        if not options.detector_model or not options.vitpose:
            raise ConfigurationError(
                "the detector 'vitpose' needs the path of an ONNX model that finds people and that "
                "of ViTPose's wholebody.pth, which HaMeR's fetch_demo_data.sh brings: "
                "detector_model:=/path/to/people.onnx checkpoint:=/path/to/_DATA"
            )
        path = absolute_path(options.detector_model)
        if device.kind == "cuda":
            check_cuda(device)
        people = BoxModel(path, options.detector_classes, device, threads)
        try:
            person = person_class(people.names)
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: {error}") from error
        network = load_network(options.vitpose)
        with device_errors():
            network.to(torch_device(device))
        return cls(people, person, network, options)

    def reset(self) -> None:
        """Forget the hands that are followed; ids are not used again."""
        self._follower.reset()

    def detect(self, frame: Frame) -> list[Detection]:
        """Find the hands in the next image, those that are followed longest first.

        Where people overlap, or where a person's left hand was taken for the right one too, the
        same hand has several boxes; unlike in HaMeR's demo only the surest of them stays.
        """
        windows = [person_window(box) for box in self._person_boxes(frame.rgb)]
        found = []
        if windows:
            points, scores = decode(self._heat_maps(cut_crops(frame.rgb, windows), frame))
            for window, own_points, own_scores in zip(windows, points, scores, strict=True):
                found += person_hands(own_points, own_scores, window)
        return self._follower.follow(frame.rgb, distinct_boxes(found))

    def _person_boxes(self, rgb: np.ndarray) -> np.ndarray:
        """The boxes (N, 4) of people, pixels, best first."""
        scored = self._people(rgb)
        if scored.scores.shape[1] <= self._person:
            return np.empty((0, 4))
        scores = scored.scores[:, self._person]
        chosen = (scores > MIN_PERSON_SCORE) & (scores >= scored.scores.max(axis=1))
        boxes, scores = scored.boxes[chosen], scores[chosen]
        return boxes[suppress(boxes, scores, SAME_IOU)]

    def _heat_maps(self, crops: np.ndarray, frame: Frame) -> np.ndarray:
        """The heat maps (B, 42, 64, 48) of both hands in normalised crops (B, 3, 256, 192)."""
        maps = []
        watched = checked(self._network.backbone, frame.check_wanted)
        with device_errors(), torch.inference_mode(), watched:
            # One after the other, so that the memory that is needed does not grow with the people.
            for crop in torch.from_numpy(crops).to(self._device):
                pair = self._network(torch.stack([crop, crop.flip(2)]))
                maps.append(pair[:, HANDS].cpu().numpy())
        pairs = np.stack(maps)
        return merge_mirrored(pairs[:, 0], pairs[:, 1])
