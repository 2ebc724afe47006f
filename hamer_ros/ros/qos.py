"""What subscriptions ask for."""

from __future__ import annotations

from rclpy.qos import QoSProfile, ReliabilityPolicy


def best_effort(depth: int) -> QoSProfile:
    """For one subscription to a camera's messages; also receives from a reliable publisher.

    Not to be shared: rclpy writes the user's overrides for a topic into the profile it is given.
    """
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)
