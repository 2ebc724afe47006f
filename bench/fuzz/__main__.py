"""The command ``python -m bench.fuzz SEED FIRST [LAST]``: plays some events of a seed again."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.fuzz.run import FuzzRun


def main(seed: int, first: int, last: int) -> int:
    """Print the failures and return the exit status, 1 if there were any."""
    log = Path(tempfile.mkdtemp()) / "fuzz.log"
    with FuzzRun(seed, log) as fuzz_run:
        failures = [failure for n in range(first, last + 1) for failure in fuzz_run.play(n)]
        failures += fuzz_run.settle()
    print("\n".join(map(str, failures)) or "no failures", f"the node's log: {log}", sep="\n")
    return bool(failures)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main(numbers[0], numbers[1], numbers[-1]))
