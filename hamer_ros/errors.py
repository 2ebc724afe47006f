"""The classes of this package's errors, by which a caller can tell them apart.

    HamerRosError
    |- ConfigurationError   a parameter, an option or a choice: the user's to correct
    |- MissingFileError     a file or package that has to be brought
    |- FileFormatError      a file that is there, but is not what it should be
    `- DeviceError          a GPU that fails, has too little memory or is gone

Each is also the built-in error that it comes nearest to, so that ``except ValueError`` and
``except OSError`` go on meaning what they say.  Texts name the file, parameter or topic, the value,
and what would be right.
"""

from __future__ import annotations


class HamerRosError(Exception):
    """Any error that this package raises on purpose."""


class ConfigurationError(HamerRosError, ValueError):
    """A parameter, an option or a combination of them cannot be used as it is."""


class MissingFileError(HamerRosError, FileNotFoundError):
    """A file or a package is not there; the text says where to get it."""


class FileFormatError(HamerRosError, ValueError):
    """A file is there, but it is not of the kind that is needed; the text says what it is."""


class DeviceError(HamerRosError, RuntimeError):
    """A processor fails, lacks memory or is gone: another process may find it well again."""
