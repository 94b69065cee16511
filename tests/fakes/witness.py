"""Somebody at a broker who writes down all that is said there, to be judged at the end.

For servers and agents in processes of their own, whose outboxes no test can look into.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Self

from tests.devices.contract import published, said

_ASKED = re.compile(r"/client/.*/(?:set|cmd)(?:/|$)")  # the words of tests, wrong ones too
_DISCOVERY = re.compile(r"homeassistant/.+/config$")


class Witness:
    """mosquitto_sub at the broker at `url`; what it hears is kept in `log`, behind what is there.

    What is retained there already is heard as well.
    """

    def __init__(self, url: str, log: Path) -> None:
        self._url = url
        self._log = log

    def start(self) -> Self:
        topics = ["-L", f"{self._url}/antiphon/v1/#", "-t", "homeassistant/+/+/+/config"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["mosquitto_sub", *topics, "-F", "%t %x"], stdout=log, stderr=subprocess.DEVNULL
            )
        return self

    def stop(self) -> None:
        """End it. Raises for all that breaks the contract, and where nothing was heard."""
        self._process.terminate()
        self._process.wait(10)
        lines = self._log.read_text().splitlines()
        assert lines, f"nothing was ever heard at {self._url.rpartition('@')[2]}"
        if faults := [fault for line in lines if (fault := _fault(line)) is not None]:
            raise ExceptionGroup("Messages that break the contract", faults)


def _fault(line: str) -> Exception | None:
    topic, payload = f"{line} ".split(" ", 1)
    if _ASKED.search(topic):
        return None
    try:
        raw = bytes.fromhex(payload.strip())
        if _DISCOVERY.match(topic):
            published(topic, raw, retain=True)
        else:
            said(topic, raw)
    except Exception as error:
        return error
    return None
