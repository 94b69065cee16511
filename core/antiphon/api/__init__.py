"""The API: REST, WebSocket and the pages, over one HTTP port."""

from antiphon.api.health import PartsTold
from antiphon.api.metrics import Metrics
from antiphon.api.parts import ApiParts, HealthCheck, Live, LiveFormat, PartHealth, PluginView
from antiphon.api.server import Server, core_operations, serve

__all__ = [
    "ApiParts",
    "HealthCheck",
    "Live",
    "LiveFormat",
    "Metrics",
    "PartHealth",
    "PartsTold",
    "PluginView",
    "Server",
    "core_operations",
    "serve",
]
