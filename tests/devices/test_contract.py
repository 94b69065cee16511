"""docs/reference: the document is sound, and tells exactly what the code does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from tests.devices.contract import DOCUMENT, Channel, channels, document, resolve
from tests.fakes.integrator import ROOT

from antiphon.types import CallState
from antiphon_devices import payloads, reports
from antiphon_devices.topics import parse

GUIDE = DOCUMENT.with_name("mqtt.md")
SCHEMAS: dict[str, type[BaseModel]] = {
    "ServerInfo": payloads.ServerInfo,
    "ClientInfo": payloads.ClientInfo,
    "ClientState": payloads.ClientState,
    "Alert": payloads.Alert,
    "ZoneInfo": payloads.ZoneInfo,
    "ZoneState": payloads.ZoneState,
    "Track": payloads.Track,
    "AnnouncementEvent": payloads.AnnouncementEvent,
    "TrackEvent": payloads.TrackEvent,
    "FaultEvent": payloads.FaultEvent,
    "ScheduleEvent": payloads.ScheduleEvent,
    "Ack": payloads.Ack,
    "MirrorInfo": payloads.DeviceInfo,
    "MirrorState": payloads.DeviceState,
    "Desired": payloads.Desired,
    "Command": payloads.Command,
    "Announce": payloads.AnnounceCommand,
    "StopAnnouncement": payloads.StopAnnouncementCommand,
    "Play": payloads.PlayCommand,
    "DeviceState": payloads.AgentState,
    "DeviceInfo": reports.AgentInfo,
    "DeviceAck": reports.AgentAck,
    "DeviceTelemetry": reports.AgentTelemetry,
    "EnrolRequest": reports.HeardEnrolRequest,
    "DeviceOrder": reports.DeviceOrder,
    "MirrorOrder": payloads.OrderCommand,
}


def _names(channel: Channel) -> str:
    return channel.name


@pytest.mark.parametrize("channel", channels(), ids=_names)
def test_examples_obey_their_own_schema(channel: Channel) -> None:
    assert channel.examples
    for example in channel.examples:
        channel.validator.validate(example)


@pytest.mark.parametrize("channel", channels(), ids=_names)
def test_every_address_is_a_topic_of_the_code_and_explained_in_the_guide(channel: Channel) -> None:
    address = document()["channels"][channel.name]["address"]
    filled = address.replace("{op}", "identify" if "device/" in address else "next")
    for parameter in ("clientId", "zoneId", "deviceId", "alertId"):
        filled = filled.replace(f"{{{parameter}}}", "x1")
    topic = parse(ROOT, filled)
    assert channel.pattern.match(filled)
    assert channel.retain == topic.kind.retained
    end = topic.kind.value if topic.name is None else f"{topic.kind.value}/{topic.name}"
    if topic.name == "x1":
        end = f"{topic.kind.value}/"
    assert f"`{end}" in GUIDE.read_text()


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_have_the_keys_of_the_code(name: str) -> None:
    schema: dict[str, Any] = document()["components"]["schemas"][name]
    keys = set(schema["properties"])
    for part in schema.get("allOf", []):
        keys |= set(resolve(part)["properties"])
    model = SCHEMAS[name]
    if issubclass(model, payloads.Written):
        assert keys == set(model.model_fields)
        assert set(schema["required"]) == keys
        assert schema["additionalProperties"] is False
    else:
        assert set(model.model_fields) <= keys


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("DeviceInfo", reports.UpInfo),
        ("DeviceState", reports.UpState),
        ("DeviceTelemetry", reports.UpTelemetry),
        ("EnrolRequest", reports.EnrolRequest),
        ("DeviceAck", payloads.Ack),
    ],
)
def test_the_agent_writes_every_key_that_there_is(name: str, model: type[BaseModel]) -> None:
    assert set(document()["components"]["schemas"][name]["properties"]) == set(model.model_fields)


@pytest.mark.parametrize(
    "enumeration",
    [
        payloads.AckStatus,
        payloads.Activity,
        CallState,
        payloads.TrackEventType,
        payloads.FaultEventType,
        payloads.ScheduleEventType,
    ],
)
def test_words_are_the_codes_words(enumeration: Any) -> None:
    schemas = document()["components"]["schemas"]
    told = {
        payloads.AckStatus: schemas["Ack"]["properties"]["status"],
        payloads.Activity: schemas["ZoneState"]["properties"]["activity"],
        CallState: schemas["AnnouncementEvent"]["properties"]["event_type"],
        payloads.TrackEventType: schemas["TrackEvent"]["properties"]["event_type"],
        payloads.FaultEventType: schemas["FaultEvent"]["properties"]["event_type"],
        payloads.ScheduleEventType: schemas["ScheduleEvent"]["properties"]["event_type"],
    }[enumeration]
    assert told["enum"] == [word.value for word in enumeration]


def test_commands_in_the_documents_examples_are_understood() -> None:
    models: dict[str, type[payloads.Command]] = {
        "zoneAnnounce": payloads.AnnounceCommand,
        "zonePlay": payloads.PlayCommand,
        "zoneStopAnnouncement": payloads.StopAnnouncementCommand,
        "zoneCommand": payloads.Command,
        "zoneSet": payloads.SetDocument,
    }
    for channel in channels():
        if channel.name in models:
            for example in channel.examples:
                models[channel.name].model_validate_json(json.dumps(example))


def test_every_reference_in_the_document_leads_somewhere() -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                resolve(node)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document())
    assert Path(DOCUMENT).read_text().count("\t") == 0
