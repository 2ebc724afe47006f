"""The command ``python -m bench``: measures rate, latency and accuracy."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from hamer_ros.interrupt import quiet, quiet_while_starting
from hamer_ros.program import add_out, fail, positive, run_program

_OF_ONE_AREA = {"device": "hamer", "events": "fuzz", "minutes": "soak"}
"""Options that only one area has."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and return the exit status, see `run_program`."""
    return run_program(_parser(), _run, arguments)


def _run(options: argparse.Namespace) -> int:
    for option, area in _OF_ONE_AREA.items():
        if getattr(options, option) is not None and options.area not in (None, area):
            return fail(f"--{option} is of the area {area}, not of {options.area}")
    options.out.mkdir(parents=True, exist_ok=True)  # fail early
    with quiet():
        from bench.run import Extent, run_areas  # noqa: PLC0415 - `--help` needs neither

    default = Extent()
    extent = Extent(
        default.events if options.events is None else options.events,
        default.minutes if options.minutes is None else options.minutes,
    )
    return run_areas(options.area, options.out, options.device or "cpu", extent)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure rate, latency and accuracy.  Each figure stands beside a peer or a "
        "bound that was measured in the same run, and is kept in bench.json.",
    )
    parser.add_argument("--area", help="measure this area only (default: all)")
    parser.add_argument(
        "--device", help="where the area hamer runs its network: cpu, cuda or cuda:N (default: cpu)"
    )
    parser.add_argument(
        "--events",
        type=int,
        metavar="N",
        help="how many broken and sound messages the area fuzz sends (default: 10000)",
    )
    parser.add_argument(
        "--minutes", type=positive, metavar="M", help="how long the area soak runs (default: 2)"
    )
    add_out(parser)
    return parser


if __name__ == "__main__":
    quiet_while_starting()
    sys.exit(main())
