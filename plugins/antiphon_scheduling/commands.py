"""`antiphon schedule …`. Help is quick: what does the work is imported when it is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer(name="schedule", help="Schedules.", no_args_is_help=True)


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


@commands.command("render")
def render(
    zone: Annotated[str, typer.Argument(help="A zone's name or id.")],
    begin: Annotated[
        str, typer.Option("--from", help="A time such as 08:30 or 2026-12-24T08:30.")
    ] = "+0",
    end: Annotated[
        str, typer.Option("--to", help="A time, or minutes from the beginning, such as +30.")
    ] = "+10",
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file: .flac, .wav, .mp3, .ogg or .opus.")
    ] = Path("out.flac"),
    client: Annotated[
        str | None, typer.Option(help="The client's name or id, where there are several.")
    ] = None,
) -> None:
    """Write what will be heard in a zone into a file, faster than real time.

    Schedules, channel playlists and announcements over the music are mixed as the server does.
    It works whether or not the server runs. At most 24 hours.
    """
    from antiphon_scheduling.render import Wanted, render_period

    render_period(Wanted(zone, begin, end, output, client))
