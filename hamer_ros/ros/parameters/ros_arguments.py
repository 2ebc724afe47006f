"""Initialisation of rclpy with a user's arguments, with readable errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import rclpy
from rclpy.context import Context
from rclpy.logging import LoggingSeverity, get_logger_effective_level, set_logger_level

from hamer_ros.errors import ConfigurationError


def start_rclpy(arguments: Sequence[str]) -> None:
    """Initialise rclpy's default context.

    arguments: as in sys.argv; what follows --ros-args is read.

    Raises:
        ConfigurationError: one of them cannot be read; the text is a line that names it.
    """
    with _readable_rcl_errors():
        rclpy.init(args=list(arguments))


def try_arguments(arguments: Sequence[str]) -> None:
    """Check that rcl can read arguments, without any other effect.

    Raises:
        ConfigurationError: as `start_rclpy` does.
    """
    context = Context()
    with _readable_rcl_errors():
        context.init(list(arguments), initialize_logging=False)
    context.shutdown()


@contextmanager
def _readable_rcl_errors() -> Iterator[None]:
    level = get_logger_effective_level("rcl")
    set_logger_level("rcl", LoggingSeverity.FATAL)  # it logs what it then raises
    try:
        yield
    except Exception as error:  # rclpy does not export their classes
        text = str(error).removeprefix("failed to initialize rcl: ")
        text = re.sub(r"(, at [^\s,]+:\d+)+$", "", text)  # places in rcl's source
        if text.startswith("["):
            text = f"unknown ROS arguments: {text}"
        if "logging" in text:
            text += "; set HOME, or ROS_LOG_DIR, to a folder that can be written"
        raise ConfigurationError(text) from error
    finally:
        set_logger_level("rcl", level)
