"""docs/reference/asyncapi.yaml as a judge of messages."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from tests.fakes.integrator import ROOT, Heard
from tests.plugins.homeassistant.schema import entities_in

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "asyncapi.yaml"
REPLY = "reply"
_ID = "[a-z0-9][a-z0-9_-]{0,62}"
_BELOW_ROOT = re.compile("(?:^|/)((?:server|client|device|enroll)/.+)")
_DISCOVERY = re.compile("/antiphon_[^/]+/[^/]+/config$")
_MIGRATE = b'{"migrate_discovery":true}'


class BreaksContract(AssertionError):
    """A message that the document does not know, or knows otherwise."""


@dataclass(frozen=True)
class Channel:
    """One address with what may be said there."""

    name: str
    pattern: re.Pattern[str]
    validator: Draft202012Validator
    is_text: bool
    retain: bool | None
    examples: tuple[Any, ...]


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text())
    return loaded


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = document()
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


@cache
def channels() -> tuple[Channel, ...]:
    """All channels that have an address."""
    return tuple(channel for channel in _all() if channel.name != REPLY)


@cache
def _all() -> tuple[Channel, ...]:
    retained: dict[str, bool] = {}
    for operation in document()["operations"].values():
        name = operation["channel"]["$ref"].rsplit("/", 1)[1]
        retained[name] = resolve(operation["bindings"])["mqtt"]["retain"]
    return tuple(
        _channel(n, resolve(c), retained.get(n)) for n, c in document()["channels"].items()
    )


def _channel(name: str, channel: dict[str, Any], retain: bool | None) -> Channel:
    address = channel["address"] or f"{ROOT}/client/{_ID}/.+"
    pattern = re.escape(address) if channel["address"] else address
    pattern = pattern.replace(r"\{", "{").replace(r"\}", "}")
    for parameter, described in channel.get("parameters", {}).items():
        choices = "|".join(resolve(described).get("enum", [_ID]))
        pattern = pattern.replace(f"{{{parameter}}}", f"(?:{choices})")
    (message,) = (resolve(m) for m in channel["messages"].values())
    schema = {**message["payload"], "components": document()["components"]}
    return Channel(
        name,
        re.compile(pattern + r"\Z"),
        Draft202012Validator(schema, format_checker=FormatChecker()),
        message.get("contentType") == "text/plain",
        retain,
        tuple(example["payload"] for example in message["examples"]),
    )


def channel_of(topic: str) -> Channel:
    """The channel of a topic below the root."""
    for channel in channels():
        if channel.pattern.match(f"{ROOT}/{topic}"):
            return channel
    raise BreaksContract(f"The document has no channel for {topic}")


def holds(heard: Heard) -> None:
    """Raise BreaksContract unless the document allows this message."""
    _judge(heard.topic, heard.payload, retain=heard.retain)


def published(topic: str, payload: bytes, *, retain: bool) -> None:
    """The same for something that server or agent are about to publish, below whatever root."""
    if _DISCOVERY.search(topic):
        if payload not in (b"", _MIGRATE):
            entities_in(topic, payload)
            if not retain:
                raise BreaksContract(f"{topic} is not retained")
        return
    found = _BELOW_ROOT.search(topic)
    if found is None:
        raise BreaksContract(f"{topic} is no topic of the contract")
    _judge(found[1], payload, retain=retain)


def said(topic: str, payload: bytes) -> None:
    """The same for what a broker passed on live, which does not tell the flag of the sender."""
    found = _BELOW_ROOT.search(topic)
    if found is None:
        raise BreaksContract(f"{topic} is no topic of the contract")
    _judge(found[1], payload, retain=None)


def _judge(topic: str, payload: bytes, *, retain: bool | None) -> None:
    try:
        channel = channel_of(topic)
    except BreaksContract:
        (channel,) = (one for one in _all() if one.name == REPLY)
        if not channel.pattern.match(f"{ROOT}/{topic}"):
            raise
    if not payload and (retain or channel.retain):
        return  # a retained topic that is emptied
    if retain is not None and retain != bool(channel.retain):
        raise BreaksContract(f"{topic} with retain {retain}")
    value = payload.decode() if channel.is_text else json.loads(payload)
    for mistake in channel.validator.iter_errors(value):
        raise BreaksContract(f"{topic}: {mistake.message} in {value}")
