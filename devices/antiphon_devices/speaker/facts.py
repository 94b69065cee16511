"""What a loudspeaker can tell of its hardware. What can not be read is None."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from antiphon_devices.reports import UpTelemetry

T = TypeVar("T")
_NET = Path("/sys/class/net")


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _text(*paths: str) -> str | None:
    for path in paths:
        text = _or_none(lambda path=path: Path(path).read_text().strip("\0 \n"))  # type: ignore[misc]
        if text:
            return text
    return None


def hostname() -> str:
    """The name of this machine."""
    return socket.gethostname()


def mac() -> str | None:
    """The address of the interface that leads out, or of the first one there is."""
    routes = (_text("/proc/net/route") or "").splitlines()[1:]
    names = [line.split()[0] for line in routes if line.split()[1:2] == ["00000000"]]
    names += sorted(path.name for path in _or_none(lambda: list(_NET.iterdir())) or [])
    for name in names:
        address = _text(f"{_NET}/{name}/address")
        if address and len(address) == 17 and address != "00:00:00:00:00:00":
            return address
    return None


def model() -> str | None:
    """The kind of computer."""
    return _text("/proc/device-tree/model", "/sys/class/dmi/id/product_name")


def manufacturer() -> str | None:
    """Who made it."""
    return _text("/sys/class/dmi/id/sys_vendor")


def serial() -> str | None:
    """The number of this one."""
    return _text("/proc/device-tree/serial-number")


def booted_at() -> datetime | None:
    """When it was switched on."""

    def read() -> datetime:
        lines = Path("/proc/stat").read_text().splitlines()
        seconds = next(line.split()[1] for line in lines if line.startswith("btime "))
        return datetime.fromtimestamp(int(seconds), UTC)

    return _or_none(read)


def address_towards(host: str) -> str | None:
    """Our own address on the way to `host`. Looks the name up, so it may take a while."""

    def read() -> str:
        family, _, _, _, address = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0])

    return _or_none(read)


class Gauges:
    """Reads the figures of telemetry; the processor's load is that since the last reading."""

    def __init__(self) -> None:
        self._ticks = _or_none(_ticks)

    def read(self, output_level_db: float | None) -> UpTelemetry:
        """All figures of now, with the level as given. Reads files only, so it is quick."""
        disk = _or_none(lambda: shutil.disk_usage("/"))
        return UpTelemetry(
            uptime_s=_or_none(lambda: float(Path("/proc/uptime").read_text().split()[0])),
            cpu_pct=self._cpu(),
            cpu_temp_c=_or_none(_temperature),
            mem_used_pct=_or_none(_memory),
            disk_used_pct=round(100 * disk.used / disk.total, 1) if disk and disk.total else None,
            wifi_rssi_dbm=_or_none(_wifi),
            output_level_db=output_level_db,
        )

    def _cpu(self) -> float | None:
        before, self._ticks = self._ticks, _or_none(_ticks)
        if before is None or self._ticks is None or self._ticks[1] <= before[1]:
            return None
        busy, total = self._ticks[0] - before[0], self._ticks[1] - before[1]
        return round(100 * busy / total, 1)


def _ticks() -> tuple[int, int]:
    ticks = [int(part) for part in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def _temperature() -> float:
    return round(int(Path("/sys/class/thermal/thermal_zone0/temp").read_text()) / 1000, 1)


def _memory() -> float:
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    sizes = {parts[0].rstrip(":"): int(parts[1]) for parts in lines}
    total, available = sizes.get("MemTotal", 0), sizes.get("MemAvailable", 0)
    if not total:
        raise ValueError("no sizes")
    return round(100 * (total - available) / total, 1)


def _wifi() -> float:
    line = Path("/proc/net/wireless").read_text().splitlines()[2]
    return float(line.split()[3].rstrip("."))
