"""``python -m hamer_ros.bench.faults SEED FIRST [LAST]``: play some events of a seed again."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from hamer_ros.bench.faults.campaign import Campaign


def main(seed: int, first: int, last: int) -> int:
    """Print the failures; the exit status tells whether there were any."""
    log = Path(tempfile.mkdtemp()) / "fuzz.log"
    with Campaign(seed, log) as campaign:
        failures = [failure for n in range(first, last + 1) for failure in campaign.play(n)]
        failures += campaign.settle()
    print("\n".join(map(str, failures)) or "no failures", f"the node's log: {log}", sep="\n")
    return bool(failures)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main(numbers[0], numbers[1], numbers[-1]))
