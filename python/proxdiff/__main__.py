"""The command line: `python -m proxdiff` and `proxdiff`."""

from __future__ import annotations

import sys

from ._proxdiff import run_command


def main() -> int:
    """The exit status of the command that the process's arguments say."""
    return run_command(["proxdiff", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
