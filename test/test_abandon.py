"""A frame that nobody waits for is given up: between the stages, and within a long one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from helpers import CAMERA, detection

from hamer_ros.hands import AbandonedError, Detection, Frame, Hand
from hamer_ros.pipeline import HandPipeline
from hamer_ros.recovery import make_recoverer

RGB = np.zeros((480, 640, 3), np.uint8)


class Seeing:
    """A detector after which somebody loses interest."""

    def __init__(self) -> None:
        self.is_over = False

    def detect(self, frame: Frame) -> list[Detection]:
        self.is_over = True
        return [detection()]

    def reset(self) -> None:
        pass


class Recovering:
    """A recoverer that must not be asked."""

    name, engine, model = "none", "none", make_recoverer("landmarks").model

    def recover(self, frame: Frame, detections: Sequence[Detection]) -> list[Hand]:
        raise AssertionError("recovered a hand that nobody waits for")

    def reset(self) -> None:
        pass


def test_no_stage_begins_once_the_frame_is_abandoned():
    detector = Seeing()
    pipeline = HandPipeline(CAMERA, detector, Recovering())
    with pytest.raises(AbandonedError):
        pipeline.process(RGB, 0.0, abandoned=lambda: detector.is_over)


def test_a_frame_that_is_wanted_goes_through():
    Frame(RGB, 0.0, CAMERA).check_wanted()


def test_the_network_on_a_cpu_stops_between_two_blocks():
    pytest.importorskip("torch", reason="the network needs torch")
    from hamer_small import SMALL, crops, small_network  # noqa: PLC0415

    from hamer_ros.hamer.torch_backend import TorchBackend  # noqa: PLC0415

    backend = TorchBackend(small_network())
    asked: list[bool] = []
    whole = backend(crops(1), lambda: asked.append(True))
    assert len(asked) == SMALL.backbone.depth

    def lose_interest() -> None:
        asked.append(True)
        raise AbandonedError

    asked.clear()
    with pytest.raises(AbandonedError):
        backend(crops(1), lose_interest)
    assert len(asked) == 1
    again = backend(crops(1))
    assert len(asked) == 1
    np.testing.assert_array_equal(again.hand_pose, whole.hand_pose)
