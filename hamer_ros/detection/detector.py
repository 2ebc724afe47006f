"""Find hands in photographs and follow them through video.

The scheme is that of MediaPipe Hands (Zhang et al. 2020, arXiv:2006.10214): a palm net finds new
hands, a landmark net sees their joints, and the joints say where to look in the next image.
Four things are added.  Both palm nets share the search, because each finds hands that the other
misses; the search goes over overlapping tiles too (see ``search``), because small hands vanish
when a whole image is shrunk to the net's input; a new hand must stand up to several looks (see
``confirm``), which lets palms of low score be tried; and a hand that was hidden for a moment is
looked for where it may be (see ``lost``) and keeps its number and the vote on its side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from hamer_ros.detection.confirm import Confirmation, confirm, look_around
from hamer_ros.detection.crop import region_from_landmarks
from hamer_ros.detection.duplicates import distinct_followed, distinct_new, is_known
from hamer_ros.detection.followed import FollowedHand, covers, keep_following, start_following
from hamer_ros.detection.landmark import INPUT_SIZE as LOOK
from hamer_ros.detection.landmark import Sighting, see_landmarks
from hamer_ros.detection.lost import MAX_MISSED, LostHand, next_to_look_for, which_lost
from hamer_ros.detection.palm import Palm, find_palms, merge_palms
from hamer_ros.detection.search import (
    PalmNet,
    Search,
    first_search,
    search_cycle,
    thorough_search,
)
from hamer_ros.hands import Detection, Frame
from hamer_ros.nets.device import Provider
from hamer_ros.nets.session import CPU, Net
from hamer_ros.nets.store import net_path

NetFunction = Callable[[np.ndarray], list[np.ndarray]]

T = TypeVar("T")
R = TypeVar("R")

_OTHER = ThreadPoolExecutor(1, thread_name_prefix="search")

MIN_PALM_SCORE = 0.15
"""Palms with a lower score are not looked at."""

SEARCHES_WITHOUT_HANDS = 2
"""Searches in an image while no hand is followed."""

CANDIDATES_BESIDE_HANDS = 2
"""New palms looked at in an image while a hand is followed, so that it does not stall."""


@dataclass(frozen=True)
class DetectorOptions:
    """What a user can choose about a detector.

    max_hands: no more hands than this are followed and reported.
    static: every image is a photograph of its own: nothing is followed, and each is searched
        thoroughly.

    Of the detector ``landmarks``:

    search_period: images from one search to the next while at least one hand is followed.
    min_presence: a followed hand is lost when the landmark net is less sure of it.

    Of the detectors ``onnx`` and ``vitpose``:

    model: path of the ONNX file that finds hands or, for ``vitpose``, people.
    classes: names of that file's classes, in order; empty where the file names them itself.
    min_score: ``onnx`` leaves out boxes with a lower score.
    vitpose: path of ViTPose's weights, or of HaMeR's folder _DATA that holds them.
    """

    max_hands: int = 4
    static: bool = False
    search_period: int = 4
    min_presence: float = 0.5
    model: str = ""
    classes: tuple[str, ...] = ()
    min_score: float = 0.4
    vitpose: str = ""


DEFAULT_OPTIONS = DetectorOptions()


class LandmarkDetector:
    """Hands by palm and landmark nets; see the module for the scheme.

    Args:
        palm_nets: the palm nets.
        landmark_net: the hand landmark net.
        options: see DetectorOptions.
    """

    def __init__(
        self,
        palm_nets: Mapping[PalmNet, NetFunction],
        landmark_net: NetFunction,
        options: DetectorOptions = DEFAULT_OPTIONS,
    ) -> None:
        self._palm_nets = palm_nets
        self._landmark_net = landmark_net
        self._options = options
        self._next_number = 1
        self.reset()

    @classmethod
    def load(
        cls,
        options: DetectorOptions = DEFAULT_OPTIONS,
        providers: tuple[Provider, ...] = CPU,
        threads: int = 1,
    ) -> LandmarkDetector:
        """Build the detector with the nets of the cache.

        Raises:
            NetsMissingError: the nets have not been fetched.
            ConfigurationError: onnxruntime does not have one of ``providers``.
        """
        palm_nets = {net: Net(net_path(net.value), providers, threads) for net in PalmNet}
        landmark_net = Net(net_path("hand_landmark_full"), providers, threads)
        # What two looks at once take of memory they take now, not in the middle of a stream.
        _at_once(landmark_net, [np.zeros((1, LOOK, LOOK, 3), np.float32)] * 2)
        return cls(palm_nets, landmark_net, options)

    def reset(self) -> None:
        """Forget the hands that are followed; numbers of regions are not used again."""
        self._hands: list[FollowedHand] = []
        self._lost: list[LostHand] = []
        self._fresh = True
        self._cycle_position = 0
        self._images_since_search = 0

    def detect(self, frame: Frame) -> list[Detection]:
        """Hands in the next image, those that are followed longest first."""
        if self._options.static:
            self.reset()
        image = frame.rgb
        look = _while_wanted(self._landmark_net, frame)
        self._follow(image, look)
        if len(self._hands) < self._options.max_hands:
            # Chosen first: one hand that is found again does not make up for the others.
            searches = self._next_searches(image)
            self._look_again(image, look)
            self._take_up(image, self._find(frame, searches), look)
        return [hand.detection() for hand in sorted(self._hands, key=lambda hand: hand.number)]

    def _follow(self, image: np.ndarray, look: NetFunction) -> None:
        """See the followed hands again where their joints were."""
        followed = []
        for hand in self._hands:
            sighting = see_landmarks(look, image, hand.region)
            if sighting.landmarks.presence >= self._options.min_presence:
                followed.append(keep_following(hand, sighting))
        followed = distinct_followed(followed)
        kept = {hand.number for hand in followed}
        self._lost = [
            replace(lost, missed=lost.missed + 1) for lost in self._lost if lost.missed < MAX_MISSED
        ]
        # Of a hand that slipped onto another, what was seen before is remembered.
        self._lost += [LostHand(hand) for hand in self._hands if hand.number not in kept]
        self._hands = followed

    def _look_again(self, image: np.ndarray, look: NetFunction) -> None:
        """Look for one of the lost hands, once, and closely if there is something."""
        height, width = image.shape[:2]
        lost = next_to_look_for(self._lost, width, height)
        if lost is None:
            return
        self._forget(lost)
        self._lost.append(replace(lost, looks=lost.looks + 1))
        sighting = see_landmarks(look, image, lost.region())
        if not self._may_resume(lost, sighting):
            return
        region = region_from_landmarks(sighting.landmarks.pixels)
        confirmation = look_around(look, image, region, prior=0.0)
        if confirmation is not None and self._may_resume(lost, confirmation.sighting):
            self._resume(lost, confirmation.sighting)

    def _may_resume(self, lost: LostHand, sighting: Sighting) -> bool:
        return (
            sighting.landmarks.presence >= self._options.min_presence
            and lost.can_be(sighting)
            and not is_known(sighting, self._hands)
        )

    def _resume(self, lost: LostHand, sighting: Sighting) -> None:
        self._forget(lost)
        self._hands.append(keep_following(lost.hand, sighting, images=lost.missed + 1))

    def _forget(self, lost: LostHand) -> None:
        self._lost = [other for other in self._lost if other.hand.number != lost.hand.number]

    def _next_searches(self, image: np.ndarray) -> list[Search]:
        """Choose what to search in this image: little, while hands are followed."""
        height, width = image.shape[:2]
        if self._options.static:
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
            net = _while_wanted(self._palm_nets[search.net], frame)
            return find_palms(net, frame.rgb, search.window, MIN_PALM_SCORE)

        return merge_palms([palm for palms in _at_once(find, searches) for palm in palms])

    def _take_up(self, image: np.ndarray, palms: list[Palm], look: NetFunction) -> None:
        """Follow the hands of those palms that the landmark net confirms."""
        new = [p for p in palms if not any(covers(hand, p.center) for hand in self._hands)]
        if self._hands:
            new = new[:CANDIDATES_BESIDE_HANDS]

        def look_at(palm: Palm) -> Confirmation | None:
            return confirm(look, image, palm, lambda seen: is_known(seen, self._hands))

        found = [seen for seen in _at_once(look_at, new) if seen is not None]
        room = self._options.max_hands - len(self._hands)
        for confirmation in distinct_new(found, self._hands)[:room]:
            sighting = confirmation.sighting
            lost = which_lost(sighting, self._lost)
            if lost is not None and self._may_resume(lost, sighting):
                self._resume(lost, sighting)
            else:
                self._hands.append(start_following(self._next_number, sighting))
                self._next_number += 1


def _at_once(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Do the same with several things, two at a time: a search falls into one single image.

    Every other one is done on this thread: each more has memory of its own.
    """
    others = [_OTHER.submit(work, item) for item in items[1::2]]
    own = [work(item) for item in items[::2]]
    results = [*own, *(other.result() for other in others)]
    results[::2], results[1::2] = own, results[len(own) :]
    return results


def _while_wanted(net: NetFunction, frame: Frame) -> NetFunction:
    """The net, but before each run it is asked whether the frame is still wanted."""

    def run(value: np.ndarray) -> list[np.ndarray]:
        frame.check_wanted()
        return net(value)

    return run
