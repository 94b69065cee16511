"""The command `antiphon-speaker`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from antiphon_devices.speaker.agent import Agent
from antiphon_devices.speaker.settings import (
    DEFAULT_FILE,
    SpeakerSettings,
    WrongSettings,
    load,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the agent until it is told to end; status 2 where the settings are wrong."""
    parser = argparse.ArgumentParser(
        prog="antiphon-speaker", description="Makes this machine a loudspeaker of Antiphon."
    )
    parser.add_argument(
        "--config", type=Path, help=f"the settings, instead of {DEFAULT_FILE}", metavar="FILE"
    )
    parser.add_argument("--verbose", action="store_true", help="tell what snapclient says, too")
    wished = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if wished.verbose else logging.INFO, format="%(levelname)s %(message)s"
    )
    try:
        asyncio.run(_run(load(wished.config)))
    except WrongSettings as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


async def _run(settings: SpeakerSettings) -> None:
    work = asyncio.create_task(Agent(settings).run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    main()
