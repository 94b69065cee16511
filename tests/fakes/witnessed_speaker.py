"""The speaker agent as it is, and all that it publishes is written into the file WITNESSED.

On SIGUSR1 it tells in its log where each of its threads and tasks stands.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
from pathlib import Path
from types import FrameType

from antiphon_devices.outbox import Outbox, Outgoing
from antiphon_devices.speaker.command import main


def _tell_where(_number: int, _frame: FrameType | None) -> None:
    faulthandler.dump_traceback()
    for task in asyncio.all_tasks():
        task.print_stack()


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _tell_where)
    with Path(os.environ["WITNESSED"]).open("a", buffering=1) as file:

        def write(message: Outgoing) -> None:
            print(int(message.retain), message.topic, message.payload.hex(), file=file)

        Outbox.witnesses.append(write)
        main()
