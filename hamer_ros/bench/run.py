"""``hamer_ros bench``: run the measurements of one area or of all."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from hamer_ros.bench.clip import measure_clip
from hamer_ros.bench.landmarks import measure_landmarks
from hamer_ros.bench.message import measure_message
from hamer_ros.bench.node import measure_node
from hamer_ros.bench.records import Record, keep, table

AREAS: dict[str, Callable[[Path], list[Record]]] = {
    "landmarks": measure_landmarks,
    "message": measure_message,
    "node": measure_node,
    "demo": measure_clip,
}
"""Area -> its measurements; they may leave files in the folder given."""


def main(area: str | None, out: Path) -> int:
    """Measure, print and keep; the exit status."""
    if area is not None and area not in AREAS:
        print(
            f"hamer_ros: no area is called '{area}'; there are: {', '.join(AREAS)}", file=sys.stderr
        )
        return 1
    records = []
    for name in AREAS if area is None else (area,):
        print(f"==> {name}", flush=True)
        records += AREAS[name](out)
    keep(out / "bench.json", records)
    print(f"\n{table(records)}\n\nKept in {out / 'bench.json'}.")
    return 0
