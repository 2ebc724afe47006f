"""Peak memory of loading a HaMeR checkpoint, measured in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from bench.records import Record
from hamer_ros.hamer.network import HamerNetwork

_OURS = """
from hamer_ros.hamer.checkpoint import load_network
network = load_network(path)
"""
_PLAIN = """
from hamer_ros.hamer.network import HamerConfig, HamerNetwork
network = HamerNetwork(HamerConfig())
network.load_state_dict(torch.load(path)["state_dict"])
"""
_PROGRAM = """
import sys
import torch
import hamer_ros.hamer.checkpoint
path = sys.argv[1]
def peak():
    status = open("/proc/self/status").read()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])
before = peak()
{load}
with torch.inference_mode():
    network(torch.zeros(1, 3, 256, 256))
print(peak() - before)
"""


def measure_load(out: Path, network: HamerNetwork) -> list[Record]:
    """Return the peak memory of loading and running in fp32, in sizes of the weights; Linux only.

    The reference is plain torch.load and load_state_dict.
    """
    if not Path("/proc/self/status").exists():
        return []
    size = sum(4 * value.numel() for value in network.state_dict().values())
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        path = Path(folder, "hamer.ckpt")
        torch.save({"state_dict": network.state_dict()}, path)
        ours, plain = (_peak(program, path) / size for program in (_OURS, _PLAIN))
    return [Record("hamer/load_peak_ratio", ours, "x", "torch.load and load_state_dict", plain)]


def _peak(load: str, path: Path) -> int:
    command = [sys.executable, "-c", _PROGRAM.format(load=load), str(path)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
