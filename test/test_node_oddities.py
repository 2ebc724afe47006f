"""What real cameras do oddly: the node does the right thing, and says what is odd."""

from __future__ import annotations

import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from helpers import MODEL
from node_harness import HANDS
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Image

from hamer_ros.detection.external import ExternalDetector
from hamer_ros.estimation import make_estimator
from hamer_ros.hand_model.topology import closed_faces, mirrored_faces
from hamer_ros.hands import Handedness
from hamer_ros.msg import HandMesh, HandMeshArray
from hamer_ros.rendering.clip import HEIGHT, INTRINSICS, WIDTH
from hamer_ros.rendering.raster import rasterize
from hamer_ros.ros.images.decode import encode_rgb
from hamer_ros.ros.models import Models

pytestmark = pytest.mark.usefixtures("models")

MIRRORED = np.ascontiguousarray(HANDS.rgb[:, ::-1])


def image(frame_id: str) -> Image:
    message = encode_rgb(HANDS.rgb)
    message.header.frame_id = frame_id
    return message


class Camera:
    """Publishes images and their CameraInfo under frames and stamps of its own."""

    def __init__(self, harness, node=None) -> None:
        self.node = node or harness.other
        self.images = self.node.create_publisher(Image, "image", 1)
        self.infos = self.node.create_publisher(CameraInfo, "camera_info", 1)

    def send(self, image: Image, info: CameraInfo, stamp: Time | None = None) -> None:
        now = self.node.get_clock().now().to_msg() if stamp is None else stamp
        image.header.stamp = info.header.stamp = self.images_stamp = now
        self.infos.publish(info)
        self.images.publish(image)


def until(wait, do, seconds: float = 15.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        do()
        time.sleep(0.1)
        if wait():
            return True
    return False


@pytest.mark.parametrize(
    ("own", "infos", "expected"),
    [("", "camera", "camera"), ("/camera", "/camera", "camera"), ("camera", "", "camera")],
)
def test_hands_and_transforms_are_in_a_frame_that_tf2_takes(harness, own, infos, expected):
    harness.node.start()
    camera, info = Camera(harness), harness.info()
    info.header.frame_id = infos
    heard = harness.heard["/tf"]
    assert until(lambda: heard and harness.hands(), lambda: camera.send(image(own), info))
    assert {array.header.frame_id for array in harness.hands()} == {expected}
    assert {t.header.frame_id for m in heard for t in m.transforms} == {expected}


def test_a_guess_is_told_in_the_message_in_diagnostics_and_in_the_covariance(harness):
    harness.node.start()
    assert harness.show(HANDS.rgb, harness.info(), lambda: bool(hands_of(harness)))
    known = hands_of(harness)[-1]
    harness.node.set_parameters([Parameter("assumed_horizontal_fov", value=56.0)])
    uncalibrated = harness.info(k=[0.0] * 9)

    def is_guessed() -> bool:
        guess = HandMeshArray.ASSUMED_FIELD_OF_VIEW
        return any(array.intrinsics_source == guess for array in harness.hands()[-1:])

    assert harness.show(HANDS.rgb, uncalibrated, lambda: is_guessed() and bool(hands_of(harness)))
    array = harness.hands()[-1]
    assert array.focal_length_sigma > 0.05
    guessed = hands_of(harness)[-1]

    def along(hand: HandMesh) -> float:
        """Relative standard deviation of the distance."""
        at = hand.wrist.pose.position
        ray = np.array([at.x, at.y, at.z])
        covariance = np.reshape(hand.wrist.covariance, (6, 6))[:3, :3]
        return float(np.sqrt(ray @ covariance @ ray) / (ray @ ray))

    # Of the distance along the optical axis, so a little less along a ray off it.
    grown = np.sqrt(along(guessed) ** 2 - along(known) ** 2)
    assert grown == pytest.approx(array.focal_length_sigma, rel=0.25)
    assert harness.show(HANDS.rgb, uncalibrated, harness.diagnosed("assumed_horizontal_fov"))
    assert harness.diagnosis().level == DiagnosticStatus.WARN


def hands_of(harness) -> list[HandMesh]:
    """The right hands of the last message."""
    meshes = [m for array in harness.hands()[-1:] for m in array.hands]
    return [m for m in meshes if m.handedness == HandMesh.RIGHT]


def test_a_mirrored_camera_has_hands_of_the_right_side_where_its_pixels_are(harness):
    harness.node.set_parameters([Parameter("mirrored", value=True)])
    harness.node.start()
    k = INTRINSICS.ravel().tolist()
    k[2] = WIDTH - 1 - k[2]
    assert harness.show(
        MIRRORED,
        harness.info(k=k),
        lambda: len(harness.hands()[-1:]) > 0 and len(harness.hands()[-1].hands) == 2,
    )
    truth = {int(hand.handedness): hand for hand in HANDS.hands}
    for mesh in harness.hands()[-1].hands:
        hand = truth[mesh.handedness]
        assert np.sign(mesh.wrist.pose.position.x) == np.sign(hand.joints[0, 0])
        pixels = np.reshape(mesh.keypoints, (21, 2))
        expected = hand.keypoints * [-1, 1] + [WIDTH - 1, 0]
        assert np.median(np.linalg.norm(pixels - expected, axis=1)) < 8
        x_min, _, x_max, _ = mesh.bounding_box
        assert x_min < expected[:, 0].mean() < x_max


def test_a_camera_info_that_was_published_once_is_had(harness):
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    other = rclpy.create_node("static_info", context=harness.node.context)
    publisher = other.create_publisher(CameraInfo, "camera_info", latched)
    publisher.publish(harness.info())
    harness.node.start()
    assert harness.show(HANDS.rgb, None, lambda: bool(harness.hands()))
    other.destroy_node()


def test_stamps_since_boot_are_told_with_their_age_and_latency_stays_readable(harness):
    harness.node.start()
    stamp = Time(sec=51_234)
    has_latency = harness.diagnosed("latency p50")
    assert harness.show(HANDS.rgb, harness.info(), has_latency, stamp)
    assert harness.diagnosed("years old")()
    assert harness.diagnosis().level == DiagnosticStatus.WARN
    values = {v.key: v.value for v in harness.diagnosis().values}
    assert float(values["latency p50 (ms)"]) < 5_000
    assert "counts from when the machine was started" in values["odd: old stamps"]


def test_two_cameras_on_one_topic_are_named(harness):
    harness.node.start()
    other = rclpy.create_node("second_camera", context=harness.node.context)
    cameras = [Camera(harness), Camera(harness, other)]

    def send() -> None:
        for camera in cameras:
            camera.send(image("camera"), harness.info())

    assert until(harness.diagnosed("/robot and /second_camera send images"), send)
    other.destroy_node()


def test_a_camera_that_stops_is_told_from_one_that_never_sent(harness):
    harness.node.set_parameters([Parameter("silence_after", value=0.5)])
    harness.node.start()
    assert harness.show(
        None, None, harness.diagnosed("/robot publishes it, but nothing has arrived")
    )
    assert harness.show(HANDS.rgb, harness.info(), lambda: bool(harness.hands()))
    assert harness.show(None, None, harness.diagnosed("and then stopped"))


def test_what_was_complained_of_is_taken_back_when_it_works(harness, capfd):
    harness.node.set_parameters([Parameter("silence_after", value=0.2)])
    harness.node.start()
    assert harness.show(None, None, lambda: "not working" in capfd.readouterr().err)
    harness.node.set_parameters([Parameter("silence_after", value=5.0)])
    assert harness.show(
        HANDS.rgb, harness.info(), lambda: "over: not working" in capfd.readouterr().err
    )


def test_a_camera_info_that_comes_a_little_later_at_the_start_is_no_complaint(harness, capfd):
    harness.node.start()
    harness.show(HANDS.rgb, None, harness.diagnosed("dropped: no camera_info"))
    assert harness.show(HANDS.rgb, harness.info(), lambda: bool(harness.hands()))
    assert "no camera_info" not in capfd.readouterr().err


def depth_image(factor: float) -> Image:
    """Both hands and a wall as a depth camera sees them, in millimetres times a factor."""
    depth = np.full((HEIGHT, WIDTH), 1.5, np.float32)
    for truth in HANDS.hands:
        faces = closed_faces(MODEL.faces)
        faces = faces if truth.handedness is Handedness.RIGHT else mirrored_faces(faces)
        raster = rasterize(truth.vertices, faces, INTRINSICS, WIDTH, HEIGHT)
        rows, columns = raster.depth.shape
        window = depth[raster.top : raster.top + rows, raster.left : raster.left + columns]
        np.copyto(window, np.minimum(raster.depth, window))
    message = Image(height=HEIGHT, width=WIDTH, encoding="16UC1", step=2 * WIDTH)
    message.data = np.round(1000 * factor * depth).astype(np.uint16).tobytes()
    message.header.frame_id = "camera"
    return message


@pytest.mark.parametrize(
    ("factor", "subject", "words"),
    [
        (10.0, "depth disagrees with the hand", "0.1 mm"),
        (0.0, "depth empty on the hand", "no value where the hand is"),
    ],
)
def test_a_depth_image_that_cannot_be_used_is_told_and_counted(harness, factor, subject, words):
    harness.node.set_parameters([Parameter("use_depth", value=True)])
    harness.node.start()
    depths = harness.other.create_publisher(Image, "depth", 1)
    camera, depth = Camera(harness), depth_image(factor)

    def send() -> None:
        camera.send(image("camera"), harness.info())
        depth.header.stamp = camera.images_stamp
        depths.publish(depth)

    assert until(harness.diagnosed(f"odd: {subject}"), send)
    values = {v.key: v.value for v in harness.diagnosis().values}
    assert words in values[f"odd: {subject}"]
    assert int(values[f"hands not measured by depth: {subject}"]) > 0
    assert all(m.scale_source != HandMesh.DEPTH for a in harness.hands() for m in a.hands)


def test_depth_that_comes_later_than_any_wait_still_tells_the_size(harness):
    harness.node.set_parameters(
        [Parameter("use_depth", value=True), Parameter("max_depth_wait", value=0.02)]
    )
    harness.node.start()
    depths = harness.other.create_publisher(Image, "depth", 1)
    camera, depth = Camera(harness), depth_image(1.0)

    def send() -> None:
        camera.send(image("camera"), harness.info())
        time.sleep(0.15)
        depth.header.stamp = camera.images_stamp
        depths.publish(depth)

    def is_learnt() -> bool:
        return any(hand.scale_source == HandMesh.TRACK for hand in hands_of(harness))

    assert until(lambda: is_learnt() and harness.diagnosed("depth comes late")(), send)
    (truth,) = [hand for hand in HANDS.hands if hand.handedness is Handedness.RIGHT]
    joints = np.asarray(hands_of(harness)[-1].joints).reshape(21, 3)
    assert abs(joints[:, 2].mean() - truth.joints[:, 2].mean()) < 0.03


def test_left_and_right_change_places_in_a_mirror():
    """What the test of mirrored cameras stands on."""
    assert {hand.handedness for hand in HANDS.hands} == {Handedness.LEFT, Handedness.RIGHT}


def test_an_external_detector_that_says_nothing_is_missed(harness, monkeypatch):
    """Empty hands must not pass for an image without hands."""
    models = Models(ExternalDetector(), make_estimator("landmarks"))
    monkeypatch.setattr(harness.node, "make_models", lambda _: models)
    harness.node.set_parameters([Parameter("detector", value="external")])
    harness.node.start()
    said = harness.diagnosed("odd: image without boxes")
    assert harness.show(HANDS.rgb, harness.info(), said)
    assert harness.diagnosis().level == DiagnosticStatus.WARN
    assert "max_box_wait" in harness.diagnosis().message
