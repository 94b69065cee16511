"""The speaker agent as it is, and all that it publishes is written into the file WITNESSED."""

from __future__ import annotations

import os
from pathlib import Path

from antiphon_devices.outbox import Outbox, Outgoing
from antiphon_devices.speaker.command import main

if __name__ == "__main__":
    with Path(os.environ["WITNESSED"]).open("a", buffering=1) as file:

        def write(message: Outgoing) -> None:
            print(int(message.retain), message.topic, message.payload.hex(), file=file)

        Outbox.witnesses.append(write)
        main()
