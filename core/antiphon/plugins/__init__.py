"""Everything that a plugin may import, on one page. Names that are not listed here may change."""

from antiphon.plugins.context import Jobs, PluginContext
from antiphon.plugins.devices import DeviceDriver, Devices, DeviceUpdate, DeviceView
from antiphon.plugins.hookspecs import hookimpl
from antiphon.plugins.lists import Line, ListQuery, Page, left_out
from antiphon.plugins.media import Media, MediaRef, MediaRegistry, MediaSource, MediaTotals
from antiphon.plugins.routes import Admins, Everyone, Managers, Operators, Request, Route
from antiphon.plugins.speech import SpeechEngine, SpeechRegistry, Voice
from antiphon.plugins.zones import (
    AnnouncementView,
    ApiModel,
    CallRequest,
    CallView,
    CallZoneView,
    Percent,
    PlaybackView,
    PlayRequest,
    TrackView,
    Zones,
)

__all__ = [
    "Admins",
    "AnnouncementView",
    "ApiModel",
    "CallRequest",
    "CallView",
    "CallZoneView",
    "DeviceDriver",
    "DeviceUpdate",
    "DeviceView",
    "Devices",
    "Everyone",
    "Jobs",
    "Line",
    "ListQuery",
    "Managers",
    "Media",
    "MediaRef",
    "MediaRegistry",
    "MediaSource",
    "MediaTotals",
    "Operators",
    "Page",
    "Percent",
    "PlayRequest",
    "PlaybackView",
    "PluginContext",
    "Request",
    "Route",
    "SpeechEngine",
    "SpeechRegistry",
    "TrackView",
    "Voice",
    "Zones",
    "hookimpl",
    "left_out",
]
