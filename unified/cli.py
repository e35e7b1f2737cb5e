"""The command line: `unified NAME ...`, one module of `unified.commands` per name."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from unified import __version__
from unified.base.errors import UnifiedError

# Name -> module; the order is that of the help.
COMMANDS = {
    "demo": "unified.commands.demo",
    "verify": "unified.commands.verify",
    "derive": "unified.commands.derive",
    "energies": "unified.commands.energies",
    "train": "unified.commands.train",
    "validate": "unified.commands.validate",
    "compare": "unified.commands.compare",
    "infer": "unified.commands.infer",
    "meanfield": "unified.commands.meanfield",
    "bench": "unified.commands.bench",
}
OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, as all others here."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(BAD_INPUT, f"{self.prog}: {message}; see {self.prog} --help.\n")


def command(name: str) -> ModuleType:
    """The module of a command."""
    return import_module(COMMANDS[name])


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The parser of every command, or, quicker, of the one that is about to run."""
    parser = _Parser(
        prog="unified", description="Derive in SymPy, run in JAX, check in PyMC.",
        epilog="Exit status: 0 every check held, 1 one failed, 2 bad input, 130 interrupted.",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"unified {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, path in COMMANDS.items():
        if only in (None, name) and find_spec(path) is not None:
            module = command(name)
            sub = subparsers.add_parser(name, help=module.HELP, description=module.HELP)
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0: every check held; 1: one failed; 2: bad input, told in one line on stderr; 130: interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    only = words[0] if words and words[0] in COMMANDS else None
    try:
        args = build_parser(only).parse_args(words)
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except UnifiedError as error:
        return _complain(str(error), BAD_INPUT)
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        sys.stderr.close()
        return FAILED
    except OSError as error:
        reason = error.strerror or str(error)
        name = f" ({error.filename})" if error.filename else ""
        return _complain(f"expected files to be readable and writable, got: {reason}{name}; "
                         "check space and rights.", BAD_INPUT)  # fmt: skip
    except KeyboardInterrupt:
        status = _complain("interrupted; what was saved so far stays.", INTERRUPTED)
        if argv is None:  # threads of XLA that still work can crash an orderly shutdown
            sys.stderr.flush()
            os._exit(status)
        return status


def _complain(message: str, status: int) -> int:
    print(f"unified: {' '.join(message.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
