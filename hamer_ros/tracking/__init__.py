"""Tracking of placed hands: which one is which, and where one is that is not seen for a while.

docs/tracking.md derives the equations.
"""

from hamer_ros.tracking.options import TrackerOptions
from hamer_ros.tracking.tracker import Tracker

__all__ = ["Tracker", "TrackerOptions"]
