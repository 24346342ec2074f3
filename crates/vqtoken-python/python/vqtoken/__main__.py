"""The command line: `python -m vqtoken` is the command `vqtoken`, and has `corpus` beside its commands."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Runs the command that was typed and returns its exit code."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["corpus"]:
        from vqtoken.corpus import command

        return command.main(arguments[1:])
    from vqtoken._vqtoken import run_command_line

    # The command handles Ctrl-C itself; Python's handler would only note it and run on.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return run_command_line(["vqtoken", *arguments])


if __name__ == "__main__":
    sys.exit(main())
