"""``python -m hamer_ros``: the command line tool, from a source tree that is not installed."""

import sys

from hamer_ros.cli import main

if __name__ == "__main__":
    sys.exit(main())
