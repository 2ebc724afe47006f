"""Area ``placement``: errors, covariances and times against bounds and other methods."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bench.placement_clip import measure_consistency
from bench.placement_depth import measure_depth
from bench.placement_peers import PEERS, Pose
from bench.placement_picture import draw
from bench.placement_scenes import CAMERAS, Errors, Scene, scenes
from bench.records import Record
from hamer_ros.geometry.rotations import log_so3, skew
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Frame, Handedness, PlacedHand
from hamer_ros.placement import placer
from hamer_ros.placement.placer import JOINT_SIGMA, ROTATION_SIGMA, Placer, pose_problem
from hamer_ros.placement.size import POPULATION_SIGMA, STATED_SIGMA, log_length, stated_size
from hamer_ros.placement.solver import solve

COUNT = 10_000
BATCH = 250
_OTHERS = ("translation_only", "sqpnp", "pnp")
WIDE_SIGMA = np.radians(60.0)
"""Standard deviation of a prior on the rotation that has next to no influence, radians."""
CHI2_6_95 = 12.591587243743977


@dataclass(frozen=True)
class PoseErrors:
    """Errors of wrist translation (N, 3) m and rotation (N, 3) rad, covariances (N, 6, 6)."""

    translation: np.ndarray
    rotation: np.ndarray
    covariance: np.ndarray

    @property
    def rms(self) -> float:
        """The root mean square of the translation's errors, metres."""
        return float(np.sqrt((self.translation**2).sum(1).mean()))

    @property
    def coverage(self) -> float:
        """The share of the 95 % ellipsoids that contain the truth."""
        error = np.concatenate([self.translation, self.rotation], axis=1)[..., None]
        distance2 = (error.transpose(0, 2, 1) @ np.linalg.solve(self.covariance, error)).ravel()
        return float((distance2 < CHI2_6_95).mean())


def measure_placement(out: Path) -> list[Record]:
    """Return all figures, of ``COUNT`` hands each, and write a picture, ``placement.png``."""
    _picture(out / "placement.png")
    return [
        *_bias(),
        *_against_the_bound(),
        *_with_priors(),
        *measure_depth(),
        *measure_consistency(),
        *_times(),
    ]


def _bias() -> list[Record]:
    records = []
    for low, high in itertools.pairwise((0, 15, 30, 45)):
        drawn = scenes(COUNT // 3, Errors(rotation=ROTATION_SIGMA), high, (low, high))
        measured = _solved(drawn, joint_sigma=0.0, rotation_sigma=WIDE_SIGMA)
        case = f"to_{high}_deg"
        worst = 1e3 * float(np.linalg.norm(measured.translation, axis=1).max())
        turned = np.degrees(float(np.linalg.norm(measured.rotation, axis=1).max()))
        reference = "the limit, of the worst hand"
        records.append(Record(f"placement/bias_mm/{case}", worst, "mm", reference, 0.05))
        records.append(Record(f"placement/bias_deg/{case}", turned, "deg", reference, 0.01))
    return records


def _against_the_bound() -> list[Record]:
    """Compare with the Cramer-Rao bound for pixel noise alone: pose free, joints exact."""
    records = []
    reference = "1 is the Cramer-Rao bound for the same hands"
    for pixel in (1.0, 2.0, 4.0):
        drawn = scenes(COUNT, Errors(pixel=pixel, rotation=ROTATION_SIGMA), 10 + int(pixel))
        measured = _solved(drawn, joint_sigma=0.0, rotation_sigma=WIDE_SIGMA)
        bound = _bounds(drawn, Errors(pixel=pixel, rotation=WIDE_SIGMA))
        name = f"{pixel:.0f}px"
        ratio, turn_ratio = _ratios(measured, bound)
        records.append(
            Record(f"placement/crlb_ratio/{name}/translation", ratio, "", reference, 1.0)
        )
        records.append(
            Record(f"placement/crlb_ratio/{name}/rotation", turn_ratio, "", reference, 1.0)
        )
        records.append(_coverage(name, measured))
    clean = _solved(scenes(COUNT, Errors(2.0, rotation=ROTATION_SIGMA), 20), 0.0, WIDE_SIGMA)
    with_outliers = _solved(
        scenes(COUNT, Errors(2.0, outliers=6, rotation=ROTATION_SIGMA), 20), 0.0, WIDE_SIGMA
    )
    records.append(
        Record(
            "placement/outlier_ratio",
            with_outliers.rms / clean.rms,
            "",
            "the limit; 1.18 is what six lost keypoints cost anybody",
            1.5,
        )
    )
    records.append(_coverage("outliers", with_outliers))
    return records


def _with_priors() -> list[Record]:
    """Compare the whole placer, and other methods, with everything uncertain, on the same hands."""
    records = []
    for name, size in (("unknown_size", POPULATION_SIGMA), ("known_size", STATED_SIGMA)):
        errors = Errors(2.0, 0, JOINT_SIGMA, size, ROTATION_SIGMA)
        drawn = scenes(COUNT, errors, 30)
        measured = _placed(drawn, size)
        bound = _bounds(drawn, errors)
        reference = "1 is the Bayesian bound of the same priors"
        ratio, _ = _ratios(measured, bound)
        records.append(Record(f"placement/bayes_ratio/{name}", ratio, "", reference, 1.0))
        records.append(_coverage(name, measured))
        floor = 1e3 * float(np.sqrt(np.trace(bound[:, :3, :3], axis1=1, axis2=2).mean()))
        ours = 1e3 * measured.rms
        figure = "placement/wrist_rms_mm"
        records.append(Record(f"{figure}/{name}/ours", ours, "mm", "the Bayesian bound", floor))
        for peer, method in PEERS.items():
            poses = [method(scene) for scene in tqdm(drawn, f"{name}: {peer}")]
            rms = 1e3 * _pose_errors(drawn, poses).rms
            records.append(Record(f"{figure}/{name}/{peer}", rms, "mm", "ours", ours))
    return records


def _picture(path: Path) -> None:
    """Draw errors of all methods over the distance from the optical axis, with known size."""
    degrees = (2.0, 10.0, 20.0, 30.0, 40.0)
    errors = Errors(2.0, 0, JOINT_SIGMA, 1e-3, ROTATION_SIGMA)
    rms: dict[str, list[float]] = {name: [] for name in ("weak_perspective", *_OTHERS, "ours")}
    rms["bound"] = []
    for degree in tqdm(degrees, "picture"):
        drawn = scenes(COUNT // 10, errors, 60, (degree - 2, degree + 2))
        rms["ours"].append(1e3 * _placed(drawn, errors.size).rms)
        bound = np.trace(_bounds(drawn, errors)[:, :3, :3], axis1=1, axis2=2)
        rms["bound"].append(1e3 * float(np.sqrt(bound.mean())))
        for name, method in PEERS.items():
            rms[name].append(1e3 * _pose_errors(drawn, [method(scene) for scene in drawn]).rms)
    draw(path, degrees, rms)


def _times() -> list[Record]:
    """Return the processor time of the placement per hand, against OpenCV's refined PnP."""
    errors = Errors(2.0, 0, JOINT_SIGMA, POPULATION_SIGMA, ROTATION_SIGMA)
    drawn = [s for s in scenes(3 * 64, errors, 40) if s.camera is CAMERAS[0]]
    peer = _processor_ms(lambda: [PEERS["pnp"](scene) for scene in drawn]) / len(drawn)
    records = []
    for batch in (1, 2, 8, 64):
        hands, frame = [s.hand for s in drawn[:batch]], _frame(drawn[0])
        own = Placer(HandModel.default().faces)
        ms = _processor_ms(partial(own.place, frame, hands)) / batch
        reference = "OpenCV's SQPnP and refinement, a hand"
        records.append(Record(f"placement/time_ms/batch_{batch}", ms, "ms", reference, peer))
    return records


def _processor_ms(work: Callable[[], object]) -> float:
    """Return the milliseconds of processor time, the least of some rounds."""
    times = []
    for _ in range(30):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return 1e3 * min(times)


def _solved(drawn: Sequence[Scene], joint_sigma: float, rotation_sigma: float) -> PoseErrors:
    """Return the errors of the solver alone, up to scale."""
    measured = []
    for camera, chosen in _by_camera(drawn):
        views, problem = pose_problem([scene.hand for scene in chosen], camera)
        problem = replace(problem, joint_sigma=joint_sigma, rotation_sigma=rotation_sigma)
        solution = solve(problem)
        poses = [placer.in_camera(views, solution, i) for i in range(len(chosen))]
        found = [(pose.rotation, pose.translation) for pose in poses]
        measured.append(_pose_errors(chosen, found, [pose.covariance for pose in poses]))
    return _joined(measured)


def _placed(drawn: Sequence[Scene], size_sigma: float) -> PoseErrors:
    """Return the errors of the whole placer, every hand on its own image."""
    own = Placer(HandModel.default().faces)
    measured = []
    for scene in drawn:
        # The best estimate of the hand's size is that of the estimator.
        size = stated_size(float(np.exp(log_length(scene.hand.joints))), size_sigma)
        own.lengths = dict.fromkeys(Handedness, size)
        own.reset()
        (placed,) = own.place(_frame(scene), [scene.hand])
        if not isinstance(placed, PlacedHand):
            raise RuntimeError(f"a hand was refused: {placed.reason}")
        measured.append(
            _pose_errors([scene], [(placed.rotation, placed.translation)], [placed.covariance])
        )
    return _joined(measured)


def _pose_errors(
    drawn: Sequence[Scene], poses: Sequence[Pose], covariances: Sequence[np.ndarray] = ()
) -> PoseErrors:
    rotation = np.stack(
        [pose[0] @ scene.rotation.T for pose, scene in zip(poses, drawn, strict=True)]
    )
    translation = np.stack([p[1] - s.joints[0] for p, s in zip(poses, drawn, strict=True)])
    covariance = np.stack(covariances) if covariances else np.empty((0, 6, 6))
    return PoseErrors(translation, log_so3(rotation), covariance)


def _joined(parts: Iterable[PoseErrors]) -> PoseErrors:
    parts = list(parts)
    return PoseErrors(
        *(np.concatenate([getattr(p, f) for p in parts]) for f in PoseErrors.__dataclass_fields__)
    )


def _bounds(drawn: Sequence[Scene], errors: Errors) -> np.ndarray:
    """Return the least covariance (N, 6, 6) of translation and rotation, from the truth alone.

    For the model u = pi(s R (X + e) + t) + n: joint errors e and pixel noise n make the covariance
    of a keypoint, rotation and size have their priors, and e_0 moves the wrist itself.
    """
    out = []
    for scene in drawn:
        _, slope = scene.camera.project_with_jacobian(scene.joints)
        offsets = scene.joints - scene.joints[0]
        noise = errors.pixel**2 * np.eye(2) + errors.joint**2 * slope @ slope.transpose(0, 2, 1)
        rows = np.concatenate([slope, -slope @ skew(offsets)], axis=2)
        information = np.linalg.inv(noise)
        fisher = (rows.transpose(0, 2, 1) @ information @ rows).sum(0)
        fisher[3:, 3:] += np.eye(3) / errors.rotation**2
        bound = np.linalg.inv(fisher)
        gain = bound @ rows[0].T @ information[0] @ slope[0]
        variance = errors.joint**2
        bound[:, :3] -= variance * gain
        bound[:3, :] -= variance * gain.T
        bound[:3, :3] += variance * np.eye(3)
        direction = np.concatenate([scene.joints[0], np.zeros(3)])
        out.append(bound + errors.size**2 * np.outer(direction, direction))
    return np.stack(out)


def _ratios(measured: PoseErrors, bound: np.ndarray) -> tuple[float, float]:
    """Return the rms error over the bound's, of translation and rotation."""
    diagonal = np.diagonal(bound, axis1=1, axis2=2)
    turn = float(np.sqrt((measured.rotation**2).sum(1).mean()))
    return (
        measured.rms / float(np.sqrt(diagonal[:, :3].sum(1).mean())),
        turn / float(np.sqrt(diagonal[:, 3:].sum(1).mean())),
    )


def _coverage(name: str, measured: PoseErrors) -> Record:
    reference = "what a 95 % ellipsoid should hold"
    return Record(f"placement/coverage/{name}", measured.coverage, "", reference, 0.95)


def _by_camera(drawn: Sequence[Scene]) -> Iterable[tuple]:
    for camera in CAMERAS:
        of_camera = [scene for scene in drawn if scene.camera is camera]
        for begin in range(0, len(of_camera), BATCH):
            yield camera, of_camera[begin : begin + BATCH]


def _frame(scene: Scene) -> Frame:
    black = np.broadcast_to(np.uint8(0), (scene.camera.height, scene.camera.width, 3))
    return Frame(black, 0.0, scene.camera)
