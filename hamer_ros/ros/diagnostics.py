"""What the node tells /diagnostics once a second."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from hamer_ros.ros.observations import Observation
from hamer_ros.ros.statistics import Flow

LONGEST_FRAME = 10.0
"""Seconds that one image may take; what takes longer has probably come to a stop."""


_NO_FLOW = Flow()


@dataclass(frozen=True)
class Situation:
    """What the node's health is told from.

    state: label of the lifecycle state.
    failure: why it could not be configured; empty otherwise.
    trouble: what is wrong with the models, in words; empty while all is well.
    enabled: whether ~/enable lets images pass.
    topic: of the images.
    silence, silence_after: seconds without an image, and how many are too many.
    why_silent: asks the graph; only when it is silent, for it takes a while.
    under_way: seconds that the image under way has taken so far.
    flow: what becomes of the images.
    observations: what is odd at present.
    """

    state: str
    failure: str = ""
    trouble: str = ""
    enabled: bool = True
    topic: str = ""
    silence: float = 0.0
    silence_after: float = math.inf
    why_silent: Callable[[], str] = str
    under_way: float = 0.0
    flow: Flow = _NO_FLOW
    observations: Sequence[Observation] = ()


def health(now: Situation) -> tuple[bytes, str]:
    """Level and text of the node's status: an ERROR is where hands are wanted and none can come."""
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
    if now.trouble:
        yield now.trouble
    elif now.flow.is_refused:
        yield f"images arrive but none can be processed: {now.flow.why_refused}"
    if now.under_way > LONGEST_FRAME:
        yield f"an image has been under way for {now.under_way:.0f} s"


def odd_values(observations: Sequence[Observation], now: float) -> dict[str, str]:
    """What is odd, for how long and how often; now: monotonic seconds."""
    return {
        f"odd: {seen.subject}": f"{seen.text} ({seen.count} x in {now - seen.since:.0f} s)"
        for seen in observations
    }


def status(name: str, level: bytes, message: str, values: dict[str, str]) -> DiagnosticStatus:
    """One DiagnosticStatus."""
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    return DiagnosticStatus(level=level, name=name, message=message, hardware_id="", values=pairs)
