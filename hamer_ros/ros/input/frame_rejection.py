"""The error of an image that cannot be processed."""

from __future__ import annotations


class FrameRejectedError(Exception):
    """An image that cannot be processed.

    reason: a short constant text, under which diagnostics count it.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
