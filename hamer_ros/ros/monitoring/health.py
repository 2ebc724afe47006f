"""The health of the node as a level and a text, a function of its situation alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticStatus

from hamer_ros.ros.monitoring.observations import Observation
from hamer_ros.ros.monitoring.statistics import Flow

LONGEST_FRAME = 10.0
"""Seconds that one image may take; one that takes longer has probably stalled."""


_NO_FLOW = Flow()


@dataclass(frozen=True)
class Situation:
    """The facts that the node's health follows from.

    state: label of the lifecycle state.
    failure: why it could not be configured; empty otherwise.
    problem: the error of the models; empty without one.
    enabled: ~/enable lets images pass.
    topic: that of the images.
    silence: seconds without an image.
    silence_after: seconds without an image that are too many.
    why_silent: queries the graph; called only when it is silent, because that takes a while.
    under_way: seconds that the image under way has taken so far.
    flow: what becomes of the images.
    observations: what is odd at present.
    """

    state: str
    failure: str = ""
    problem: str = ""
    enabled: bool = True
    topic: str = ""
    silence: float = 0.0
    silence_after: float = math.inf
    why_silent: Callable[[], str] = str
    under_way: float = 0.0
    flow: Flow = _NO_FLOW
    observations: Sequence[Observation] = ()


def health(now: Situation) -> tuple[bytes, str]:
    """Return level and text of the status: ERROR where hands are wanted and none can come."""
    if now.state != "active":
        if now.failure:
            return DiagnosticStatus.ERROR, now.failure
        return DiagnosticStatus.WARN, f"not active, but {now.state}"
    errors = list(_errors(now))
    if errors:
        return DiagnosticStatus.ERROR, "; ".join(errors)
    odd = "; ".join(f"{seen.subject}: {seen.text}" for seen in now.observations)
    if not now.enabled:
        text = "switched off by ~/enable"
    elif now.flow.received == 0:
        text = f"no images on '{now.topic}' for {now.silence:.1f} s"
    else:
        rate = f"{now.flow.rate:.1f} frames/s"
        return (DiagnosticStatus.WARN, f"{rate}; {odd}") if odd else (DiagnosticStatus.OK, rate)
    return DiagnosticStatus.WARN, f"{text}; {odd}" if odd else text


def _errors(now: Situation) -> Iterator[str]:
    if now.silence > now.silence_after:
        yield f"no images on '{now.topic}' for {now.silence:.0f} s: {now.why_silent()}"
    if not now.enabled:
        return
    if now.problem:
        yield now.problem
    elif now.flow.is_refused:
        yield f"images arrive but none can be processed: {now.flow.why_refused}"
    if now.under_way > LONGEST_FRAME:
        yield f"an image has been under way for {now.under_way:.0f} s"
