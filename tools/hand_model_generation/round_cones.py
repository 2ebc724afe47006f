"""The surface of the resting hand: round cones blended into one smooth implicit function.

A round cone is the hull of two spheres; limbs are chains of them.  The blend is the polynomial
smooth minimum of Inigo Quilez ("Smooth minimum", iquilezles.org), which rounds the crease between
two parts over a width k.  The function is negative inside the hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.hand_model_generation.anatomy import FINGERS, FOREARM_END, Finger, digit_points

Point = tuple[float, float, float] | np.ndarray


@dataclass(frozen=True)
class RoundCone:
    """The hull of two spheres, thinned along the axes by ``squash``."""

    start: Point
    end: Point
    start_radius: float
    end_radius: float
    squash: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the approximate signed distance (N,) metres of points (N, 3) metres."""
        start, axis = np.asarray(self.start), np.subtract(self.end, self.start)
        along = np.clip((points - start) @ axis / (axis @ axis), 0.0, 1.0)
        offset = (points - start - along[:, None] * axis) * self.squash
        radius = self.start_radius + (self.end_radius - self.start_radius) * along
        return np.linalg.norm(offset, axis=1) - radius


def smooth_minimum(a: np.ndarray, b: np.ndarray, k: float) -> np.ndarray:
    """Return the minimum of two distances, blended where they differ by less than k."""
    h = np.clip(0.5 + 0.5 * (b - a) / k, 0.0, 1.0)
    return b + (a - b) * h - k * h * (1.0 - h)


def hand_distance(points: np.ndarray) -> np.ndarray:
    """Return the signed distance (N,) metres of points (N, 3), negative inside the resting hand."""
    digits = digit_points()
    fingers = np.ones(len(points))  # a metre, farther than anything
    for name, finger in FINGERS.items():
        single = _blended(points, _finger(finger, digits[name]))
        # Neighbouring fingers must stay apart, so that they hardly blend with one another.
        fingers = smooth_minimum(fingers, single, 0.0012)
    distance = smooth_minimum(_blended(points, _palm()), fingers, 0.010)
    distance = smooth_minimum(distance, _blended(points, _thumb(digits["thumb"])), 0.014)
    return smooth_minimum(distance, _THUMB_WEB(points), 0.016)


def distance_gradient(points: np.ndarray) -> np.ndarray:
    """Return the gradient (N, 3) of hand_distance at points (N, 3) by central differences."""
    step = 1e-5
    columns = [
        (hand_distance(points + step * axis) - hand_distance(points - step * axis)) / (2.0 * step)
        for axis in np.eye(3)
    ]
    return np.stack(columns, axis=1)


def projected(points: np.ndarray, level: float = 0.0, iterations: int = 3) -> np.ndarray:
    """Return points (N, 3) moved onto the surface hand_distance = level by Newton steps."""
    for _ in range(iterations):
        gradient = distance_gradient(points)
        squared = np.maximum((gradient**2).sum(axis=1), 1e-6)
        points = points - ((hand_distance(points) - level) / squared)[:, None] * gradient
    return points


_THUMB_WEB = RoundCone((-0.059, -0.008, 0.027), (-0.042, -0.014, 0.040), 0.0070, 0.0085)


def _blended(points: np.ndarray, parts: list[tuple[RoundCone, float]]) -> np.ndarray:
    """Return the distance of parts that are blended one after another, each with its own width."""
    distance = parts[0][0](points)
    for cone, k in parts[1:]:
        distance = smooth_minimum(distance, cone(points), k)
    return distance


def _palm() -> list[tuple[RoundCone, float]]:
    """Return metacarpals, pads and wrist."""
    knuckle_radius = {"index": 0.0125, "middle": 0.0127, "ring": 0.0120, "little": 0.0106}
    parts = []
    for name, finger in FINGERS.items():
        end = np.add(finger.root, [0.006, -0.003, 0.0])
        cone = RoundCone(
            finger.metacarpal_root, end, 0.0155, knuckle_radius[name], (1.0, 1.0, 0.85)
        )
        knuckle = np.add(finger.root, [0.003, 0.0035, 0.0])
        parts.append((cone, 0.014))
        parts.append(
            (RoundCone(knuckle, np.add(knuckle, [0.004, 0.0, 0.0]), 0.0090, 0.0090), 0.010)
        )
    thenar = RoundCone((-0.016, -0.010, 0.024), (-0.050, -0.018, 0.040), 0.0170, 0.0125)
    hypothenar = RoundCone((-0.014, -0.008, -0.018), (-0.056, -0.008, -0.033), 0.0148, 0.0115)
    distal_pads = RoundCone((-0.076, -0.008, 0.016), (-0.066, -0.010, -0.030), 0.0082, 0.0082)
    forearm = RoundCone(
        (FOREARM_END, 0.001, 0.0), (-0.012, 0.001, 0.0), 0.0240, 0.0220, (1.0, 1.20, 0.84)
    )
    parts += [(thenar, 0.016), (hypothenar, 0.014), (distal_pads, 0.014), (forearm, 0.020)]
    return parts


def _finger(finger: Finger, points: np.ndarray) -> list[tuple[RoundCone, float]]:
    """Return three phalanges, each waisted between its joints, with a pad on the palm's side.

    points: (4, 3), joints and tip.
    """
    r = finger.radius
    # Radii over r at the root, waist and end of each phalanx.
    profile = ((1.14, 1.03, 1.00), (1.00, 0.93, 0.91), (0.91, 0.89, 0.74))
    pad_radius = (0.86, 0.82, 0.80)
    parts = []
    for i, (root, waist, end) in enumerate(profile):
        a, b = points[i], points[i + 1]
        if i == 2:
            # The last sphere ends at the tip.
            b = b - (b - a) / np.linalg.norm(b - a) * r * end
        middle = (a + b) / 2.0
        parts.append((RoundCone(a, middle, r * root, r * waist), 0.004))
        parts.append((RoundCone(middle, b, r * waist, r * end), 0.004))
        pad = middle - [0.0, 0.26 * r, 0.0]
        half = 0.22 * (b - a)
        parts.append(
            (RoundCone(pad - half, pad + half, r * pad_radius[i], r * pad_radius[i]), 0.005)
        )
    return parts


def _thumb(points: np.ndarray) -> list[tuple[RoundCone, float]]:
    """Return metacarpal and two phalanges, the last broad and flat with a pad; points: (4, 3)."""
    carpal, knuckle, joint, tip = points
    outward = (tip - joint) / np.linalg.norm(tip - joint)
    end = tip - 0.0080 * outward
    bulge = joint + 0.45 * (tip - joint)
    return [
        (RoundCone(carpal, knuckle, 0.0150, 0.0118), 0.004),
        (RoundCone(knuckle, (knuckle + joint) / 2.0, 0.0117, 0.0103), 0.005),
        (RoundCone((knuckle + joint) / 2.0, joint, 0.0103, 0.0106), 0.005),
        (RoundCone(joint, bulge, 0.0106, 0.0104), 0.005),
        (RoundCone(bulge, end, 0.0104, 0.0080), 0.005),
    ]
