"""`antiphon music …`. Help is quick: what does the work is imported when it is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer(help="The music library.", no_args_is_help=True)


@commands.callback()
def _music() -> None:
    """The music library."""


@commands.command("add")
def add(
    directory: Annotated[
        Path, typer.Argument(exists=True, help="A folder with music, or a single file.")
    ],
    folder: Annotated[
        str | None,
        typer.Option(help="Where to put it, such as Jazz/Evening. Default: the folder's name."),
    ] = None,
    client: Annotated[
        str | None, typer.Option(help="The client's name or id, where there are several.")
    ] = None,
) -> None:
    """Add all music in a folder and below it, and measure its loudness.

    Sub-folders become folders of the library. What is there already is passed over, so the same
    command may be run again. It works whether or not the server runs.
    """
    from antiphon_music.importing import import_directory

    raise typer.Exit(import_directory(directory, folder, client))
