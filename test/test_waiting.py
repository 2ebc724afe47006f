"""Images wait for what belongs to them, but not for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamer_ros.ros.waiting import MAX_HELD, Released, Waiting


def test_an_image_goes_on_when_its_boxes_come():
    waiting = Waiting(0.5, 1e-3)
    assert waiting.hold("a", 1.0, 0.0) == Released(None, 0)
    assert waiting.deadline() == 0.5
    assert waiting.arrived(1.0005) == Released("a", 0)
    assert waiting.deadline() is None
    assert waiting.overdue(9.0) == Released(None, 0)


def test_boxes_may_come_first():
    waiting = Waiting(0.5, 1e-3)
    assert waiting.arrived(1.0) == Released(None, 0)
    assert waiting.hold("a", 1.0, 0.0) == Released("a", 0)
    assert waiting.hold("again", 1.0, 0.0) == Released(None, 0)


def test_an_image_goes_on_without_boxes_when_its_time_is_up():
    waiting = Waiting(0.5, 1e-3)
    waiting.hold("a", 1.0, 0.0)
    assert waiting.overdue(0.49) == Released(None, 0)
    assert waiting.overdue(0.5) == Released("a", 0)
    # Too late.
    assert waiting.arrived(1.0) == Released(None, 0)
    assert waiting.hold("b", 1.1, 0.6) == Released(None, 0)


def test_images_before_one_with_boxes_are_overtaken():
    waiting = Waiting(0.5, 1e-3)
    for k, image in enumerate("abc"):
        waiting.hold(image, float(k), 0.1 * k)
    assert waiting.arrived(1.0) == Released("b", 1)
    assert waiting.deadline() == pytest.approx(0.7)
    assert waiting.arrived(0.0) == Released(None, 0)
    assert waiting.overdue(0.7) == Released("c", 0)


def test_when_several_are_due_the_newest_goes_on():
    waiting = Waiting(0.5, 1e-3)
    for k, image in enumerate("abc"):
        waiting.hold(image, float(k), 0.1 * k)
    assert waiting.overdue(0.65) == Released("b", 1)


def test_a_recording_that_starts_again_is_not_mixed_up_with_the_first_run():
    waiting = Waiting(0.5, 1e-3)
    waiting.hold("a", 5.0, 0.0)
    assert waiting.hold("b", 1.0, 0.1) == Released(None, 1)
    assert waiting.arrived(1.0) == Released("b", 0)


def test_memory_is_bounded():
    waiting = Waiting(100.0, 1e-3)
    overtaken = sum(waiting.hold(k, float(k), 0.0).overtaken for k in range(MAX_HELD + 3))
    assert overtaken == 3
    assert waiting.arrived(2.0) == Released(None, 0)
    assert waiting.arrived(3.0) == Released(3, 0)


@given(st.lists(st.tuples(st.sampled_from(["image", "boxes", "time"]), st.floats(0, 0.4))))
def test_every_image_goes_on_once_or_is_overtaken_and_in_order(events):
    waiting = Waiting(0.3, 1e-3)
    now, images, boxes, passed, overtaken = 0.0, 0, 0, [], 0
    for kind, step in events:
        now += step
        if kind == "image":
            released = waiting.hold(images, float(images), now)
            images += 1
        elif kind == "boxes":
            released = waiting.arrived(float(boxes))
            boxes += 1
        else:
            released = waiting.overdue(now)
        overtaken += released.overtaken
        if released.item is not None:
            passed.append(released.item)
    released = waiting.overdue(now + 1)
    if released.item is not None:
        passed.append(released.item)
    assert passed == sorted(set(passed))
    assert len(passed) + overtaken + released.overtaken == images
