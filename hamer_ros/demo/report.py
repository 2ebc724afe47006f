"""The figures of one run of the demo, their limits, and the report in text and JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hamer_ros.demo.accuracy import FrameErrors, frame_errors
from hamer_ros.demo.frame_stack import path_in_errors
from hamer_ros.demo.records import Recording, SeenFrame, SeenTransform, SentFrame
from hamer_ros.rendering.clip import HandTruth

LEAST_FOUND = 0.98
"""Least share of the clip's hands that must be found, and of those with the right handedness."""

MEAN_PA_LIMIT = 7.0
PA_LIMIT = 15.0
"""Limits in millimetres of the mean and of every single PA-MPJPE on the clip."""


@dataclass(frozen=True)
class Accuracy:
    """The comparison of the hands with a known truth; lengths in millimetres, shares from 0 to 1.

    hands: number of true hands in the processed frames.
    found: share of those that were found.
    handedness_right: share of the found ones with the right handedness.
    invented: number of received hands that do not exist.
    pa_mpjpe_mean, pa_mpjpe_max, mpjpe_mean, mpjpe_before: None when no hand was found.
    """

    hands: int
    found: float
    handedness_right: float
    invented: int
    pa_mpjpe_mean: float | None
    pa_mpjpe_max: float | None
    mpjpe_mean: float | None
    mpjpe_before: float | None


@dataclass(frozen=True)
class Report:
    """The figures of one run.

    source, camera: the played source and its intrinsics, for people.
    max_hands: number of hands that are followed at most.
    sent, processed: numbers of frames.
    with_hands: processed frames with at least one hand.
    hands: number of hands in all of them.
    most_hands: number of hands in one frame at most.
    finite: every number of every message is finite.
    latency_p50, latency_p99: milliseconds from the image's stamp to the message; None without any.
    cpu_per_frame: milliseconds of processor time of the node for a processed frame.
    tf_complete: processed frames with hands whose every wrist is on /tf at the image's stamp.
    topology, overlay, markers: they were received.
    accuracy: None where there is no truth.
    """

    source: str
    camera: str
    max_hands: int
    estimator: str
    sent: int
    processed: int
    with_hands: int
    hands: int
    most_hands: int
    finite: bool
    latency_p50: float | None
    latency_p99: float | None
    cpu_per_frame: float | None
    tf_complete: int
    topology: bool
    overlay: bool
    markers: bool
    accuracy: Accuracy | None

    @property
    def dropped(self) -> int:
        """The number of frames that were sent but never answered."""
        return self.sent - self.processed


@dataclass(frozen=True)
class MatchedFrame:
    """A frame that was sent and its result, None when it was dropped."""

    index: int
    seen: SeenFrame | None


def match(sent: Sequence[SentFrame], recording: Recording) -> tuple[MatchedFrame, ...]:
    """Return the frames that were sent with their messages, matched by stamp."""
    by_stamp = {frame.stamp: frame for frame in recording.frames}
    return tuple(MatchedFrame(frame.index, by_stamp.get(frame.stamp)) for frame in sent)


def errors_of(
    frames: Sequence[MatchedFrame], truths: Sequence[Sequence[HandTruth]]
) -> dict[int, FrameErrors]:
    """Return index -> errors of each processed frame; ``truths[i]`` are the hands of frame i."""
    return {
        frame.index: frame_errors(frame.index, frame.seen.hands, truths[frame.index])
        for frame in frames
        if frame.seen is not None
    }


def summarise(
    source: str,
    camera: str,
    max_hands: int,
    frames: Sequence[MatchedFrame],
    recording: Recording,
    cpu_seconds: float,
    errors: dict[int, FrameErrors] | None,
) -> Report:
    """Return the figures of a run.

    max_hands: number of hands that the node follows at most.
    cpu_seconds: processor time of the node while the frames were played.
    errors: from `errors_of`, or None where there is no truth.
    """
    seen = [frame.seen for frame in frames if frame.seen is not None]
    with_hands = [frame for frame in seen if frame.hands]
    latency = [1e3 * frame.latency for frame in seen]
    transforms: dict[int, list[SeenTransform]] = {}
    for transform in recording.transforms:
        transforms.setdefault(transform.stamp, []).append(transform)
    return Report(
        source=source,
        camera=camera,
        max_hands=max_hands,
        estimator=recording.estimator,
        sent=len(frames),
        processed=len(seen),
        with_hands=len(with_hands),
        hands=sum(len(frame.hands) for frame in seen),
        most_hands=max((len(frame.hands) for frame in seen), default=0),
        finite=all(hand.finite for frame in seen for hand in frame.hands),
        latency_p50=float(np.percentile(latency, 50)) if latency else None,
        latency_p99=float(np.percentile(latency, 99)) if latency else None,
        cpu_per_frame=1e3 * cpu_seconds / len(seen) if seen else None,
        tf_complete=sum(_is_on_tf(frame, transforms.get(frame.stamp, [])) for frame in with_hands),
        topology=bool(recording.faces),
        overlay=recording.overlay is not None,
        markers=recording.markers is not None,
        accuracy=None if errors is None else _accuracy(errors),
    )


def failures(report: Report) -> list[str]:
    """Return the reasons why a run failed; empty if it did not."""
    if report.processed == 0:
        return [f"none of the {report.sent} frames was processed"]
    reasons = []
    if not report.finite:
        reasons.append("messages hold numbers that are not finite")
    if not report.topology:
        reasons.append("no topology came")
    if not report.overlay:
        reasons.append("no overlay came")
    if not report.markers:
        reasons.append("no markers came")
    if report.tf_complete < report.with_hands:
        reasons.append(
            f"only {report.tf_complete} of {report.with_hands} frames with hands have all their "
            "wrists on /tf"
        )
    if report.accuracy is not None:
        reasons += _inaccuracies(report.accuracy)
    return reasons


def write_json(path: Path, report: Report, reasons: Sequence[str]) -> None:
    """Write all figures, and the reasons for which the run failed."""
    content = {**dataclasses.asdict(report), "dropped": report.dropped, "failures": list(reasons)}
    with path_in_errors(path):
        path.write_text(json.dumps(content, indent=2) + "\n")


def table(report: Report) -> str:
    """Return the figures for people, one a line."""
    rows = [
        ("played", report.source),
        ("camera", report.camera),
        ("estimator", report.estimator or "-"),
        (
            "frames",
            f"{report.sent} sent, {report.processed} processed, {report.dropped} dropped",
        ),
        (
            "hands",
            f"{report.hands}, in {report.with_hands} frames" if report.hands else "none were found",
        ),
    ]
    if report.most_hands >= report.max_hands:
        rows.append(
            ("", f"{report.max_hands} at once, the most that are followed: there may be more")
        )
    if report.accuracy is not None:
        rows += _accuracy_rows(report.accuracy)
    rows += [
        (
            "latency",
            f"p50 {_number(report.latency_p50)} ms, p99 {_number(report.latency_p99)} ms, "
            "from the image's stamp to the client",
        ),
        ("CPU", f"{_number(report.cpu_per_frame)} ms of the node for a frame"),
        ("/tf", f"complete in {report.tf_complete} of {report.with_hands} frames with hands"),
        (
            "also came",
            ", ".join(n for n in ("topology", "overlay", "markers") if getattr(report, n)) or "-",
        ),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)


def _is_on_tf(frame: SeenFrame, transforms: Sequence[SeenTransform]) -> bool:
    """True if each wrist has a transform of this stamp, under a name of its own."""
    if len({transform.child for transform in transforms}) < len(frame.hands):
        return False
    poses = [np.concatenate([t.translation, t.rotation]) for t in transforms]
    return all(any(np.allclose(hand.wrist, pose) for pose in poses) for hand in frame.hands)


def _accuracy(errors: dict[int, FrameErrors]) -> Accuracy:
    found = [error for frame in errors.values() for error in frame.found]
    hands = len(found) + sum(frame.missed for frame in errors.values())
    pa = [error.pa_mpjpe for error in found]
    return Accuracy(
        hands=hands,
        found=len(found) / hands if hands else 0.0,
        handedness_right=sum(error.handedness_right for error in found) / len(found)
        if found
        else 0.0,
        invented=sum(frame.invented for frame in errors.values()),
        pa_mpjpe_mean=float(np.mean(pa)) if found else None,
        pa_mpjpe_max=float(np.max(pa)) if found else None,
        mpjpe_mean=float(np.mean([error.mpjpe for error in found])) if found else None,
        mpjpe_before=float(np.mean([e.mpjpe_before for e in found])) if found else None,
    )


def _inaccuracies(accuracy: Accuracy) -> list[str]:
    if accuracy.pa_mpjpe_mean is None or accuracy.pa_mpjpe_max is None:
        return ["no hand of the clip was found"]
    reasons = []
    if accuracy.found < LEAST_FOUND:
        reasons.append(
            f"{100 * accuracy.found:.1f} % of the hands were found, less than "
            f"{100 * LEAST_FOUND:.0f} %"
        )
    if accuracy.handedness_right < LEAST_FOUND:
        reasons.append(
            f"{100 * accuracy.handedness_right:.1f} % of the hands have the right side, less than "
            f"{100 * LEAST_FOUND:.0f} %"
        )
    if accuracy.invented > (1 - LEAST_FOUND) * accuracy.hands:
        reasons.append(f"{accuracy.invented} hands were found where there are none")
    # Not "greater than", so that a value that is not a number fails as well.
    if not accuracy.pa_mpjpe_mean <= MEAN_PA_LIMIT:
        reasons.append(
            f"PA-MPJPE is {accuracy.pa_mpjpe_mean:.1f} mm in the mean, more than "
            f"{MEAN_PA_LIMIT:.0f} mm"
        )
    if not accuracy.pa_mpjpe_max <= PA_LIMIT:
        reasons.append(
            f"PA-MPJPE is {accuracy.pa_mpjpe_max:.1f} mm at worst, more than {PA_LIMIT:.0f} mm"
        )
    return reasons


def _accuracy_rows(accuracy: Accuracy) -> list[tuple[str, str]]:
    return [
        (
            "found",
            f"{100 * accuracy.found:.1f} % of {accuracy.hands} true hands, "
            f"{accuracy.invented} where there are none",
        ),
        ("handedness", f"{100 * accuracy.handedness_right:.1f} % right"),
        (
            "PA-MPJPE",
            f"mean {_number(accuracy.pa_mpjpe_mean)} mm, max {_number(accuracy.pa_mpjpe_max)} mm",
        ),
        (
            "MPJPE",
            f"mean {_number(accuracy.mpjpe_mean)} mm in the camera's frame; "
            f"{_number(accuracy.mpjpe_before)} mm by HaMeR's formula",
        ),
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
