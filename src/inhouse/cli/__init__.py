"""The `inhouse` command: `inhouse serve`, `inhouse chat` and the others.

A command's module is imported when it is asked for, so that `inhouse serve` pays for nothing else.

Exit codes: 0 done; 1 it could not be done (one line on stderr says why); 2 the command line or a
setting is wrong; 130 interrupted by Ctrl-C.
"""

import sys
from collections.abc import Sequence

from inhouse.cli.parsing import COMMANDS, UsageError, parse

__all__ = ["COMMANDS", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        run, arguments = parse(sys.argv[1:] if argv is None else argv)
        return run(arguments)
    except UsageError as error:
        return _fail(str(error), 2)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has gone: `inhouse models list | head -1`
        sys.stderr.close()
        return 1
    except Exception as error:
        from inhouse.cli.failures import explain  # noqa: PLC0415 - only when something failed

        told = explain(error)
        if told is None:
            raise
        return _fail(*told)


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"inhouse: {message}\n")
    return code
