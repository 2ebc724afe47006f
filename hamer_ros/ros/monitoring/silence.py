"""The probable cause of no images, from what can be known on the subscriber's side.

The causes are checked in the order of what rules the others out.  Where causes cannot be told apart
from here, the text names them all as possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hamer_ros.ros.monitoring.shared_memory import SharedMemory

PROFILE_REMEDY = (
    "its images are larger than Fast DDS' shared-memory segment and are lost: start the camera "
    "with FASTRTPS_DEFAULT_PROFILES_FILE set to hamer_ros' config/fastdds.xml"
)

_TRANSPORTS = ("compressed", "compressedDepth", "theora", "ffmpeg", "zstd")


@dataclass(frozen=True)
class Publisher:
    """A node that publishes the topic.

    kind: message type.
    mismatch: why its quality of service does not match the node's; empty where it does.
    """

    node: str
    kind: str
    mismatch: str = ""


@dataclass(frozen=True)
class Silence:
    """The facts about a topic on which nothing comes.

    kind: the type that is subscribed to, like ``sensor_msgs/msg/Image``.
    received: messages since the node was activated.
    silence: seconds since the last one.
    period: usual seconds between two, where that is known.
    middleware: identifier of the RMW implementation.
    image_bytes: size of a raw image, by its CameraInfo; None where that is not known.
    shared_memory: that of Fast DDS on this machine.
    """

    topic: str
    kind: str
    publishers: Sequence[Publisher]
    received: int
    silence: float
    period: float | None
    middleware: str
    image_bytes: int | None
    shared_memory: SharedMemory


def why_silent(now: Silence) -> str:
    """Return the likeliest cause and what to do about it, in one sentence."""
    if not now.publishers:
        return _no_publisher(now)
    for publisher in now.publishers:
        if publisher.mismatch:
            return f"QoS mismatch with {publisher.node}: {publisher.mismatch}"
    fitting = [publisher for publisher in now.publishers if publisher.kind == now.kind]
    if not fitting:
        other = now.publishers[0]
        return (
            f"{other.node} publishes {other.kind} on it, not {now.kind}"
            f"{_remedy_for(other.kind, now)}"
        )
    who = " and ".join(publisher.node for publisher in fitting)
    if now.period is not None and now.silence < 3 * now.period:
        return (
            f"{who} sends an image every {now.period:.1f} s; raise silence_after, which is shorter"
        )
    if now.received:
        return f"{who} has sent {now.received} images and then stopped"
    return f"{who} publishes it, but nothing has arrived; {_why_nothing_arrives(now)}"


def _no_publisher(now: Silence) -> str:
    if now.received:
        return f"{now.received} images have come, and then who published them went away"
    return f"nobody publishes it{_transport_hint(now)}"


def _transport_hint(now: Silence) -> str:
    base, _, last = now.topic.rpartition("/")
    if last in _TRANSPORTS and now.kind.endswith("/Image"):
        return f"; for '{last}' images set image_transport:={last} and image_topic:={base}"
    return "; remap image and camera_info to your camera's topics"


def _remedy_for(kind: str, now: Silence) -> str:
    base, _, last = now.topic.rpartition("/")
    if kind.endswith("/CompressedImage"):
        topic = base if last == "compressed" else now.topic
        return f"; set image_transport:=compressed and image_topic:={topic}"
    if kind.endswith("/Image"):
        return "; set image_transport:=raw"
    return ""


def _why_nothing_arrives(now: Silence) -> str:
    """Return the possible causes when a matching publisher exists and no message has come."""
    causes = ["it has sent nothing yet"]
    other_users = now.shared_memory.other_users
    if "fastrtps" in now.middleware and other_users:
        causes.append(
            f"it runs as another user ({', '.join(other_users)} has shared memory here), and Fast "
            "DDS cannot pass messages between users through shared memory: run both as the same "
            "user, or with FASTDDS_BUILTIN_TRANSPORTS=UDPv4"
        )
    elif "fastrtps" in now.middleware:
        causes.append(
            "it runs as another user or in another container, whose shared memory cannot be used"
        )
    if may_be_too_large(now):
        size = "" if now.image_bytes is None else f" ({1e-6 * now.image_bytes:.1f} MB)"
        causes.append(f"{PROFILE_REMEDY}{size}")
    if "cyclonedds" in now.middleware:
        causes.append(
            "its images are larger than the system's receive buffer: raise net.core.rmem_max and "
            "Cyclone DDS' SocketReceiveBufferSize"
        )
    if "zenoh" in now.middleware:
        causes.append("no Zenoh router is running: ros2 run rmw_zenoh_cpp rmw_zenohd")
    return "; or ".join(causes) if len(causes) > 1 else causes[0]


def may_be_too_large(now: Silence) -> bool:
    """True if images may not fit into the shared memory of their camera's process."""
    segment = now.shared_memory.smallest_segment
    return (
        "fastrtps" in now.middleware
        and now.kind.endswith("/Image")
        and segment is not None
        and (now.image_bytes is None or now.image_bytes > segment)
    )
