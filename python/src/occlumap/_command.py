"""The command ``occlumap``, as the binary has it."""

from __future__ import annotations

import os
import shlex
import signal
import sys

from . import _occlumap


def main() -> int:
    """Runs the command line; returns the exit code."""
    # Python's handler would only set a flag that nobody looks at. What is ignored stays ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    arguments = ["occlumap", *sys.argv[1:]]
    if arguments[1:2] == ["slurm"] and not any(a.startswith("--program") for a in arguments):
        # Jobs start the command, and not the interpreter that this process is.
        program = shlex.quote(os.path.abspath(sys.argv[0]))
        arguments[2:2] = ["--program", program]
    return _occlumap.command(arguments)


if __name__ == "__main__":
    sys.exit(main())
