"""The settings: their models, and how they are read from files and variables."""

from antiphon.settings.check import check_section
from antiphon.settings.load import Loaded, disabled_plugins, load
from antiphon.settings.models import (
    AccountSettings,
    AdminSettings,
    AudioSettings,
    DatabaseSettings,
    HttpSettings,
    LogSettings,
    MailSettings,
    Section,
    Settings,
    SnapcastSettings,
)
from antiphon.settings.safety import check_private

__all__ = [
    "AccountSettings",
    "AdminSettings",
    "AudioSettings",
    "DatabaseSettings",
    "HttpSettings",
    "Loaded",
    "LogSettings",
    "MailSettings",
    "Section",
    "Settings",
    "SnapcastSettings",
    "check_private",
    "check_section",
    "disabled_plugins",
    "load",
]
