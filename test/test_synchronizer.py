"""Images and what belongs to them meet by their stamps, and no image waits in vain for long."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamer_ros.ros.input.synchronizer import MAX_HELD, RESTART, Companion, Synchronizer

MS = 1_000_000


def depth(max_wait: float = 0.1) -> Synchronizer[str]:
    return Synchronizer({"depth": Companion(20 * MS, max_wait)})


def boxes(max_wait: float = 0.2) -> Synchronizer[str]:
    return Synchronizer({"boxes": Companion(1 * MS, max_wait, is_required=True)})


def both(released) -> list[tuple[str, str | None]]:
    """Each image that goes on with the one companion of its."""
    return [(m.image, *m.companions.values()) for m in released.matched]


def test_an_image_goes_on_with_the_companion_that_was_there_first():
    sync = depth()
    assert both(sync.put_companion("depth", "d1", 1000 * MS, 0.0)) == []
    assert both(sync.put_image("i1", 1000 * MS, 0.01)) == [("i1", "d1")]


def test_an_image_goes_on_as_soon_as_its_companion_comes():
    sync = depth()
    assert both(sync.put_image("i1", 1000 * MS, 0.0)) == []
    assert sync.deadline() == pytest.approx(0.1)
    assert both(sync.put_companion("depth", "d1", 1015 * MS, 0.06)) == [("i1", "d1")]
    assert sync.deadline() is None


def test_the_nearest_companion_within_the_tolerance_counts():
    sync = depth()
    for name, stamp in (("d1", 985), ("d2", 1004), ("d3", 1016)):
        sync.put_companion("depth", name, stamp * MS, 0.0)
    assert both(sync.put_image("i1", 1000 * MS, 0.0)) == [("i1", "d2")]


def test_an_image_goes_on_without_when_its_time_is_up():
    sync = depth()
    sync.put_image("i1", 1000 * MS, 0.0)
    assert both(sync.time_passes(0.09)) == []
    assert both(sync.time_passes(0.1)) == [("i1", None)]


def test_a_later_companion_says_that_there_is_none_for_this_image():
    """Depth at half the rate: every other image has none, and must not wait for it."""
    sync = depth()
    sync.put_image("i1", 1000 * MS, 0.0)
    sync.put_image("i2", 1033 * MS, 0.033)
    released = sync.put_companion("depth", "d2", 1033 * MS, 0.04)
    assert both(released) == [("i1", None), ("i2", "d2")]
    assert released.matched[0].offsets == {"depth": 33 * MS}


def test_a_stream_that_does_not_keep_up_is_not_waited_for_again():
    sync = depth()
    sync.put_image("i1", 1000 * MS, 0.0)
    sync.time_passes(0.1)
    assert both(sync.put_image("i2", 1100 * MS, 0.1)) == [("i2", None)]


def test_a_companion_that_comes_late_is_told_and_its_stream_waited_for_from_then_on():
    sync = depth()
    sync.put_image("i1", 1000 * MS, 0.0)
    sync.time_passes(0.1)
    sync.put_image("i2", 1100 * MS, 0.1)
    (late,) = sync.put_companion("depth", "d2", 1100 * MS, 0.16).late
    assert (late.message, late.stamp) == ("d2", 1100 * MS)
    assert late.delay == pytest.approx(0.06)
    assert both(sync.put_image("i3", 1200 * MS, 0.2)) == []
    assert both(sync.put_companion("depth", "d3", 1200 * MS, 0.26)) == [("i3", "d3")]


def test_a_companion_later_than_any_wait_is_told_but_not_waited_for():
    sync = depth()
    sync.put_image("i1", 1000 * MS, 0.0)
    sync.time_passes(0.1)
    assert sync.put_companion("depth", "d1", 1000 * MS, 0.3).late
    assert both(sync.put_image("i2", 1100 * MS, 0.31)) == [("i2", None)]


def test_an_image_whose_companions_have_all_come_does_not_wait_for_those_before_it():
    sync = Synchronizer({"info": Companion(0, 0.1), "depth": Companion(0, 0.1)})
    sync.put_image("i1", 1, 0.0)
    sync.put_image("i2", 2, 0.03)
    sync.put_companion("info", "c1", 1, 0.03)
    sync.put_companion("info", "c2", 2, 0.03)
    released = sync.put_companion("depth", "d2", 2, 0.04)
    assert [m.image for m in released.matched] == ["i1", "i2"]
    assert released.matched[0].companions == {"info": "c1", "depth": None}


def test_an_image_that_required_boxes_is_given_up_when_a_later_one_has_them():
    sync = boxes()
    for k in range(3):
        sync.put_image(f"i{k}", k * 33 * MS, k * 0.033)
    released = sync.put_companion("boxes", "b2", 66 * MS, 0.08)
    assert both(released) == [("i2", "b2")]
    assert released.overtaken == 2


def test_required_boxes_are_waited_for_by_every_image():
    sync = boxes()
    for k in range(3):
        now = float(k)
        assert both(sync.put_image(f"i{k}", k * 1000 * MS, now)) == []
        assert both(sync.time_passes(now + 0.2)) == [(f"i{k}", None)]


def test_where_no_companion_has_the_stamp_the_one_before_it_serves():
    sync = Synchronizer({"info": Companion(0, 0.1)})
    for k in (1, 2, 3):
        sync.put_companion("info", f"c{k}", k * 1000 * MS, 0.0)
    assert sync.substitute("info", 2900 * MS) == "c2"
    assert sync.substitute("info", 9000 * MS) == "c3"


def test_where_stamps_have_nothing_to_do_with_each_other_the_last_companion_serves():
    """Images stamped 0, or minutes behind: new intrinsics must not wait for half a minute."""
    sync = Synchronizer({"info": Companion(0, 0.1)})
    for k in (1, 2, 3):
        sync.put_companion("info", f"c{k}", k * 1000 * MS, 0.0)
    assert sync.substitute("info", 0) == "c3"


def test_the_last_companion_is_kept_for_images_to_come():
    """A CameraInfo that is published once serves for ever."""
    sync = Synchronizer({"info": Companion(0, 0.1)})
    sync.put_companion("info", "c", 5, 0.0)
    for k in range(100):
        sync.put_image(f"i{k}", (10 + k) * MS, float(k))
        sync.time_passes(k + 0.5)
    assert sync.substitute("info", 10_000 * MS) == "c"


def test_a_recording_that_starts_again_lets_go_what_waits():
    sync = depth()
    sync.put_image("i1", 10_000 * MS, 0.0)
    sync.put_companion("depth", "old", 9_000 * MS, 0.0)
    released = sync.put_image("i2", 1_000 * MS, 0.01)
    assert both(released) == [("i1", None)]
    assert both(sync.put_companion("depth", "d2", 1_000 * MS, 0.02)) == [("i2", "d2")]


def test_not_more_than_a_few_images_wait():
    sync = boxes(max_wait=100.0)
    lost = sum(sync.put_image(f"i{k}", k * MS, 0.0).lost for k in range(MAX_HELD + 5))
    assert lost == 5


# Streams over time


class Stream:
    """What became of images that come at a rate, with depth at another and later by a lag."""

    def __init__(
        self, rate: float, depth_rate: float, lag: float, tolerance: int = 20, wait: float = 0.1
    ) -> None:
        sync = Synchronizer({"depth": Companion(tolerance * MS, wait)})
        events = [(k / rate, "image", round(1e9 * k / rate)) for k in range(round(5 * rate))]
        events += [
            (k / depth_rate + lag, "depth", round(1e9 * k / depth_rate))
            for k in range(round(5 * depth_rate))
        ]
        self.matched: list = []
        self.lost = self.at_once = 0
        self.delays: list[float] = []
        for now, what, stamp in sorted(events):
            while (due := sync.deadline()) is not None and due < now:
                self.note(sync.time_passes(due), due)
            if what == "image":
                self.note(sync.put_image(stamp, stamp, now), now)
            else:
                self.note(sync.put_companion("depth", stamp, stamp, now), now)

    def note(self, released, now: float) -> None:
        self.matched += released.matched
        self.delays += [now - m.arrival for m in released.matched]
        self.at_once += max(len(released.matched) - 1, 0)
        self.lost += released.lost + released.overtaken

    def offsets(self) -> set[int]:
        """Milliseconds from images to the depth that they got."""
        return {
            round((m.companions["depth"] - m.stamp) / MS)
            for m in self.matched
            if m.companions["depth"] is not None
        }


@pytest.mark.parametrize("rate", [30, 60])
@pytest.mark.parametrize("tolerance", [5, 20, 50, 100])
@pytest.mark.parametrize("lag", [0.0, 0.005, 0.05])
def test_every_image_gets_its_own_depth_though_that_of_another_would_do(rate, tolerance, lag):
    stream = Stream(rate, rate, lag, tolerance)
    assert stream.offsets() == {0}
    assert len(stream.matched) >= 5 * rate - 5
    assert max(stream.delays) <= lag + 1e-9


@pytest.mark.parametrize(
    ("rate", "depth_rate"), [(30, 15), (30, 10), (60, 30), (60, 15), (30, 2), (30, 1)]
)
def test_depth_at_a_lower_rate_does_not_slow_the_images_down(rate, depth_rate):
    stream = Stream(rate, depth_rate, 0.005)
    assert stream.at_once <= 2 * rate / depth_rate + 3  # until the steps are known
    own = [m for m in stream.matched if m.companions["depth"] == m.stamp]
    assert len(own) >= 5 * depth_rate - 4  # until the steps are known


def test_images_go_on_though_depth_never_comes_and_the_wait_is_long():
    stream = Stream(30, 1 / 5, 4.99, wait=2.0)
    assert len(stream.matched) >= 148
    assert stream.lost == 0


def test_a_stream_whose_stamps_never_match_is_not_waited_for():
    """A driver that stamps its CameraInfo by itself."""
    sync = Synchronizer({"info": Companion(0, 0.1)})
    delays = []
    for k in range(60):
        now = k / 30
        for released in (
            sync.put_companion("info", "c", round(1e9 * now) - 100_000, now),
            sync.put_image("i", round(1e9 * now), now),
        ):
            delays += [now - m.arrival for m in released.matched]
    assert len(delays) == 60
    assert sorted(delays)[-4] == 0.0


def test_an_image_off_the_beat_waits_for_its_own_companion_all_the_same():
    sync = Synchronizer({"info": Companion(3 * MS, 0.1)})
    for k in range(60):
        now = k / 30 + (0.012 if k % 10 == 5 else 0.0)
        stamp = round(1e9 * now)
        found = both(sync.put_image(f"i{k}", stamp, now))
        found += both(sync.put_companion("info", f"c{k}", stamp, now + 0.001))
        assert found == [(f"i{k}", f"c{k}")]


@pytest.mark.parametrize("lag", [0.0005, 0.02])
def test_a_stream_whose_steps_differ_is_waited_for_by_every_image(lag):
    """A camera that is triggered now and then, its CameraInfo just behind each image."""
    rng = np.random.default_rng(1)
    sync = Synchronizer({"info": Companion(3 * MS, 0.1)})
    now = 0.0
    for k in range(100):
        now += float(rng.uniform(0.05, 0.12))
        stamp = round(1e9 * now)
        found = both(sync.put_image(f"i{k}", stamp, now))
        found += both(sync.put_companion("info", f"c{k}", stamp, now + lag))
        assert found == [(f"i{k}", f"c{k}")]


def test_a_recording_that_starts_again_while_nothing_waits_finds_its_companions():
    sync = boxes()
    for loop in range(3):
        for k in range(20):
            now = loop + 0.033 * k
            found = both(sync.put_image(f"i{k}", 10**12 + 33 * MS * k, now))
            found += both(sync.put_companion("boxes", f"b{k}", 10**12 + 33 * MS * k, now + 0.01))
            assert found == [(f"i{k}", f"b{k}")]


def test_a_companion_from_the_future_costs_no_image_but_its_own():
    sync = boxes()
    overtaken = 0
    for k in range(60):
        stamp = 10**12 + 33 * MS * k
        sync.put_image(f"i{k}", stamp, 0.033 * k)
        ahead = 1000 * 10**9 if k == 20 else 0
        overtaken += sync.put_companion("boxes", "b", stamp + ahead, 0.033 * k + 0.01).overtaken
    assert overtaken == 1


def test_images_that_have_gone_on_are_let_go_of():
    class Large:
        pass

    sync = Synchronizer({"depth": Companion(0, 0.1)})
    alive = weakref.WeakSet()
    for k in range(50):
        image = Large()
        alive.add(image)
        sync.put_image(image, k * MS, k * 0.1)
        sync.time_passes(k * 0.1 + 0.1)
        del image
    gc.collect()
    assert len(alive) == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["image", "info", "boxes", "time"]),
            st.integers(0, 40),
            st.floats(0.0, 0.1),
        ),
        max_size=60,
    )
)
def test_every_image_goes_on_or_is_given_up_exactly_once(events):
    sync = Synchronizer({"info": Companion(0, 0.05), "boxes": Companion(2, 0.1, is_required=True)})
    now, sent, seen, gone = 0.0, 0, [], 0
    for what, stamp, step in events:
        now += step
        if what == "image":
            released = sync.put_image(str(sent), stamp * (RESTART // 10), now)
            sent += 1
        elif what == "time":
            released = sync.time_passes(now)
        else:
            released = sync.put_companion(what, "x", stamp * (RESTART // 10), now)
        seen += [int(m.image) for m in released.matched]
        gone += released.overtaken + released.lost
        if (deadline := sync.deadline()) is not None:
            assert deadline > now
    released = sync.time_passes(now + 1.0)
    seen += [int(m.image) for m in released.matched]
    gone += released.overtaken
    assert seen == sorted(set(seen))
    assert len(seen) + gone == sent
    assert sync.deadline() is None
