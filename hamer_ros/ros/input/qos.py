"""The quality of service that subscriptions to a camera ask for."""

from __future__ import annotations

from rclpy.qos import QoSProfile, ReliabilityPolicy


def best_effort(depth: int) -> QoSProfile:
    """Return a best-effort profile for one subscription; reliable publishers match it as well.

    It must not be shared: rclpy writes the user's overrides for a topic into the profile.
    """
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)
