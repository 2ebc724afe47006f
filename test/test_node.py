"""The node over real DDS: images in, hands and transforms out, and a word on what went wrong."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

from diagnostic_msgs.msg import DiagnosticStatus
from helpers import MODEL
from lifecycle_msgs.srv import ChangeState
from node_harness import EMPTY, HANDS
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from visualization_msgs.msg import MarkerArray

from hamer_ros.hand_model.topology import closed_faces
from hamer_ros.hands import Handedness
from hamer_ros.msg import HandMesh, HandTopology
from hamer_ros.placement.size import log_length
from hamer_ros.rendering.clip import HEIGHT, INTRINSICS, WIDTH
from hamer_ros.rendering.raster import rasterize
from hamer_ros.srv import CalibrateHand

pytestmark = pytest.mark.usefixtures("models")

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def test_hands_come_out_with_the_images_stamp_and_frame(harness):
    harness.node.start()
    assert harness.show(
        HANDS.rgb, harness.info(), lambda: any(len(a.hands) == 2 for a in harness.hands())
    )
    array = next(a for a in harness.hands() if len(a.hands) == 2)
    assert array.header.frame_id == "camera_optical_frame"
    assert (array.estimator, array.hand_model) == ("landmarks", MODEL.name)
    found = {mesh.handedness: mesh for mesh in array.hands}
    assert set(found) == {HandMesh.LEFT, HandMesh.RIGHT}
    for truth in HANDS.hands:
        joints = np.asarray(found[int(truth.handedness)].joints).reshape(21, 3)
        assert np.linalg.norm(joints - truth.joints, axis=1).mean() < 0.1
        assert found[int(truth.handedness)].wrist.covariance[0] > 0
    stamped = [t for m in harness.heard["/tf"] for t in m.transforms]
    at_once = {t.child_frame_id for t in stamped if t.header == array.header}
    assert at_once == {"hand_left", "hand_right"}


def test_an_empty_image_is_answered_with_no_hands_and_no_transform(harness):
    harness.node.start()
    assert harness.show(EMPTY, harness.info(), lambda: len(harness.hands()) > 2)
    assert all(len(array.hands) == 0 for array in harness.hands())
    assert harness.heard["/tf"] == []


def test_who_comes_late_still_gets_the_topology(harness):
    harness.node.start()
    time.sleep(0.5)
    harness.listen(HandTopology, "/hamer/topology", LATCHED)
    assert harness.show(None, None, lambda: bool(harness.heard["/hamer/topology"]))
    assert harness.heard["/hamer/topology"][0].hand_model == MODEL.name


def test_pictures_are_made_for_those_who_look(harness):
    harness.node.start()
    harness.listen(MarkerArray, "/hamer/markers")
    harness.listen(Image, "/hamer/overlay")
    both = [harness.heard["/hamer/markers"], harness.heard["/hamer/overlay"]]
    assert harness.show(
        HANDS.rgb, harness.info(), lambda: all(both) and len(both[0][-1].markers) > 1
    )
    overlay = both[1][-1]
    assert (overlay.height, overlay.width, overlay.encoding) == (HEIGHT, WIDTH, "rgb8")
    assert {m.ns for m in both[0][-1].markers[1:]} == {"mesh", "skeleton"}


def test_compressed_images_are_taken_when_asked_for(harness):
    harness.node.set_parameters([Parameter("image_transport", value="compressed")])
    harness.node.start()
    jpeg = cv2.imencode(".jpg", HANDS.rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()

    def publish_and_look() -> bool:
        message = CompressedImage(format="jpeg", data=jpeg)
        message.header.frame_id = "camera_optical_frame"
        message.header.stamp = harness.other.get_clock().now().to_msg()
        harness._compressed.publish(message)
        return any(len(a.hands) == 2 for a in harness.hands())

    assert harness.show(None, harness.info(), publish_and_look)


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        (None, "dropped: no camera_info"),
        ({"k": [0.0] * 9}, "dropped: uncalibrated camera"),
        ({"width": 320}, "dropped: size differs from camera_info"),
        ({"k": [float("nan")] * 9}, "dropped: bad camera_info"),
    ],
)
def test_what_cannot_be_processed_is_counted_by_reason_and_the_node_goes_on(harness, info, reason):
    harness.node.start()
    bad = None if info is None else harness.info(**info)
    assert harness.show(HANDS.rgb, bad, harness.diagnosed(reason))
    assert harness.diagnosis().level == DiagnosticStatus.ERROR
    assert harness.hands() == []
    assert harness.show(HANDS.rgb, harness.info(), lambda: bool(harness.hands()))


def test_an_uncalibrated_camera_can_be_guessed(harness):
    harness.node.start()
    harness.node.set_parameters([Parameter("assumed_horizontal_fov", value=56.0)])
    assert harness.show(HANDS.rgb, harness.info(k=[0.0] * 9), lambda: bool(harness.hands()))


def test_a_depth_image_fixes_the_size(harness):
    harness.node.set_parameters([Parameter("use_depth", value=True)])
    harness.node.start()
    publisher = harness.other.create_publisher(Image, "depth", 1)
    (truth,) = [hand for hand in HANDS.hands if hand.handedness is Handedness.RIGHT]
    depth = np.full((HEIGHT, WIDTH), 900, np.uint16)
    faces = closed_faces(MODEL.faces)
    raster = rasterize(truth.vertices, faces, INTRINSICS, WIDTH, HEIGHT)
    rows, columns = raster.depth.shape
    window = depth[raster.top : raster.top + rows, raster.left : raster.left + columns]
    np.copyto(window, (1000 * np.minimum(raster.depth, 0.9)).astype(np.uint16))
    image = Image(height=HEIGHT, width=WIDTH, encoding="16UC1", step=2 * WIDTH)
    image.data = depth.tobytes()

    def right() -> HandMesh | None:
        meshes = [m for a in harness.hands()[-1:] for m in a.hands]
        return next((m for m in meshes if m.handedness == HandMesh.RIGHT), None)

    def is_measured() -> bool:
        return (mesh := right()) is not None and mesh.scale_source == HandMesh.DEPTH

    harness.beside.append((publisher, image))
    assert harness.show(HANDS.rgb, harness.info(), is_measured)
    joints = np.asarray(right().joints).reshape(21, 3)
    assert abs(joints[:, 2].mean() - truth.joints[:, 2].mean()) < 0.015


def test_depth_that_does_not_come_is_said_and_done_without(harness):
    harness.node.set_parameters([Parameter("use_depth", value=True)])
    harness.node.start()
    seen = harness.diagnosed("images without depth: no depth")
    assert harness.show(HANDS.rgb, harness.info(), lambda: seen() and bool(harness.hands()))


def calibrate(harness, **fields) -> CalibrateHand.Response:
    client = harness.other.create_client(CalibrateHand, "/hamer/calibrate_hand")
    assert client.wait_for_service(timeout_sec=5.0)
    future = client.call_async(CalibrateHand.Request(**fields))
    assert harness.show(HANDS.rgb, harness.info(), future.done)
    return future.result()


def test_a_stated_hand_length_is_taken_and_kept(harness, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    harness.node.start()
    answer = calibrate(harness, hand_length=0.2)
    assert answer.success, answer.message
    assert (tmp_path / "hamer_ros" / "hands.yaml").exists()

    def is_used() -> bool:
        meshes = [m for a in harness.hands()[-1:] for m in a.hands]
        return bool(meshes) and all(m.scale_source == HandMesh.PARAMETER for m in meshes)

    assert harness.show(HANDS.rgb, harness.info(), is_used)
    assert not calibrate(harness, hand_length=2.0).success


def test_a_hand_at_a_known_distance_is_measured(harness, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    harness.node.start()
    (truth,) = [hand for hand in HANDS.hands if hand.handedness is Handedness.LEFT]
    distance = float(np.linalg.norm(truth.joints[0]))
    answer = calibrate(harness, handedness=CalibrateHand.Request.LEFT, distance=distance)
    assert answer.success, answer.message
    true_length = np.exp(log_length(truth.joints))
    assert answer.hand_length == pytest.approx(true_length, rel=0.08)


def test_a_measurement_that_cannot_be_is_answered_at_once(harness, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    harness.node.trigger_configure()
    answer = calibrate(harness, distance=0.5)
    assert not answer.success
    assert "not active" in answer.message


def test_a_measurement_under_way_is_answered_when_the_node_is_cleaned_up(harness):
    harness.node.start()
    client = harness.other.create_client(CalibrateHand, "/hamer/calibrate_hand")
    assert client.wait_for_service(timeout_sec=5.0)
    future = client.call_async(CalibrateHand.Request(distance=0.5))
    harness.show_for(0.5)
    manager = harness.other.create_client(ChangeState, "/hamer/change_state")
    for transition in (4, 2):  # deactivate, cleanup
        request = ChangeState.Request()
        request.transition.id = transition
        manager.call_async(request)
    assert harness.show(None, None, future.done)
    assert not future.result().success
    assert harness.show(None, None, lambda: not client.service_is_ready())


def test_lengths_that_cannot_be_kept_are_used_and_the_answer_says_so(
    harness, monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    harness.node.start()
    (tmp_path / "hamer_ros").mkdir()
    (tmp_path / "hamer_ros" / "hands.yaml").write_text("[")
    answer = calibrate(harness, hand_length=0.2)
    assert answer.success
    assert "not kept" in answer.message
    assert "hands.yaml" in answer.message


def test_silence_is_an_error_that_names_the_topic(harness):
    harness.node.set_parameters([Parameter("silence_after", value=0.2)])
    harness.node.start()
    assert harness.show(None, None, harness.diagnosed("no images on '/image'"))
    assert harness.diagnosis().level == DiagnosticStatus.ERROR
