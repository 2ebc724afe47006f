"""Tracks as clients of the node see them: states, raw hands beside smoothed ones, live options."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

from node_harness import EMPTY, HANDS
from rclpy.parameter import Parameter

from hamer_ros.msg import HandMesh, HandMeshArray

pytestmark = pytest.mark.usefixtures("models")


def see_two_hands(harness) -> None:
    harness.hands().clear()

    def seen() -> bool:
        return sum(len(array.hands) == 2 for array in harness.hands()) >= 4

    assert harness.show(HANDS.rgb, harness.info(), seen)


def test_hands_that_vanish_are_predicted_then_lost_once_then_gone(harness):
    harness.node.set_parameters([Parameter("coast_time", value=0.35)])
    harness.node.start()
    see_two_hands(harness)
    ids = {mesh.track_id for mesh in harness.hands()[-1].hands}
    harness.hands().clear()
    harness.heard["/tf"].clear()

    def is_over() -> bool:
        return bool(harness.hands()) and not harness.hands()[-1].hands

    assert harness.show(EMPTY, harness.info(), is_over)
    after = [a for a in harness.hands() if not any(m.track_state < 3 for m in a.hands)]
    for track in ids:
        meshes = [mesh for array in after for mesh in array.hands if mesh.track_id == track]
        assert [m.track_state for m in meshes].count(HandMesh.LOST) == 1
        assert meshes[-1].track_state == HandMesh.LOST
        assert all(m.track_state == HandMesh.COASTED for m in meshes[:-1])
        assert all(not np.any(m.keypoint_scores) for m in meshes)
        spread = [m.wrist.covariance[0] for m in meshes]
        assert spread == sorted(spread)
        assert spread[-1] > spread[0]
    stamps = {(t.header.stamp.sec, t.header.stamp.nanosec) for a in harness.heard["/tf"]
              for t in a.transforms}  # fmt: skip
    assert not stamps & {(a.header.stamp.sec, a.header.stamp.nanosec) for a in after}


def pairs(harness) -> list[tuple[HandMesh, HandMesh]]:
    """The same hand in the same image, smoothed and raw."""
    raw = {
        (a.header.stamp.sec, a.header.stamp.nanosec, m.track_id): m
        for a in harness.heard["/hamer/hands_raw"]
        for m in a.hands
    }
    found = []
    for array in harness.hands():
        for mesh in array.hands:
            key = (array.header.stamp.sec, array.header.stamp.nanosec, mesh.track_id)
            if key in raw:
                found.append((mesh, raw[key]))
    return found


def differences(harness) -> list[float]:
    return [float(np.abs(smooth.joints - raw.joints).max()) for smooth, raw in pairs(harness)]


def test_raw_hands_stand_beside_smoothed_ones_and_smoothing_goes_off_at_once(harness):
    harness.listen(HandMeshArray, "/hamer/hands_raw")
    harness.node.start()
    see_two_hands(harness)
    # The first fits of a hand are not yet those of the later ones, although the image is the same.
    assert harness.show(
        HANDS.rgb, harness.info(), lambda: any(d > 1e-5 for d in differences(harness))
    )
    harness.node.set_parameters([Parameter("smoothing", value=False)])
    see_two_hands(harness)
    harness.hands().clear()
    harness.heard["/hamer/hands_raw"].clear()
    see_two_hands(harness)
    assert pairs(harness)
    assert max(differences(harness)) < 1e-5


def test_options_of_the_tracker_that_make_no_sense_are_refused_with_a_reason(harness):
    for name, value in (("min_cutoff", 0.0), ("beta", -1.0), ("coast_time", 1e9)):
        (result,) = harness.node.set_parameters([Parameter(name, value=value)])
        assert not result.successful
        assert name in result.reason


def test_photographs_share_no_tracks(harness):
    harness.node.set_parameters([Parameter("photographs", value=True)])
    harness.node.start()

    def seen() -> bool:
        return sum(len(array.hands) == 2 for array in harness.hands()) >= 2

    assert harness.show(HANDS.rgb, harness.info(), seen)
    arrays = [array for array in harness.hands() if len(array.hands) == 2]
    assert {mesh.track_state for array in arrays for mesh in array.hands} == {HandMesh.NEW}
    ids = [mesh.track_id for array in arrays for mesh in array.hands]
    assert len(set(ids)) == len(ids)
