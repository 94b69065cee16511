"""`antiphon scheduling …`. Help is quick: what does the work is imported when it is wanted."""

from __future__ import annotations

from typing import Annotated

import typer

commands = typer.Typer(help="Schedules.", no_args_is_help=True)


@commands.callback()
def _scheduling() -> None:
    """Schedules."""


@commands.command("preview")
def preview(
    zone: Annotated[str, typer.Argument(help="A zone's name or id.")],
    day: Annotated[
        str | None, typer.Option(help="A date such as 2026-12-24, or a number of days from today.")
    ] = None,
    client: Annotated[
        str | None, typer.Option(help="The client's name or id, where there are several.")
    ] = None,
) -> None:
    """Print what plays in a zone on a day, what does not, and why.

    It works whether or not the server runs.
    """
    from antiphon_scheduling.printing import print_day

    print_day(zone, day, client)
