"""Area ``message``: building and serialising one HandMesh."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from geometry_msgs.msg import Point32, Polygon
from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from bench.records import Record
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward, relative_to_wrist
from hamer_ros.hands import (
    Detection,
    Hand,
    Handedness,
    PlacedHand,
    ScaleSource,
    TrackedHand,
    TrackState,
)
from hamer_ros.ros.output.messages import hand_mesh_array

REPEATS = 300


def measure_message(_: Path) -> list[Record]:
    """Measure one hand with its 778 vertices; the peer has a Python object per vertex."""
    model = HandModel.default()
    hand = _hand(model)
    header = Header(frame_id="camera_optical_frame")

    def ours() -> None:
        array = hand_mesh_array([hand], header, estimator="landmarks", model=model)
        serialize_message(array)

    def peer() -> None:
        points = [Point32(x=x, y=y, z=z) for x, y, z in hand.placed.vertices.tolist()]
        serialize_message(Polygon(points=points))

    return [
        Record(
            "message/build_serialize_us",
            _median_us(ours),
            "us",
            "geometry_msgs/Polygon of the vertices alone",
            _median_us(peer),
        )
    ]


def _median_us(work: Callable[[], None]) -> float:
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return 1e6 * float(np.median(times))


def _hand(model: HandModel) -> TrackedHand:
    """Return the model at rest, half a metre away."""
    skinned = relative_to_wrist(forward(model, np.tile(np.eye(3), (16, 1, 1)), np.zeros(10)))
    detection = Detection(np.zeros(4), Handedness.RIGHT, 1.0, 1.0, 1)
    hand = Hand(
        detection,
        np.eye(3),
        np.zeros((15, 3)),
        np.zeros(10),
        skinned.vertices,
        skinned.joints,
        np.zeros((21, 2)),
        np.ones(21),
    )
    where = np.array([0.0, 0.0, 0.5])
    placed = PlacedHand(hand, np.eye(3), where, np.eye(6), 1.0, ScaleSource.POPULATION_PRIOR, 1.0)
    return TrackedHand(placed, 1, TrackState.TRACKED, placed)
