"""The page that shows the API's document, in a real browser."""

from __future__ import annotations

from tests.core.api.conftest import Stage
from tests.fakes.browser import open_browser


async def test_every_operation_can_be_found_and_read(stage: Stage) -> None:
    document = (await stage.nobody.get("openapi.json")).json
    operations = sum(len(of_path) for of_path in document["paths"].values())
    async with open_browser() as page:
        await page.open(f"{stage.server.url}/api/v1/docs#post_calls")
        await page.until(f"document.querySelectorAll('details').length === {operations}")
        opened = await page.run("document.querySelector('details[open]').innerText")
        for told in ("The shop closes in ten minutes.", '"page"', "CallZoneView", "unavailable"):
            assert told in opened
        await page.run(
            "const box = document.querySelector('#find'); box.value = 'POST volume';"
            "box.dispatchEvent(new Event('input'))"
        )
        shown = "[...document.querySelectorAll('details:not([hidden])')].map((one) => one.id)"
        assert await page.run(shown) == [
            "post_zones_zone_id_playback_volume",
            "post_devices_device_id_volume",
        ]
        assert page.complaints == []
