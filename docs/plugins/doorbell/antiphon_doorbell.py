"""A doorbell: `POST doorbell` speaks in every zone, and the log tells where it was not heard."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

from pydantic import BaseModel, ConfigDict

from antiphon.events import CallChanged
from antiphon.plugins import CallRequest, CallView, PluginContext, Request, Route, hookimpl
from antiphon.types import Band, CallState


class DoorbellSettings(BaseModel):
    """The section `[doorbell]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = "Somebody is at the door."
    chime: bool = True


@hookimpl
def antiphon_settings() -> type[BaseModel]:
    """What the section `[doorbell]` may hold."""
    return DoorbellSettings


@hookimpl
def antiphon_routes(context: PluginContext) -> Sequence[Route]:
    """`POST doorbell`, for everybody who can log in."""
    settings = cast(DoorbellSettings, context.settings)

    async def ring(request: Request[None, None]) -> CallView:
        call = CallRequest(text=settings.text, chime=settings.chime, all=True, band=Band.PAGE)
        return await context.zones.call(request.principal, call)

    return [
        Route(
            method="POST",
            path="doorbell",
            handler=ring,
            summary="Ring the doorbell",
            tag="doorbell",
            response=CallView,
            status=202,
        )
    ]


@hookimpl
def antiphon_services(context: PluginContext) -> Sequence[AbstractAsyncContextManager[None]]:
    """What runs as long as the server does."""
    return [watch(context)]


@asynccontextmanager
async def watch(context: PluginContext) -> AsyncIterator[None]:
    """Complain when the bell was not heard in a zone."""
    settings = cast(DoorbellSettings, context.settings)

    def follow(event: CallChanged) -> None:
        if event.title == settings.text and event.state is CallState.FAILED:
            context.log.warning("Zone %s did not hear the bell: %s", event.zone_id, event.reason)

    unsubscribe = context.bus.subscribe(CallChanged, follow)
    try:
        yield
    finally:
        unsubscribe()
