"""The command line. Commands import what they need when they run, so that asking for help is quick.

Errors that people can act on are printed as sentences. Exit codes: 0 done, 1 refused, 2 something
is missing, away or set wrongly.
"""

from __future__ import annotations

import sys

from antiphon.errors import AntiphonError, Refused


def main() -> None:
    """Run the command that `sys.argv` names."""
    from antiphon.cli.commands import app
    from antiphon.cli.console import complain

    try:
        wanted = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
        if wanted is None or wanted not in {command.name for command in app.registered_commands}:
            from antiphon.cli.extensions import add_plugin_commands

            if wanted is not None or "--help" in sys.argv:
                add_plugin_commands(app)
        app()
    except AntiphonError as error:
        complain(str(error))
        sys.exit(1 if isinstance(error, Refused) else 2)
