"""The path of the exported network and the names in it, known without torch and onnx."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hamer_ros.inference.model_store import cache_folder

INPUT = "crops"
OUTPUTS = ("global_orient", "hand_pose", "betas", "camera")
"""Names in the file; the outputs are the fields of `HamerOutput`."""
METADATA = "hamer_ros.precision"
"""Key of the metadata that holds the file's precision."""
EXPORT_COMMAND = "hamer_ros export"

_BLOCK = 1 << 22


def exported_path(checkpoint: Path, precision: str) -> Path:
    """The path to which `hamer_ros export` writes a checkpoint, by its content.

    A copy of the checkpoint has the same path.

    Raises:
        FileNotFoundError: there is no such checkpoint.
    """
    digest = hashlib.sha256()
    with checkpoint.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return cache_folder() / "hamer" / f"{digest.hexdigest()[:16]}-{precision}" / "hamer.onnx"
