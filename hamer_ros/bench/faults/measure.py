"""Area ``fuzz``: broken and sound messages without end, and nothing that the node may not do."""

from __future__ import annotations

import time
from pathlib import Path

from tqdm import tqdm

from hamer_ros.bench.faults.campaign import HANDS_EVERY, LONG, QUICK, Campaign, Failure
from hamer_ros.bench.records import BrokenPromiseError, Record

SEED = 2026
TOLERATED = 20
"""Failures after which it is no use to go on."""
SHOWN = 5
GROWTH = 100.0
"""Megabytes by which the node may grow from its first episode to its last."""


def measure_fuzz(out: Path, events: int) -> list[Record]:
    """Send events; failures are kept in ``fuzz_failures.txt``, the node's log in ``fuzz.log``.

    Raises:
        BrokenPromiseError: there were failures.
    """
    out.mkdir(parents=True, exist_ok=True)
    log = out / "fuzz.log"
    log.write_text("")
    failures: list[Failure] = []
    begin = time.monotonic()
    with Campaign(SEED, log) as campaign:
        for number in tqdm(range(events), unit=" events", disable=None):  # on a terminal only
            failures += campaign.play(number)
            if len(failures) >= TOLERATED:
                break
        failures += campaign.settle()
        figures = campaign.figures
    seconds = time.monotonic() - begin
    rows = figures.events // HANDS_EVERY
    grown = figures.memory[1] - figures.memory[0]
    if grown > GROWTH:
        failures.append(Failure(events, "all together", f"the node has grown by {grown:.0f} MB"))
    records = [
        Record("fuzz/events", figures.events, "", "those asked for", events),
        Record("fuzz/failures", len(failures), "", "what is right", 0),
        Record("fuzz/processed", figures.processed, "", "events", figures.events),
        Record("fuzz/hands_followed", figures.found, "", "times that they had to be", rows),
        Record(
            "fuzz/longest_processing_ms",
            1e3 * figures.longest,
            "ms",
            "the longest that it may take",
            1e3 * LONG,
        ),
        Record(
            "fuzz/slowest_rejection_ms",
            1e3 * figures.slowest,
            "ms",
            "the longest that it may take",
            1e3 * QUICK,
        ),
        Record(
            "fuzz/slowest_rejection_ms/first",
            1e3 * figures.stall,
            "ms",
            "the least of three times",
            1e3 * figures.slowest,
        ),
        Record("fuzz/memory_growth_mb", grown, "MB", "the most that it may be", GROWTH),
        Record("fuzz/events_per_s", figures.events / seconds, "1/s", "a camera's rate", 30.0),
    ]
    (out / "fuzz_failures.txt").write_text("".join(f"{failure}\n" for failure in failures))
    if failures:
        first = "\n".join(f"  {failure}" for failure in failures[:SHOWN])
        raise BrokenPromiseError(
            f"{len(failures)} failures in {figures.events} events, the first being\n{first}\n"
            f"All are in {out / 'fuzz_failures.txt'}; to see one again: "
            f"python -m hamer_ros.bench.faults {SEED} FIRST LAST",
            records,
        )
    return records
