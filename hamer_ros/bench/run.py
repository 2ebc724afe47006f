"""``hamer_ros bench``: run the measurements of one area or of all."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from hamer_ros.bench.records import BrokenPromiseError, Record, keep, table
from hamer_ros.errors import HamerRosError
from hamer_ros.nets.device import Device

AREAS = {
    "landmarks": "landmarks:measure_landmarks",
    "placement": "placement:measure_placement",
    "hamer": "hamer:measure_hamer",
    "tracks": "tracks:measure_tracks",
    "message": "message:measure_message",
    "decode": "decoding:measure_decoding",
    "node": "node:measure_node",
    "demo": "clip:measure_clip",
    "fuzz": "faults.measure:measure_fuzz",
    "soak": "soak.measure:measure_soak",
}
"""Area -> the module here and the function in it that measures; it may leave files in the folder
that it is given.  Modules are imported when their turn comes: some need ROS, one needs torch."""


@dataclass(frozen=True)
class Extent:
    """How much of the areas that go on as long as one likes.

    events: of the area fuzz.  minutes: of the area soak.
    """

    events: int = 10_000
    minutes: float = 2.0


def main(area: str | None, out: Path, device: str = "cpu", extent: Extent = Extent()) -> int:
    """Measure, print and keep; the exit status."""
    if area is not None and area not in AREAS:
        return _fail(f"no area is called '{area}'; there are: {', '.join(AREAS)}")
    try:
        where = Device.parse(device)
    except ValueError as error:
        return _fail(str(error))
    records: list[Record] = []
    broken: list[str] = []
    for name in AREAS if area is None else (area,):
        print(f"==> {name}", flush=True)
        try:
            measure = _measurement(name, where, extent)
        except ImportError as error:
            if area is not None:
                return _fail(f"area {name} cannot be measured here: {error}")
            print(f"left out: {error}")
            continue
        try:
            records += measure(out)
        except BrokenPromiseError as error:
            records += error.records
            broken.append(f"{name}: {error}")
        except HamerRosError as error:
            return _fail(str(error))
    keep(out / "bench.json", records)
    print(f"\n{table(records)}\n\nKept in {out / 'bench.json'}.")
    return _fail("\n".join(broken)) if broken else 0


def _measurement(area: str, device: Device, extent: Extent) -> Callable[[Path], list[Record]]:
    module, function = AREAS[area].split(":")
    measure = getattr(import_module(f"hamer_ros.bench.{module}"), function)
    arguments: dict[str, dict[str, Any]] = {
        "hamer": {"device": device},
        "fuzz": {"events": extent.events},
        "soak": {"minutes": extent.minutes},
    }
    return partial(measure, **arguments.get(area, {}))


def _fail(reason: str) -> int:
    print(f"hamer_ros: {reason}", file=sys.stderr)
    return 1
