"""Everything that a plugin may import, on one page. Names that are not listed here may change."""

from antiphon.plugins.context import Jobs, PluginContext
from antiphon.plugins.devices import (
    DeviceDriver,
    DeviceReport,
    Devices,
    DeviceUpdate,
    DeviceView,
    StreamServer,
)
from antiphon.plugins.hookspecs import hookimpl
from antiphon.plugins.lists import Line, ListQuery, Page, left_out
from antiphon.plugins.media import (
    Media,
    MediaChoice,
    MediaRef,
    MediaRegistry,
    MediaSource,
    MediaTotals,
)
from antiphon.plugins.mqtt import Mqtt, MqttMessage, MqttOffer
from antiphon.plugins.routes import Admins, Everyone, Managers, Operators, Request, Route
from antiphon.plugins.schedules import ScheduleForecast, SchedulesOffer
from antiphon.plugins.speech import SpeechEngine, SpeechRegistry, Voice
from antiphon.plugins.zones import (
    AnnouncementView,
    ApiModel,
    CallOptions,
    CallRequest,
    CallStart,
    CallView,
    CallZoneView,
    Percent,
    PlaybackView,
    PlayRequest,
    Routing,
    TrackView,
    WhenCut,
    WhenQuiet,
    Zones,
)

__all__ = [
    "Admins",
    "AnnouncementView",
    "ApiModel",
    "CallOptions",
    "CallRequest",
    "CallStart",
    "CallView",
    "CallZoneView",
    "DeviceDriver",
    "DeviceReport",
    "DeviceUpdate",
    "DeviceView",
    "Devices",
    "Everyone",
    "Jobs",
    "Line",
    "ListQuery",
    "Managers",
    "Media",
    "MediaChoice",
    "MediaRef",
    "MediaRegistry",
    "MediaSource",
    "MediaTotals",
    "Mqtt",
    "MqttMessage",
    "MqttOffer",
    "Operators",
    "Page",
    "Percent",
    "PlayRequest",
    "PlaybackView",
    "PluginContext",
    "Request",
    "Route",
    "Routing",
    "ScheduleForecast",
    "SchedulesOffer",
    "SpeechEngine",
    "SpeechRegistry",
    "StreamServer",
    "TrackView",
    "Voice",
    "WhenCut",
    "WhenQuiet",
    "Zones",
    "hookimpl",
    "left_out",
]
