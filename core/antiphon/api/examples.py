"""Makes an example of a JSON schema, for the API's document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BY_FORMAT = {
    "uuid": "3f2a9c1e-8b64-4d0f-9a57-2f6c1d0e7b35",
    "date-time": "2026-03-01T12:00:00Z",
    "date": "2026-03-01",
    "time": "22:00:00",
    "binary": "(the file)",
}
_DEPTH = 6


def example_of(schema: Mapping[str, Any], components: Mapping[str, Any], depth: int = 0) -> Any:
    """A value that fits `schema`, whose references lead into `components`."""
    for key in ("example", "const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    if examples := schema.get("examples"):
        return examples[0]
    if choices := schema.get("enum"):
        return choices[0]
    if reference := schema.get("$ref"):
        if depth > _DEPTH:
            return {}
        return example_of(components[reference.rsplit("/", 1)[-1]], components, depth + 1)
    for key in ("anyOf", "oneOf", "allOf"):
        if options := schema.get(key):
            return example_of(options[0], components, depth)
    return _plain(schema, components, depth)


def _plain(schema: Mapping[str, Any], components: Mapping[str, Any], depth: int) -> Any:
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: example_of(one, components, depth) for name, one in properties.items()}
        case "array":
            item = schema.get("items")
            return [example_of(item, components, depth)] if item and depth <= _DEPTH else []
        case "string":
            return _BY_FORMAT.get(schema.get("format", ""), schema.get("title", "text").lower())
        case "integer":
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        case "number":
            return float(schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1))
        case "boolean":
            return True
    return None
