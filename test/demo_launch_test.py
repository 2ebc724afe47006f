"""The demo under launch_testing, which starts it, looks on, and judges how it ended.

``launch_test test/demo_launch_test.py``; test_launch_testing.py does so within pytest.
"""

from __future__ import annotations

import time
import unittest
from pathlib import Path

import launch_testing
import rclpy
from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_testing.actions import ReadyToTest
from rclpy.node import Node

from hamer_ros.msg import HandMeshArray

TIMEOUT_SECONDS = 60.0
"""Seconds; only a failure takes as long."""


def generate_test_description() -> LaunchDescription:
    """Start the demo; tests begin at once and wait for what they need."""
    demo = Path(get_package_share_directory("hamer_ros")) / "launch" / "demo.launch.py"
    return LaunchDescription(
        [IncludeLaunchDescription(PythonLaunchDescriptionSource(str(demo))), ReadyToTest()]
    )


class TestWhileItRuns(unittest.TestCase):
    """What a client sees."""

    node: Node

    @classmethod
    def setUpClass(cls):
        rclpy.init()
        cls.node = rclpy.create_node("looker_on")

    @classmethod
    def tearDownClass(cls):
        cls.node.destroy_node()
        rclpy.shutdown()

    def test_the_node_says_what_it_listens_to(self, proc_output):
        proc_output.assertWaitFor("images from '/camera/image_raw'", timeout=TIMEOUT_SECONDS)

    def test_hands_of_both_sides_are_published(self):
        heard: list[HandMeshArray] = []
        self.node.create_subscription(HandMeshArray, "/hamer/hands", heard.append, 10)
        sides: set[int] = set()
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while len(sides) < 2 and time.monotonic() < deadline:
            rclpy.spin_once(self.node, timeout_sec=0.1)
            sides = {hand.handedness for array in heard for hand in array.hands}
        self.assertEqual(len(sides), 2)


@launch_testing.post_shutdown_test()
class TestAfterItHasEnded(unittest.TestCase):
    """What the processes left behind."""

    def test_camera_and_node_ended_well(self, proc_info):
        self.assertEqual(len(proc_info.process_names()), 2)
        launch_testing.asserts.assertExitCodes(proc_info)
