"""Take hands from the node, and one of them from TF: python 04_subscriber.py [FRAME]."""

# %% Where the hand is wanted: a frame of the robot such as base_link, or else the camera's
import contextlib
import sys

import numpy as np
import rclpy
import tf2_ros
from builtin_interfaces.msg import Time as TimeMessage
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.time import Time

from hamer_ros.msg import HandMesh, HandMeshArray

# A notebook has arguments, too, but not of yours: write them in here.
ARGUMENTS = [] if "ipykernel" in sys.modules else sys.argv[1:]

# %% A listener of its own node and thread: the transforms come while take() waits for them
rclpy.init()
node = rclpy.create_node("taker")
frames = tf2_ros.Buffer()
listener = tf2_ros.TransformListener(frames, rclpy.create_node("taker_tf"), spin_thread=True)


# %% Every image gives one message, with hands or without
def take(array: HandMeshArray) -> None:
    """Say where the hands are that are seen in an image."""
    for hand in array.hands:
        if hand.track_state not in (HandMesh.NEW, HandMesh.TRACKED):  # it is predicted
            continue
        x, y, z = np.reshape(hand.joints, (21, 3))[8]  # tip of the index finger, metres
        print(f"#{hand.track_id} in {array.header.frame_id}: {x:.3f} {y:.3f} {z:.3f}", flush=True)
        if hand.handedness == HandMesh.RIGHT:
            tell_wrist(ARGUMENTS[0] if ARGUMENTS else array.header.frame_id, array.header.stamp)


def tell_wrist(target: str, stamp: TimeMessage) -> None:
    """Say where the right wrist is in a frame of the robot."""
    try:
        found = frames.lookup_transform(
            target, "hand_right", Time.from_msg(stamp), Duration(seconds=0.1)
        )
    except tf2_ros.TransformException as error:  # such as: there is no such frame
        print(error, flush=True)
    else:
        wrist = found.transform.translation
        print(f"right wrist in {target}: {wrist.x:.3f} {wrist.y:.3f} {wrist.z:.3f}", flush=True)


node.create_subscription(HandMeshArray, "/hamer/hands", take, 1)

# %% Until Ctrl-C
with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
    rclpy.spin(node)
listener.executor.shutdown()  # its thread would go on
rclpy.try_shutdown()
