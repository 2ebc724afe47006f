"""Folders of a user's own files (XDG Base Directory Specification)."""

from __future__ import annotations

import os
from pathlib import Path

from hamer_ros.errors import ConfigurationError


def user_folder(variable: str, below_home: str) -> Path:
    """The folder that an environment variable names, or else one below the user's home.

    Raises:
        ConfigurationError: nobody knows where the home folder is.
    """
    named = os.environ.get(variable)
    if named:
        return Path(named)
    try:
        return Path.home() / below_home
    except RuntimeError as error:
        raise ConfigurationError(f"no home folder is known; set HOME or {variable}") from error
