"""Carries an error from a worker to the main process: its class by name, its message, its data."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from antiphon.errors import AntiphonError, FieldError, JobFailed

_PLAIN = (str, int, float, bool, type(None))


def pack(error: AntiphonError) -> dict[str, Any]:
    """What `unpack` needs, as JSON. `kinds` are the names of the class and its bases, in order."""
    kinds = [
        f"{kind.__module__}:{kind.__qualname__}"
        for kind in type(error).__mro__
        if issubclass(kind, AntiphonError)
    ]
    plain = {key: value for key, value in vars(error).items() if isinstance(value, _PLAIN)}
    packed: dict[str, Any] = {"kinds": kinds, "message": str(error), "plain": plain}
    fields = getattr(error, "errors", None)
    if isinstance(fields, list) and all(isinstance(item, FieldError) for item in fields):
        packed["fields"] = [[item.field, item.message] for item in fields]
    return packed


def unpack(packed: dict[str, Any]) -> AntiphonError:
    """The same error, or the nearest of its bases that this process knows.

    A class outside the tree of `antiphon.errors` is only found if its module is imported here
    already: who does not know it can not be waiting for it.
    """
    for name in packed["kinds"]:
        module_name, _, kind_name = name.partition(":")
        if module_name == "antiphon.errors":
            importlib.import_module(module_name)
        kind = getattr(sys.modules.get(module_name), kind_name, None)
        if isinstance(kind, type) and issubclass(kind, AntiphonError):
            # Constructors take facts and write the sentence; here the sentence is there already.
            error = kind.__new__(kind, packed["message"])
            error.args = (packed["message"],)
            vars(error).update(packed["plain"])
            if "fields" in packed:
                vars(error)["errors"] = [FieldError(*field) for field in packed["fields"]]
            return error
    return JobFailed("?", packed["message"])
