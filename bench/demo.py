"""Area ``demo``: the whole graph on the rendered clip, over real DDS."""

from __future__ import annotations

import json
from pathlib import Path

from bench.records import Record
from hamer_ros.demo.report import LEAST_FOUND, MEAN_PA_LIMIT, PA_LIMIT
from hamer_ros.demo.run import Request, run_demo
from hamer_ros.rendering.clip import FRAME_RATE


def measure_clip(out: Path) -> list[Record]:
    """Run the demo and return the figures of its report."""
    run_demo(Request(None, None, None, None, out))
    report = json.loads((out / "report.json").read_text())
    accuracy = report["accuracy"]
    limit, period = "the demo's limit", 1e3 / FRAME_RATE
    reference = f"the time between two images at {FRAME_RATE:.0f} Hz"
    return [
        Record("demo/found_share", accuracy["found"], "", limit, LEAST_FOUND),
        Record("demo/pa_mpjpe_mm", accuracy["pa_mpjpe_mean"], "mm", limit, MEAN_PA_LIMIT),
        Record("demo/pa_mpjpe_mm/max", accuracy["pa_mpjpe_max"], "mm", limit, PA_LIMIT),
        Record("node/latency_p50_ms", report["latency_p50"], "ms", reference, period),
        Record("node/latency_p99_ms", report["latency_p99"], "ms", reference, period),
        Record("node/cpu_ms_per_frame/two_hands", report["cpu_per_frame"], "ms", reference, period),
    ]
