from __future__ import annotations

from pathlib import Path
from uuid import UUID

from antiphon.settings.models import SnapcastSettings
from antiphon.streams import UNASSIGNED, is_ours, stream_name, zone_of
from antiphon.streams.config import Ports, pipe_source, render, tcp_source
from antiphon.streams.memory import Memory

ZONE = UUID("0123456789abcdef0123456789abcdef")


def test_streams_are_named_by_zone_and_found_again() -> None:
    assert stream_name(ZONE) == "zone-0123456789abcdef0123456789abcdef"
    assert zone_of(stream_name(ZONE)) == ZONE
    assert stream_name(None) == UNASSIGNED
    for other in (UNASSIGNED, "default", "zone-", "zone-kitchen", "Zone-" + ZONE.hex):
        assert zone_of(other) is None
    assert is_ours(UNASSIGNED)
    assert not is_ours("Spotify")
    assert not is_ours("zone-kitchen")


def test_control_is_on_loopback_whatever_loudspeakers_connect_to() -> None:
    settings = SnapcastSettings(bind="0.0.0.0", codec="opus", buffer_ms=700, chunk_ms=40)
    text = render(settings, Ports(stream=1, control=2, http=3), ["pipe:///a", "pipe:///b"])
    sections = {part.split("]")[0]: part for part in text.split("[")[1:]}
    for control in ("http", "tcp"):
        assert "bind_to_address = 127.0.0.1" in sections[control]
    assert "port = 2\n" in sections["tcp"]
    assert "port = 3\n" in sections["http"]
    stream = sections["stream"].splitlines()
    assert "bind_to_address = 0.0.0.0" in stream
    for line in ("port = 1", "codec = opus", "buffer = 700", "chunk_ms = 40"):
        assert line in stream
    assert [line for line in stream if line.startswith("source")] == [
        "source = pipe:///a",
        "source = pipe:///b",
    ]


def test_paths_can_not_break_out_of_a_source() -> None:
    source = pipe_source(Path("/run/my building?\n&#/zone.fifo"), "zone-1")
    assert source.startswith("pipe:///run/my%20building%3F%0A%26%23/zone.fifo?name=zone-1&")
    assert "mode=read" in source


def test_a_tcp_source_says_all_that_the_other_server_must_know() -> None:
    source = tcp_source("10.0.0.5", 4953, "zone-1", SnapcastSettings(codec="pcm", chunk_ms=40))
    address, _, query = source.partition("?")
    assert address == "tcp://10.0.0.5:4953"
    assert set(query.split("&")) == {
        "name=zone-1",
        "mode=client",
        "sampleformat=48000:16:2",
        "codec=pcm",
        "chunk_ms=40",
    }


def test_a_damaged_memory_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "snapcast" / "antiphon.json"
    memory = Memory(path)
    memory.kept.zones = {ZONE}
    memory.kept.ports["stream"] = 1704
    memory.save()
    assert Memory(path).kept == memory.kept
    path.write_text('{"zones": ["01')
    again = Memory(path)
    assert again.kept.zones == set()
    again.save()
    assert Memory(path).kept.ports == {}
