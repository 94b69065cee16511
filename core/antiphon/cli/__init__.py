"""The command line. Commands import what they need when they run, so that help comes quickly.

Errors that people can act on are printed as sentences. Exit codes: 0 done, 1 refused, 2 the
settings or the options are wrong, 3 something is away for now (a supervisor tries again).
"""

from __future__ import annotations

import sys

from antiphon.errors import AntiphonError, Misconfigured, Unavailable


def main() -> None:
    """Run the command that `sys.argv` names."""
    from antiphon.cli.commands import app, known
    from antiphon.cli.console import complain

    try:
        if _may_be_of_a_plugin(sys.argv[1:], {*known(app)}):
            from antiphon.cli.extensions import add_plugin_commands

            add_plugin_commands(app)
        app(prog_name="antiphon")
    except AntiphonError as error:
        complain(str(error))
        sys.exit(_exit_code(error))


def _may_be_of_a_plugin(words: list[str], known: set[str]) -> bool:
    """Whether plugins must be loaded: for a command that is not ours, or for the list of all."""
    wanted = next((word for word in words if not word.startswith("-")), None)
    return "--help" in words if wanted is None else wanted not in known


def _exit_code(error: AntiphonError) -> int:
    if isinstance(error, Misconfigured):
        return 2
    return 3 if isinstance(error, Unavailable) else 1
