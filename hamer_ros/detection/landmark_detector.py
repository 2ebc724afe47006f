"""The detector ``landmarks``: finds hands in photographs and follows them through video.

The scheme is that of MediaPipe Hands (Zhang et al. 2020, arXiv:2006.10214): a palm model finds new
hands, a landmark model finds their joints, and the joints give the region for the next image.
Four things are added.  Both palm models share the search, because each finds hands that the other
misses; the search goes over overlapping tiles too (`search_windows`), because small hands vanish
when a whole image is shrunk to the model's input; a new hand must stand up to several looks
(`verification`), which lets palms of low score be tried; and a hand that was hidden for a moment is
looked for where it may be (`reacquisition`) and keeps its id and the vote on its handedness.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import numpy as np

from hamer_ros.detection.detector import DEFAULT_OPTIONS, DetectorOptions
from hamer_ros.detection.hand_landmark_model import (
    INPUT_SIZE,
    LandmarkObservation,
    see_landmarks,
)
from hamer_ros.detection.palm_model import Palm, find_palms, merge_palms
from hamer_ros.detection.reacquisition import MAX_MISSED, LostHand, next_to_look_for, which_lost
from hamer_ros.detection.roi import roi_from_landmarks
from hamer_ros.detection.roi_tracking import FollowedHand, covers, keep_following, start_following
from hamer_ros.detection.search_windows import (
    PalmModel,
    Search,
    first_search,
    search_cycle,
    thorough_search,
)
from hamer_ros.detection.suppression import distinct_followed, distinct_new, is_known
from hamer_ros.detection.verification import Confirmation, confirm, look_around
from hamer_ros.hands import Detection, Frame
from hamer_ros.inference.device import CPU, Device
from hamer_ros.inference.model_store import model_path
from hamer_ros.inference.onnx_session import OnnxModel

ModelFunction = Callable[[np.ndarray], list[np.ndarray]]

T = TypeVar("T")
R = TypeVar("R")

_SECOND_THREAD = ThreadPoolExecutor(1, thread_name_prefix="search")

MIN_PALM_SCORE = 0.15
"""Score below which palms are not looked at."""

SEARCHES_WITHOUT_HANDS = 2
"""Searches in an image while no hand is followed."""

CANDIDATES_BESIDE_HANDS = 2
"""New palms looked at in an image while a hand is followed, so that it does not stall."""


class LandmarkDetector:
    """Finds hands with palm models and follows them with the landmark model.

    palm_models: the palm models.
    landmark_model: the hand landmark model.
    options: see `DetectorOptions`.
    """

    def __init__(
        self,
        palm_models: Mapping[PalmModel, ModelFunction],
        landmark_model: ModelFunction,
        options: DetectorOptions = DEFAULT_OPTIONS,
    ) -> None:
        self._palm_models = palm_models
        self._landmark_model = landmark_model
        self._options = options
        self._next_id = 1
        self.reset()

    @classmethod
    def load(
        cls,
        options: DetectorOptions = DEFAULT_OPTIONS,
        device: Device = CPU,
        threads: int = 1,
    ) -> LandmarkDetector:
        """Build the detector with the models of the cache.

        Raises:
            ModelsMissingError: the models have not been fetched.
            ConfigurationError: onnxruntime does not run on ``device``.
        """
        palm_models = {
            model: OnnxModel(model_path(model.value), device.providers, threads)
            for model in PalmModel
        }
        landmark_model = OnnxModel(model_path("hand_landmark_full"), device.providers, threads)
        # The memory that two looks at once need is taken now, not in the middle of a stream.
        _at_once(landmark_model, [np.zeros((1, INPUT_SIZE, INPUT_SIZE, 3), np.float32)] * 2)
        return cls(palm_models, landmark_model, options)

    def reset(self) -> None:
        """Forget the hands that are followed; ids are not used again."""
        self._hands: list[FollowedHand] = []
        self._lost: list[LostHand] = []
        self._fresh = True
        self._cycle_position = 0
        self._images_since_search = 0

    def detect(self, frame: Frame) -> list[Detection]:
        """Find the hands in the next image, those that are followed longest first."""
        if self._options.photographs:
            self.reset()
        image = frame.rgb
        model = _while_wanted(self._landmark_model, frame)
        self._follow(image, model)
        if len(self._hands) < self._options.max_hands:
            # Chosen first: one hand that is found again does not make up for the others.
            searches = self._next_searches(image)
            self._reacquire(image, model)
            self._acquire(image, self._find(frame, searches), model)
        hands = sorted(self._hands, key=lambda hand: hand.detection_id)
        return [hand.detection() for hand in hands]

    def _follow(self, image: np.ndarray, model: ModelFunction) -> None:
        """Look at the followed hands again where their joints were."""
        followed = []
        for hand in self._hands:
            observation = see_landmarks(model, image, hand.roi)
            if observation.landmarks.presence >= self._options.min_presence:
                followed.append(keep_following(hand, observation))
        followed = distinct_followed(followed)
        kept = {hand.detection_id for hand in followed}
        self._lost = [
            replace(lost, missed=lost.missed + 1) for lost in self._lost if lost.missed < MAX_MISSED
        ]
        # A hand that slipped onto another is remembered as it was before.
        self._lost += [LostHand(hand) for hand in self._hands if hand.detection_id not in kept]
        self._hands = followed

    def _reacquire(self, image: np.ndarray, model: ModelFunction) -> None:
        """Look for one of the lost hands, once, and closely if there is something."""
        height, width = image.shape[:2]
        lost = next_to_look_for(self._lost, width, height)
        if lost is None:
            return
        self._forget(lost)
        self._lost.append(replace(lost, looks=lost.looks + 1))
        observation = see_landmarks(model, image, lost.roi())
        if not self._may_resume(lost, observation):
            return
        roi = roi_from_landmarks(observation.landmarks.pixels)
        confirmation = look_around(model, image, roi, prior=0.0)
        if confirmation is not None and self._may_resume(lost, confirmation.observation):
            self._resume(lost, confirmation.observation)

    def _may_resume(self, lost: LostHand, observation: LandmarkObservation) -> bool:
        return (
            observation.landmarks.presence >= self._options.min_presence
            and lost.can_be(observation)
            and not is_known(observation, self._hands)
        )

    def _resume(self, lost: LostHand, observation: LandmarkObservation) -> None:
        self._forget(lost)
        self._hands.append(keep_following(lost.hand, observation, images=lost.missed + 1))

    def _forget(self, lost: LostHand) -> None:
        lost_id = lost.hand.detection_id
        self._lost = [other for other in self._lost if other.hand.detection_id != lost_id]

    def _next_searches(self, image: np.ndarray) -> list[Search]:
        """Choose what to search in this image: little, while hands are followed."""
        height, width = image.shape[:2]
        if self._options.photographs:
            return thorough_search(width, height)
        if self._fresh:
            self._fresh = False
            return first_search(width, height)
        self._images_since_search += 1
        if self._hands and self._images_since_search < self._options.search_period:
            return []
        self._images_since_search = 0
        cycle = search_cycle(width, height)
        count = 1 if self._hands else SEARCHES_WITHOUT_HANDS
        chosen = [cycle[(self._cycle_position + k) % len(cycle)] for k in range(count)]
        self._cycle_position = (self._cycle_position + count) % len(cycle)
        return chosen

    def _find(self, frame: Frame, searches: list[Search]) -> list[Palm]:
        def find(search: Search) -> list[Palm]:
            model = _while_wanted(self._palm_models[search.model], frame)
            return find_palms(model, frame.rgb, search.window, MIN_PALM_SCORE)

        return merge_palms([palm for palms in _at_once(find, searches) for palm in palms])

    def _acquire(self, image: np.ndarray, palms: list[Palm], model: ModelFunction) -> None:
        """Follow the hands of those palms that the landmark model confirms."""
        new = [p for p in palms if not any(covers(hand, p.center) for hand in self._hands)]
        if self._hands:
            new = new[:CANDIDATES_BESIDE_HANDS]

        def look_at(palm: Palm) -> Confirmation | None:
            return confirm(model, image, palm, lambda seen: is_known(seen, self._hands))

        found = [seen for seen in _at_once(look_at, new) if seen is not None]
        free = self._options.max_hands - len(self._hands)
        for confirmation in distinct_new(found, self._hands)[:free]:
            observation = confirmation.observation
            lost = which_lost(observation, self._lost)
            if lost is not None and self._may_resume(lost, observation):
                self._resume(lost, observation)
            else:
                self._hands.append(start_following(self._next_id, observation))
                self._next_id += 1


def _at_once(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Do the same with several items, two at a time: a search falls into one single image.

    Every other one is done on this thread: each further thread needs memory of its own.
    """
    others = [_SECOND_THREAD.submit(work, item) for item in items[1::2]]
    own = [work(item) for item in items[::2]]
    results = [*own, *(other.result() for other in others)]
    results[::2], results[1::2] = own, results[len(own) :]
    return results


def _while_wanted(model: ModelFunction, frame: Frame) -> ModelFunction:
    """The model, with a check before each run that the frame is still wanted."""

    def run(value: np.ndarray) -> list[np.ndarray]:
        frame.check_wanted()
        return model(value)

    return run
