"""Conversion of tracked hands to markers for RViz and Foxglove."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from hamer_ros.hand_model.topology import BONES
from hamer_ros.hands import TrackedHand
from hamer_ros.rendering.overlay import FAINT, HANDEDNESS_COLORS, hand_mesh

LIFETIME = Duration(sec=5)
"""Time after which markers vanish by themselves when the node is gone; a large model on a small
processor takes a second or two for an image."""

_BONE_COLOR = ColorRGBA(r=0.98, g=0.98, b=0.98, a=1.0)
_BONE_WIDTH = 0.004


def hand_markers(hands: Iterable[TrackedHand], header: Header, faces: np.ndarray) -> MarkerArray:
    """Return a shaded mesh and a skeleton for each hand, which replace those of the image before.

    faces: (1538, 3), the right-hand model's.

    Hands that are predicted are faint.
    """
    markers = [Marker(header=header, action=Marker.DELETEALL)]
    for hand in hands:
        placed = hand.placed
        surface = hand_mesh(placed, faces)
        corners = surface.vertices[surface.faces].reshape(-1, 3)
        bones = placed.joints[np.array(BONES)].reshape(-1, 3)
        mesh = _marker(header, "mesh", hand.track_id, Marker.TRIANGLE_LIST, corners)
        mesh.scale.x = mesh.scale.y = mesh.scale.z = 1.0
        r, g, b = HANDEDNESS_COLORS[placed.hand.handedness]
        mesh.color = ColorRGBA(r=r, g=g, b=b, a=FAINT if hand.raw is None else 0.95)
        skeleton = _marker(header, "skeleton", hand.track_id, Marker.LINE_LIST, bones)
        skeleton.scale.x = _BONE_WIDTH
        skeleton.color = _BONE_COLOR
        markers += [mesh, skeleton]
    return MarkerArray(markers=markers)


def _marker(header: Header, namespace: str, number: int, kind: int, points: np.ndarray) -> Marker:
    marker = Marker(header=header, ns=namespace, id=number, type=kind, action=Marker.ADD)
    marker.lifetime = LIFETIME
    marker.pose.orientation.w = 1.0
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in points.tolist()]
    return marker
