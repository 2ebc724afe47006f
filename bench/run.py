"""The areas of the benchmark, and the run of one of them or of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.records import BrokenPromiseError, Record, keep, table
from hamer_ros.errors import HamerRosError
from hamer_ros.inference.device import Device
from hamer_ros.program import fail

AREAS = {
    "landmarks": "landmarks:measure_landmarks",
    "placement": "placement:measure_placement",
    "hamer": "hamer:measure_hamer",
    "tracks": "tracks:measure_tracks",
    "message": "message:measure_message",
    "decode": "decoding:measure_decoding",
    "node": "node:measure_node",
    "demo": "demo:measure_clip",
    "fuzz": "fuzz.measure:measure_fuzz",
    "soak": "soak.measure:measure_soak",
}
"""Area -> module of this package and its measuring function, which may write files into the folder
that it is given.  Modules are imported when they are needed: some need ROS, one needs torch."""


@dataclass(frozen=True)
class Extent:
    """The extent of areas without a fixed one.

    events: number of events of the area fuzz.
    minutes: duration of the area soak.
    """

    events: int = 10_000
    minutes: float = 2.0


def run_areas(area: str | None, out: Path, device: str = "cpu", extent: Extent = Extent()) -> int:
    """Measure, print and keep the figures, and return the exit status."""
    if area is not None and area not in AREAS:
        return fail(f"no area is called '{area}'; there are: {', '.join(AREAS)}")
    try:
        where = Device.parse(device)
    except ValueError as error:
        return fail(str(error))
    records: list[Record] = []
    broken: list[str] = []
    for name in AREAS if area is None else (area,):
        print(f"==> {name}", flush=True)
        try:
            measure = _measurement(name, where, extent)
        except ImportError as error:
            if area is not None:
                return fail(f"area {name} cannot be measured here: {error}")
            print(f"left out: {error}")
            continue
        try:
            records += measure(out)
        except BrokenPromiseError as error:
            records += error.records
            broken.append(f"{name}: {error}")
        except HamerRosError as error:
            return fail(str(error))
    keep(out / "bench.json", records)
    print(f"\n{table(records)}\n\nKept in {out / 'bench.json'}.")
    return fail("\n".join(broken)) if broken else 0


def _measurement(area: str, device: Device, extent: Extent) -> Callable[[Path], list[Record]]:
    module, function = AREAS[area].split(":")
    measure = getattr(import_module(f"bench.{module}"), function)
    arguments: dict[str, dict[str, Any]] = {
        "hamer": {"device": device},
        "fuzz": {"events": extent.events},
        "soak": {"minutes": extent.minutes},
    }
    return partial(measure, **arguments.get(area, {}))
