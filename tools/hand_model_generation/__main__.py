"""The command ``python -m tools.hand_model_generation``, which generates the hand model.

Needs scikit-image and scipy, which nothing else of the package does.
"""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from tools.hand_model_generation.build import build

PACKAGED = Path(__file__).parents[2] / "hamer_ros" / "hand_model" / "data" / "hand.npz"


def main() -> None:
    """Build the model and write it."""
    parser = argparse.ArgumentParser(description="Generate the packaged hand model.")
    parser.add_argument("--output", type=Path, default=PACKAGED, help="the .npz file to write")
    parser.add_argument("--pkl", type=Path, help="also write a pickle as smplx.MANO reads it")
    arguments = parser.parse_args()
    fields: dict[str, Any] = build()
    np.savez_compressed(arguments.output, **fields)
    if arguments.pkl:
        with arguments.pkl.open("wb") as file:
            pickle.dump(fields, file, protocol=2)


if __name__ == "__main__":
    main()
