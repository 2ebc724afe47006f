"""A stack of frames in an .npy file, which keeps rendered frames until they are played."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np


def write_stack(
    path: Path, n_frames: int, frames: Iterable[np.ndarray], progress: Callable[[int], object]
) -> None:
    """Write frames, (H, W, 3) uint8 each, into an .npy file of (n_frames, H, W, 3).

    progress: called with the number of frames that have been added.

    Not through a memory map: where the disk is full, writing into one kills the process.

    Raises:
        OSError: the disk is full, for example.
    """
    with path_in_errors(path), path.open("wb") as file:
        for index, rgb in enumerate(frames):
            if index == 0:
                shape = (n_frames, *rgb.shape)
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(rgb).data)
            progress(1)


@contextmanager
def path_in_errors(path: Path) -> Iterator[None]:
    """Add the path to errors of writing a file, which do not name it by themselves.

    Raises:
        OSError: with the path.
    """
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
