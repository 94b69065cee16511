"""`python -m bench [NAME …]`: run the named benchmarks, or list them."""

from __future__ import annotations

import sys

from bench import (
    accounts,
    calls,
    discovery,
    latency,
    many,
    mqtt,
    playlists,
    quality,
    rest,
    schedules,
    soak,
    sound,
    start,
    together,
)

BENCHMARKS = {
    "sound": sound.main,
    "many": many.main,
    "latency": latency.main,
    "calls": calls.main,
    "together": together.main,
    "quality": quality.main,
    "discovery": discovery.main,
    "accounts": accounts.main,
    "mqtt": mqtt.main,
    "schedules": schedules.main,
    "playlists": playlists.main,
    "rest": rest.main,
    "start": start.main,
    "soak": soak.main,
}


def main() -> int:
    """Run what the command line names; without a name, list what there is."""
    names = sys.argv[1:]
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown or not names:
        for name, work in BENCHMARKS.items():
            print(f"{name:10} {sys.modules[work.__module__].__doc__}")
        return 2 if unknown else 0
    for name in names:
        BENCHMARKS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
