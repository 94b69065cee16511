"""The settings: their models, and how they are read from files and variables."""

from antiphon.settings.check import check_section
from antiphon.settings.load import Loaded, disabled_plugins, load
from antiphon.settings.models import (
    AdminSettings,
    AudioSettings,
    DatabaseSettings,
    HttpSettings,
    LogSettings,
    Section,
    Settings,
    SnapcastSettings,
)
from antiphon.settings.safety import check_private

__all__ = [
    "AdminSettings",
    "AudioSettings",
    "DatabaseSettings",
    "HttpSettings",
    "Loaded",
    "LogSettings",
    "Section",
    "Settings",
    "SnapcastSettings",
    "check_private",
    "check_section",
    "disabled_plugins",
    "load",
]
