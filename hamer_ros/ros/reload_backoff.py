"""The decision when failing models are loaded again, and when the node gives up.

A GPU runs out of memory, is reset, or falls off the bus: then every frame fails from one moment on.
Loading the models again repairs what a process can repair by itself.  Where a file, a parameter or
a package keeps the models from being loaded, a new process would do no better: then the node waits
for the person who repairs it.
"""

from __future__ import annotations

from hamer_ros.errors import DeviceError

FAILURES = 3
"""Consecutive frames that fail before the models are loaded again: a single one may be chance."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before the models are loaded again; doubled each time until a frame succeeds."""

ATTEMPTS = 6
"""Consecutive loadings that fail for the device, in about a minute, before the node gives up.  A
process that has lost its CUDA context never gets another; a new process does."""


class ReloadBackoff:
    """Counts failures and decides what is due; times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._due: float | None = None
        self._failed_loads = 0
        self.problem = ""
        """The error of the models; empty without one."""

    @property
    def is_broken(self) -> bool:
        """True if frames must wait until the models have been loaded again."""
        return self._due is not None

    @property
    def is_hopeless(self) -> bool:
        """True if the device has failed so often that only a new process may help."""
        return self._failed_loads >= ATTEMPTS

    def is_due(self, now: float) -> bool:
        """True if the models are to be loaded now."""
        return self._due is not None and now >= self._due

    def frame_succeeded(self) -> None:
        """Count a processed frame."""
        self._failures, self._pause, self.problem = 0, FIRST_PAUSE, ""

    def frame_failed(self, error: Exception, now: float) -> None:
        """Count a frame that failed for no fault of its image that is known."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._wait(f"{FAILURES} frames failed one after the other, the last with {error}", now)

    def loaded(self) -> None:
        """Count a successful loading; the next frames show whether it helped."""
        self._failures, self._failed_loads, self._due = 0, 0, None

    def loading_failed(self, error: Exception, now: float) -> None:
        """Count a failed loading; only a DeviceError is a reason to give up."""
        self._failed_loads = self._failed_loads + 1 if isinstance(error, DeviceError) else 0
        self._wait(f"the models cannot be loaded: {error}", now)

    def _wait(self, what: str, now: float) -> None:
        self._due = now + self._pause
        self.problem = f"{what}; loading the models again in {self._pause:.0f} s"
        self._pause = min(2.0 * self._pause, LONGEST_PAUSE)
