"""When the models are loaded again because frames fail.

A GPU runs out of memory, is reset, or falls off the bus: then every frame fails from one moment on.
Loading anew puts right what a process can put right by itself.  Where it is a file, a parameter or
a package that keeps the models from being loaded, a new process would do no better: then the person
who puts it right is waited for.
"""

from __future__ import annotations

from hamer_ros.errors import DeviceError

FAILURES = 3
"""Frames in a row that fail before the models are loaded again: one may be an accident."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before the models are loaded again; doubled each time until a frame succeeds."""

ATTEMPTS = 6
"""Loadings in a row that fail for the device, in about a minute, before the node gives up.  A
process that has lost its CUDA context never gets another; a new process does."""


class Repair:
    """Counts failures and says what is due; times are in seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._due: float | None = None
        self._in_vain = 0
        self.trouble = ""
        """What is wrong, in words; empty while all is well."""

    @property
    def is_broken(self) -> bool:
        """Whether frames must wait until the models have been loaded again."""
        return self._due is not None

    @property
    def is_hopeless(self) -> bool:
        """Whether the device has failed so often that only a new process may help."""
        return self._in_vain >= ATTEMPTS

    def is_due(self, now: float) -> bool:
        """Whether to load the models now."""
        return self._due is not None and now >= self._due

    def frame_succeeded(self) -> None:
        """A frame was processed."""
        self._failures, self._pause, self.trouble = 0, FIRST_PAUSE, ""

    def frame_failed(self, error: Exception, now: float) -> None:
        """A frame failed, for no fault of its image that is known."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._wait(f"{FAILURES} frames failed one after the other, the last with {error}", now)

    def loaded(self) -> None:
        """The models have been loaded again; whether frames succeed will be seen."""
        self._failures, self._in_vain, self._due = 0, 0, None

    def loading_failed(self, error: Exception, now: float) -> None:
        """The models could not be loaded; only a DeviceError is a reason to give up."""
        self._in_vain = self._in_vain + 1 if isinstance(error, DeviceError) else 0
        self._wait(f"the models cannot be loaded: {error}", now)

    def _wait(self, what: str, now: float) -> None:
        self._due = now + self._pause
        self.trouble = f"{what}; loading the models again in {self._pause:.0f} s"
        self._pause = min(2.0 * self._pause, LONGEST_PAUSE)
