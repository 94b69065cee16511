"""Snapcast: a stream per zone, and the loudspeakers that hear them."""

from antiphon.streams.config import SAFE_VOLUME, UNASSIGNED, is_ours, stream_name, zone_of
from antiphon.streams.news import ClientChanged, ClientNews, ClientsSynced, ServerLost
from antiphon.streams.snapcast import Snapcast
from antiphon.streams.state import SnapClient

__all__ = [
    "SAFE_VOLUME",
    "UNASSIGNED",
    "ClientChanged",
    "ClientNews",
    "ClientsSynced",
    "ServerLost",
    "SnapClient",
    "Snapcast",
    "is_ours",
    "stream_name",
    "zone_of",
]
