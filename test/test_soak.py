"""The soak: its mathematics with known answers, then a short one with all that belongs to it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from bench.records import BrokenPromiseError
from bench.soak.chart import soak_chart
from bench.soak.clip import FRAMES, HANDS, LOOP
from bench.soak.figures import (
    DROP_POLICY,
    FrameCounts,
    count_frames,
    drift,
    growth,
    load,
    stretches,
    trend,
    windows,
)
from bench.soak.logs import OK, NodeStatus, read_rows, read_statuses, status_line, write_row
from bench.soak.report import Soak, broken_promises, summary
from bench.soak.report import records as soak_records
from bench.soak.samples import Sample, take_sample
from hamer_ros.demo.processes import DemoError, ProcessGroup
from hamer_ros.demo.run import installed_node
from hamer_ros.hand_model.model import HandModel
from hamer_ros.rendering.clip import clip_frame

SECOND = 10**9


# Trends


def test_a_straight_line_has_its_slope_and_no_error():
    times = np.linspace(0.0, 30.0, 100)
    line = trend(times, 250_000 + 10.0 * times)
    assert line.slope == pytest.approx(10.0)
    assert line.error == pytest.approx(0.0, abs=1e-6)
    assert (line.start, line.end) == pytest.approx((250_000, 250_300))


def test_the_error_of_a_slope_is_that_of_the_slopes_of_many_runs():
    rng = np.random.default_rng(1)
    times = np.linspace(0.0, 30.0, 200)
    lines = [trend(times, 5.0 * times + 100 * rng.standard_normal(200)) for _ in range(400)]
    slopes = [line.slope for line in lines]
    assert np.mean(slopes) == pytest.approx(5.0, abs=4 * np.std(slopes) / 20)
    assert np.mean([line.error for line in lines]) == pytest.approx(np.std(slopes), rel=0.15)


def test_the_error_tells_of_noise_that_lasts():
    """A random process of first order, as that of memory that is taken and given back in turn."""
    rng = np.random.default_rng(2)
    times, lines = np.linspace(0.0, 30.0, 600), []
    for _ in range(300):
        noise = np.zeros(600)
        for k in range(1, 600):
            noise[k] = 0.8 * noise[k - 1] + rng.standard_normal()
        lines.append(trend(times, noise))
    spread = np.std([line.slope for line in lines])
    assert np.mean([line.error for line in lines]) == pytest.approx(spread, rel=0.2)


def test_two_values_have_no_trend():
    with pytest.raises(ValueError, match="three values, not 2"):
        trend(np.arange(2.0), np.arange(2.0))


def test_growth_is_seen_wherever_it_happens_and_what_comes_and_goes_is_none():
    assert growth([26] * 90) == 0
    assert growth([26] * 45 + [27] * 45) == 1
    assert growth([26] * 89 + [27]) == 1
    assert growth([26, 28] * 45) == 0
    assert growth([30] * 45 + [26] * 45) == -4
    assert growth([26] * 10 + [31] * 80) == 5


# Latency


def test_latencies_of_whole_windows():
    stamps = np.arange(0, 25 * SECOND, SECOND)
    latency = np.where(stamps < 10 * SECOND, 20, 40) * 10**6
    found = windows(np.column_stack([stamps, stamps + latency]), 0, 10.0)
    assert [w.minute for w in found] == pytest.approx([10 / 60, 20 / 60])
    assert [w.p50 for w in found] == pytest.approx([20.0, 40.0])
    assert windows(np.empty((0, 2), np.int64), 0, 10.0) == []


def test_drift_is_late_over_early_and_bears_a_burst():
    assert drift([50.0] * 9) == pytest.approx(1.0)
    assert drift([50.0, 50.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0, 110.0]) == pytest.approx(2.0)
    assert drift([50.0] * 8 + [500.0]) == pytest.approx(1.0)
    assert drift([40.0, 60.0]) == pytest.approx(1.5)


# Counts


def status_of(received: int, processed: int, **dropped: int) -> NodeStatus:
    values = {"frames received": str(received), "frames processed": str(processed)}
    values |= {f"dropped: {reason.replace('_', ' ')}": str(n) for reason, n in dropped.items()}
    return NodeStatus(0, OK, "", values)


def test_frames_that_gave_way_to_newer_ones_are_not_lost():
    a = count_frames(100, status_of(100, 90, newer_image_came=10), 90)
    assert a.is_settled
    assert a.losses() == {}
    assert a.dropped_by_policy == 10


@pytest.mark.parametrize(
    ("counts", "losses"),
    [
        ((101, status_of(100, 100), 100), {"between camera and node": 1}),
        ((100, status_of(100, 98), 98), {"in the node, untold": 2}),
        ((100, status_of(100, 100), 97), {"between node and client": 3}),
        ((100, status_of(100, 98, bad_image=2), 98), {"in the node, bad image": 2}),
        ((99, status_of(100, 100), 100), {"between camera and node": -1}),
    ],
)
def test_every_other_frame_is_lost_somewhere(counts, losses):
    assert count_frames(*counts).losses() == losses


def test_counts_go_on_from_earlier_ones():
    before = FrameCounts(30, 28, 20, {"newer image came": 7, "no camera_info": 1}, 19)
    after = FrameCounts(130, 128, 110, {"newer image came": 17, "no camera_info": 1}, 109)
    assert after.since(before) == FrameCounts(100, 100, 90, {"newer image came": 10}, 90)


def test_what_is_still_in_the_nodes_hands_is_not_settled():
    assert not count_frames(100, status_of(100, 98, newer_image_came=1), 98).is_settled


# Load


def test_cores_busy_while_it_counts():
    """0.25 cores without, 0.75 cores with two hands, which come for 2 s twice."""
    sent = np.arange(0, 12 * SECOND, SECOND // 10)
    shows = (sent // SECOND % 6) >= 4
    times = np.arange(0.0, 12.1, 1.0)
    cpu = np.cumsum([0.0, *(0.75 if second % 6 >= 4 else 0.25 for second in range(12))])
    found = load(sent, shows, sent, (1e9 * times, cpu))
    assert (found.cores, found.processed) == pytest.approx((0.75, 1.0))
    half = load(sent, shows, sent[::2], (1e9 * times, cpu))
    assert (half.processed, half.cores_for_all) == pytest.approx((0.5, 1.5))


def test_stretches():
    begins, ends = stretches(np.array([True, False, True, True]))
    assert (begins.tolist(), ends.tolist()) == ([0, 2], [1, 4])


# Promises


MINUTES = 30
N_SAMPLES = 60 * MINUTES


def sample_at(second: float) -> Sample:
    """A node that holds the same all the time and keeps 0.6 cores busy."""
    return Sample(
        time=round(second * SECOND),
        rss=260_000,
        shared=60_000,
        files=26,
        segments=10,
        threads=16,
        cpu_seconds=0.6 * second,
        waiting_seconds=0.1 * second,
    )


def made_up_soak() -> Soak:
    """Half an hour in which nothing happens; every image has its hands after 25 ms."""
    count = 30 * 60 * MINUTES
    sent = np.arange(count) * SECOND // 30
    return Soak(
        samples=[sample_at(float(second)) for second in range(N_SAMPLES + 1)],
        warm=120 * SECOND,
        sent=np.column_stack([sent, np.arange(count) % len(HANDS)]),
        arrived=np.column_stack([sent, sent + 25 * 10**6]),
        counts=FrameCounts(count, count, count, {}, count),
        others=0.0,
    )


def with_samples(soak: Soak, change: Callable[[Sample, float], Sample]) -> Soak:
    """The soak with its samples changed, each with its time in minutes."""
    return replace(soak, samples=[change(s, s.time / (60 * SECOND)) for s in soak.samples])


def growing(field: str, per_minute: float) -> Callable[[Soak], Soak]:
    return lambda soak: with_samples(
        soak,
        lambda sample, minute: replace(
            sample, **{field: getattr(sample, field) + int(per_minute * minute)}
        ),
    )


def slowing_down(soak: Soak) -> Soak:
    arrived = soak.arrived.copy()
    arrived[:, 1] += arrived[:, 0] // 180_000  # 10 ms in half an hour, from 25 on
    return replace(soak, arrived=arrived)


def busy(soak: Soak) -> Soak:
    return with_samples(soak, lambda s, minute: replace(s, cpu_seconds=1.1 * s.cpu_seconds / 0.6))


def with_every_nth_left_out(soak: Soak, n: int) -> Soak:
    """Each costs as much as before, but not all are processed."""
    sent = soak.counts.sent
    done = sent - sent // n
    a = replace(soak.counts, processed=done, dropped={DROP_POLICY: sent // n}, arrived=done)
    return replace(soak, arrived=soak.arrived[np.arange(sent) % n > 0], counts=a)


def test_a_soak_without_a_flaw_has_plain_figures():
    soak = made_up_soak()
    assert broken_promises(soak, 1.5) == []
    figures = {record.name: record.value for record in soak_records(soak, 1.5)}
    assert figures == pytest.approx(
        {
            "soak/rss_slope_kb_min": 0.0,
            "soak/rss_slope_kb_min/without_shared": 0.0,
            "soak/fd_growth": 0,
            "soak/shm_growth": 0,
            "soak/frames_lost": 0,
            "soak/frames_dropped_share": 0.0,
            "soak/p99_drift": 1.0,
            "soak/two_hands_processed_share": 1.0,
            "node/cores_busy_two_hands": 0.6,
            "node/restart_s": 1.5,
        }
    )
    assert soak.rate == pytest.approx(30.0)
    text = summary(soak)
    assert "28.0 min after a warm-up of 2.0" in text
    assert "p50 25.0 ms, p99 25.0 ms" in text
    assert "lost: none" in text


FLAWS: dict[str, Callable[[Soak], Soak]] = {
    "memory grows by 12.0 kB/min": growing("rss", 12.0),
    "holds 1 more file descriptors": growing("files", 1 / 20),
    # From the greatest until minute 4.8, 10, to that in the end, 16.
    "holds 6 more shared-memory segments": growing("segments", 1 / 5),
    "2 between camera and node": lambda soak: replace(
        soak, counts=replace(soak.counts, sent=soak.counts.sent + 2)
    ),
    "p99 latency rises": slowing_down,
    "keep 1.10 cores busy": busy,
    "the camera sent only 20.0 images a second": lambda soak: replace(
        soak,
        sent=(soak.sent * [1.5, 1]).astype(np.int64),
        arrived=(soak.arrived * [1.5, 1.5]).astype(np.int64),
    ),
    "80 % of the images are processed": lambda soak: with_every_nth_left_out(soak, 5),
}


@pytest.mark.parametrize("words_of_it", FLAWS)
def test_every_broken_promise_is_told(words_of_it):
    (reason,) = broken_promises(FLAWS[words_of_it](made_up_soak()), 1.5)
    assert words_of_it in reason


def test_a_slow_restart_is_told():
    (reason,) = broken_promises(made_up_soak(), 3.2)
    assert "it takes 3.2 s" in reason


def test_memory_may_grow_a_little_and_more_so_in_a_short_soak():
    assert broken_promises(growing("rss", 8.0)(made_up_soak()), 1.5) == []
    short = made_up_soak()
    short = replace(short, samples=short.samples[:481])  # 6 min after the warm-up: up to 47 kB/min
    assert broken_promises(growing("rss", 40.0)(short), 1.5) == []
    assert broken_promises(growing("rss", 60.0)(short), 1.5) != []


def test_memory_counts_as_the_kernel_counts_it_shared_or_not():
    soak = growing("rss", 50.0)(growing("shared", 50.0)(made_up_soak()))
    assert any("memory grows" in promise for promise in broken_promises(soak, 1.5))
    assert "RSS is both, +50.0 kB/min" in summary(soak)


def test_dropped_frames_do_not_make_the_node_look_idle():
    soak = with_every_nth_left_out(made_up_soak(), 20)
    assert broken_promises(soak, 1.5) == []
    assert soak.two_hands.processed == pytest.approx(0.95, abs=0.01)
    assert soak.two_hands.cores_for_all == pytest.approx(0.6 / 0.95, rel=0.01)
    figures = {record.name: record.value for record in soak_records(soak, 1.5)}
    assert figures["soak/frames_dropped_share"] == pytest.approx(0.05)


def test_the_chart_shows_what_grows():
    """The uppermost line climbs in the first of the four panels, that of the memory."""
    flat, steep = soak_chart(made_up_soak()), soak_chart(growing("rss", 12.0)(made_up_soak()))
    assert flat.shape == steep.shape == (1000, 1100, 3)
    heights = []
    for chart in (flat, steep):
        column = chart[84:260, 1050].astype(int)
        heights.append(np.flatnonzero(np.ptp(column, axis=1) > 60)[0])
    assert heights[1] < heights[0] - 20


# Clip


def test_hands_come_and_go_and_those_that_stay_do_not_jump():
    assert set(HANDS) == {0, 1, 2}
    for (index, sides), (following, others) in pairwise((*FRAMES, FRAMES[0])):
        if set(sides) & set(others):
            assert following == (index + 1) % LOOP


# Logs


def test_logs_are_read_while_they_are_written(tmp_path):
    path = tmp_path / "rows"
    assert read_rows(path).shape == (0, 2)
    with path.open("wb", buffering=0) as log:
        for k in range(5):
            write_row(log, k, 10 * k)
        log.write(b"half a row")
        assert read_rows(path).tolist() == [[k, 10 * k] for k in range(5)]
        assert read_rows(path, last=2).tolist() == [[3, 30], [4, 40]]


def test_diagnostics_are_read_while_they_are_written(tmp_path):
    status, path = status_of(3, 2), tmp_path / "diagnostics"
    assert read_statuses(path) == []
    path.write_text(status_line(status) + status_line(status)[:20])
    assert read_statuses(path) == [status]


# Samples


def test_a_sample_tells_what_a_process_holds(tmp_path):
    held = (
        "import sys, time; more = bytearray(50_000_000); files = [open('/dev/null') for _ in 'abc']"
    )
    plain = "import sys, time"
    end = "; print('ready', flush=True); time.sleep(60)"
    with ProcessGroup() as group:
        samples = []
        for name, code in (("plain", plain), ("full", held)):
            process = group.start(
                name, [sys.executable, "-c", code + end], dict(os.environ), tmp_path
            )
            group.wait_until(lambda process=process: "ready" in process.log_tail(), name, 60)
            samples.append(take_sample(process))
    less, more = samples
    assert more.files - less.files == 3
    assert more.own - less.own == pytest.approx(50_000_000 / 1024, rel=0.05)
    assert (more.threads, more.segments) == (1, 0)
    assert 0.0 < more.cpu_seconds < 60.0
    assert more.time <= time.time_ns()


# All of it


def render_quickly(path, pool, progress):
    """As the soak's clip, but the hands do not move."""
    kinds = {sides for _, sides in FRAMES}
    images = {sides: clip_frame(HandModel.default(), 0, LOOP, sides).rgb for sides in kinds}
    np.save(path, np.stack([images[sides] for _, sides in FRAMES]))


def test_a_short_soak_accounts_for_every_frame(models, tmp_path, capsys, monkeypatch):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    soak = pytest.importorskip("bench.soak.measure", reason="needs the built messages")
    try:
        installed_node()
    except DemoError as reason:
        pytest.skip(str(reason))
    monkeypatch.setattr(soak.clip, "render", render_quickly)
    monkeypatch.setattr(soak, "RESTARTS", 1)
    try:
        records = soak.measure_soak(tmp_path, minutes=0.3)
    except BrokenPromiseError as broken:  # speed depends on what else runs here
        assert "lost" not in str(broken)
        records = broken.records
    figures = {record.name: record.value for record in records}
    assert set(figures) == {
        "soak/rss_slope_kb_min",
        "soak/rss_slope_kb_min/without_shared",
        "soak/fd_growth",
        "soak/shm_growth",
        "soak/frames_lost",
        "soak/frames_dropped_share",
        "soak/p99_drift",
        "soak/two_hands_processed_share",
        "node/cores_busy_two_hands",
        "node/restart_s",
    }
    assert figures["soak/frames_lost"] == 0
    assert figures["soak/fd_growth"] <= 0
    assert figures["soak/shm_growth"] <= 0
    assert all(np.isfinite(value) for value in figures.values())
    assert 0.1 < figures["node/cores_busy_two_hands"] < 4.0
    assert (tmp_path / "soak.png").stat().st_size > 10_000
    said = capsys.readouterr().out
    assert "lost: none" in said
