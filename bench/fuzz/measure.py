"""Area ``fuzz``: any number of broken and sound messages, to which the node must react rightly."""

from __future__ import annotations

import time
from pathlib import Path

from tqdm import tqdm

from bench.fuzz.run import HANDS_EVERY, LONG, QUICK, Failure, FuzzRun
from bench.records import BrokenPromiseError, Record

SEED = 2026
MAX_FAILURES = 20
"""Number of failures after which the run ends."""
SHOWN = 5
MAX_GROWTH = 100.0
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
    with FuzzRun(SEED, log) as fuzz_run:
        for number in tqdm(range(events), unit=" events", disable=None):  # on a terminal only
            failures += fuzz_run.play(number)
            if len(failures) >= MAX_FAILURES:
                break
        failures += fuzz_run.settle()
        figures = fuzz_run.figures
    seconds = time.monotonic() - begin
    rows = figures.events // HANDS_EVERY
    growth = figures.memory[1] - figures.memory[0]
    if growth > MAX_GROWTH:
        failures.append(Failure(events, "all together", f"the node has grown by {growth:.0f} MB"))
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
        Record("fuzz/memory_growth_mb", growth, "MB", "the most that it may be", MAX_GROWTH),
        Record("fuzz/events_per_s", figures.events / seconds, "1/s", "a camera's rate", 30.0),
    ]
    (out / "fuzz_failures.txt").write_text("".join(f"{failure}\n" for failure in failures))
    if failures:
        first = "\n".join(f"  {failure}" for failure in failures[:SHOWN])
        raise BrokenPromiseError(
            f"{len(failures)} failures in {figures.events} events, the first being\n{first}\n"
            f"All are in {out / 'fuzz_failures.txt'}; to see one again: "
            f"python -m bench.fuzz {SEED} FIRST LAST",
            records,
        )
    return records
