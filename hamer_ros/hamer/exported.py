"""Where the exported network lies and what it says of itself: known without torch and onnx."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hamer_ros.nets.store import cache_folder

INPUT = "crops"
OUTPUTS = ("global_orient", "hand_pose", "betas", "camera")
"""Names in the file; the outputs are the fields of `HamerOutput`."""
METADATA = "hamer_ros.precision"
"""Under which the file tells its precision."""
EXPORT_COMMAND = "hamer_ros export"

_BLOCK = 1 << 22


def exported_path(checkpoint: Path, precision: str) -> Path:
    """Where `hamer_ros export` puts a checkpoint, by its content: a copy finds the same file.

    Raises FileNotFoundError.
    """
    digest = hashlib.sha256()
    with checkpoint.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return cache_folder() / "hamer" / f"{digest.hexdigest()[:16]}-{precision}" / "hamer.onnx"
