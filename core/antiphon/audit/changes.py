"""What may be told of a change: fields from what to what, and never a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

HIDDEN = "(hidden)"
_MAX_TEXT = 500
_MAX_ITEMS = 50
_MAX_DEPTH = 4
# Words of a field's name that mean a secret; `key` alone counts at the end: `api_key`.
_SECRET = re.compile(
    r"passw|passphrase|secret|token|credential|authorization|cookie|private|(^|_)(key|pin|otp)$",
    re.IGNORECASE,
)
_PASSWORD_IN_URL = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(@)")
# Changes by itself with every change, or with the music.
_RESTLESS = frozenset({"updated_at", "last_seen", "playback", "last_used_at"})


def told(model: BaseModel | None) -> dict[str, Any]:
    """The fields of a body that were given, fit to be kept."""
    if model is None:
        return {}
    fields: dict[str, Any] = cleaned(model.model_dump(mode="json", exclude_unset=True))
    return fields


def differences(before: BaseModel, after: BaseModel) -> dict[str, Any]:
    """Each field that differs, as `{"from": …, "to": …}`; of a secret it is told that it did."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    return {
        name: {"from": _field(name, old.get(name)), "to": _field(name, value)}
        for name, value in new.items()
        if name not in _RESTLESS and old.get(name) != value
    }


def cleaned(value: Any, depth: int = 0) -> Any:
    """`value` (of JSON) without secrets, not larger than anybody reads, and storable anywhere."""
    if isinstance(value, str):
        return text(value, _MAX_TEXT)
    if depth >= _MAX_DEPTH and isinstance(value, list | dict):
        return "…"
    if isinstance(value, dict):
        some = list(value.items())[:_MAX_ITEMS]
        return {text(str(name), 100): _field(str(name), item, depth + 1) for name, item in some}
    if isinstance(value, list):
        some = [cleaned(item, depth + 1) for item in value[:_MAX_ITEMS]]
        more = len(value) - len(some)
        return [*some, f"… and {more} more"] if more else some
    return value


def text(value: str, most: int) -> str:
    """`value` as any database can hold it, without the password in an address, and cut."""
    value = value.encode("utf-8", "replace").decode().replace("\0", "")
    value = _PASSWORD_IN_URL.sub(rf"\1{HIDDEN}\2", value)
    return value if len(value) <= most else value[: most - 1] + "…"


def _field(name: str, value: Any, depth: int = 0) -> Any:
    if _SECRET.search(name) and value is not None and not isinstance(value, bool):
        return HIDDEN
    return cleaned(value, depth)


def name_of(view: Mapping[str, Any]) -> str:
    """What people call the thing of a view."""
    for field in ("name", "title", "email", "filename", "label"):
        if isinstance(found := view.get(field), str) and found:
            return text(found, 300)
    return ""
