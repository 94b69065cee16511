"""The plugin `mqtt`: what the server finds by its entry point."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from pydantic import BaseModel

from antiphon.plugins import PluginContext, Route, hookimpl
from antiphon_devices.routes import account_routes, joining_routes
from antiphon_devices.service import mqtt_service
from antiphon_devices.settings import MqttSettings


@hookimpl
def antiphon_settings() -> type[BaseModel]:
    """The section `[mqtt]`."""
    return MqttSettings


@hookimpl
def antiphon_models() -> Sequence[str]:
    """Accounts at the broker."""
    return ["antiphon_devices.accounts.models"]


@hookimpl
def antiphon_routes(context: PluginContext) -> Sequence[Route]:
    """The operations on newcomers and on accounts at the broker."""
    return [*joining_routes(context), *account_routes(context)]


@hookimpl
def antiphon_services(context: PluginContext) -> Sequence[AbstractAsyncContextManager[None]]:
    """The broker, where it is our own, and the bridge to it."""
    return [mqtt_service(context)]
