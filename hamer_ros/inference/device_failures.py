"""Tell a GPU that fails from everything else that goes wrong with a model.

torch and onnxruntime raise RuntimeErrors for all of it.  Only a GPU that fails is a reason to load
the models again and, in the end, to begin with a new process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from hamer_ros.errors import DeviceError, HamerRosError

_CLASSES = {"OutOfMemoryError", "AcceleratorError"}
"""Names of torch's own classes of such errors; torch need not be installed."""

_TEXTS = re.compile(
    r"CUDA (driver |runtime )?(error|failure|out of memory|unknown error|initialization)"
    r"|CUDNN failure|cuDNN error|CUBLAS failure|CUFFT failure|CURAND failure|NVRTC|NVML"
    r"|(CUDNN|CUBLAS|CUSOLVER|CUSPARSE|CUFFT|CURAND)(LT)?_STATUS_"
    r"|cudaError|cuInit|No CUDA GPUs|no NVIDIA driver|previous error during capture"
    r"|Failed to allocate memory for requested buffer|TensorRT EP (failed|execution)"
)


def is_device_failure(error: BaseException | None) -> bool:
    """True if the GPU was the cause of an error, or of one that led to it."""
    while error is not None:
        names = {cls.__name__ for cls in type(error).__mro__ if cls.__module__.startswith("torch")}
        if isinstance(error, DeviceError) or names & _CLASSES or _TEXTS.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def device_errors() -> Iterator[None]:
    """Turn the errors by which a GPU fails into DeviceError; all others pass."""
    try:
        yield
    except HamerRosError:
        raise
    except Exception as error:
        if is_device_failure(error):
            raise DeviceError(str(error)) from error
        raise
