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

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "asyncapi.yaml"
_ID = "[a-z0-9][a-z0-9_-]{0,62}"


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
    retained: dict[str, bool] = {}
    for operation in document()["operations"].values():
        name = operation["channel"]["$ref"].rsplit("/", 1)[1]
        retained[name] = resolve(operation["bindings"])["mqtt"]["retain"]
    return tuple(
        _channel(n, resolve(c), retained.get(n)) for n, c in document()["channels"].items()
    )


def _channel(name: str, channel: dict[str, Any], retain: bool | None) -> Channel:
    pattern = re.escape(channel["address"]).replace(r"\{", "{").replace(r"\}", "}")
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
    for channel in channels():
        if channel.pattern.match(f"{ROOT}/{topic}"):
            return channel
    raise BreaksContract(f"The document has no channel for {topic}")


def holds(heard: Heard) -> None:
    """Raise BreaksContract unless the document allows this message of the server's."""
    channel = channel_of(heard.topic)
    if re.match(f"device/{_ID}/up/", heard.topic):
        return  # the server reads there, others write
    if not heard.payload and heard.retain:
        return  # a retained topic that is emptied
    if heard.retain != bool(channel.retain):
        raise BreaksContract(f"{heard.topic} with retain {heard.retain}")
    value = heard.payload.decode() if channel.is_text else json.loads(heard.payload)
    for mistake in channel.validator.iter_errors(value):
        raise BreaksContract(f"{heard.topic}: {mistake.message} in {value}")
