"""The start page in a real browser, before a real server with two zones that are fakes."""

from __future__ import annotations

from dataclasses import replace

from tests.core.api.conftest import Stage
from tests.fakes.browser import open_browser

from antiphon.api import serve
from antiphon.errors import Conflict
from antiphon.settings import HttpSettings
from antiphon.tenancy.models import User
from antiphon.tenancy.passwords import hash_password
from antiphon.types import CallState, Playback

PASSWORD = "a good password"
NASTY = "<img src=x onerror=\"document.title='owned'\">"


async def test_log_in_see_play_and_speak(stage: Stage) -> None:
    lobby, bar = stage.ours.shop.id, stage.ours.bar.id
    owner = await User.get(email="client.ours@x.example")
    owner.password_hash = await hash_password(PASSWORD)
    await owner.save()
    async with open_browser() as page:
        await page.open(stage.server.url)
        await page.until("!document.querySelector('#login').hidden")
        fill = "document.querySelector('#{0}').value = {1!r};"
        submit = "document.querySelector('#{0}').requestSubmit();"

        await page.run(fill.format("email", owner.email) + fill.format("password", "wrong one"))
        await page.run(submit.format("login"))
        await page.until("document.querySelector('#message').textContent.includes('wrong')")
        assert any("401" in complaint for complaint in page.complaints)
        page.complaints.clear()

        await page.run(fill.format("password", PASSWORD) + submit.format("login"))
        await page.until("document.querySelectorAll('.zone').length === 2")
        assert await page.run("document.querySelector('#connection').textContent") == "live"
        assert "Take Five" in await page.run("document.querySelector('.zone').innerText")

        # What the server says arrives by itself, and is shown as text whatever it is.
        track = stage.zones.by_id[lobby].track
        assert track is not None
        nasty = track.model_copy(update={"title": NASTY, "artist": NASTY})
        stage.zones.change(lobby, track=nasty, playback=Playback.PAUSED)
        await page.until(f"document.body.innerText.includes({NASTY!r})")
        assert await page.run("document.querySelectorAll('img').length") == 0
        assert await page.run("document.title") == "Antiphon"

        # Buttons and the slider command the zone that they belong to.
        name = stage.zones.by_id[lobby].name
        await page.run(f"document.querySelector('[aria-label=\"Play {name}\"]').click()")
        await page.until(f"document.querySelector('[aria-label=\"Pause {name}\"]')")
        volume = f"document.querySelector('[aria-label=\"Volume of {name}\"]')"
        await page.run(f"{volume}.value = 55; {volume}.dispatchEvent(new Event('change'))")
        await page.until(f"{volume}.nextElementSibling.textContent === '55 %'")
        assert [(asked[0], asked[2]) for asked in stage.zones.asked] == [
            ("resume", None),
            ("set_volume", 55),
        ]

        # A refusal is told in the server's words.
        stage.zones.trouble = Conflict("The queue of this zone is empty.")
        await page.run(f"document.querySelector('[aria-label=\"Next track in {name}\"]').click()")
        await page.until(
            "document.querySelector('#message').textContent === 'The queue of this zone is empty.'"
        )

        # A text is spoken in the chosen zone, and the card says so while it is.
        stage.zones.asked.clear()
        await page.run(fill.format("text", "Good morning.") + fill.format("where", str(bar)))
        await page.run(submit.format("speak"))
        await page.until("document.querySelector('#text').value === ''")
        ((_, _, request),) = stage.zones.asked
        assert (request.text, request.zones, request.chime) == ("Good morning.", [bar], True)
        (call,) = stage.zones.calls_by_id
        stage.zones.call_becomes(call, CallState.PLAYING)
        await page.until("document.querySelector('.zone.speaking .voice')")
        assert "Good morning." in await page.run("document.querySelector('.speaking').innerText")

        # A phone shows it without scrolling sideways, and a token that is gone leads to the log-in.
        await page.resize(360, 740)
        assert await page.run("document.documentElement.scrollWidth") <= 360
        assert [c for c in page.complaints if "409" not in c] == []
        await page.run("document.querySelector('#logout').click()")
        assert await page.run("localStorage.length") == 0
        assert not await page.run("document.querySelector('#login').hidden")


async def test_the_page_connects_again_when_the_server_was_away(
    stage: Stage,
) -> None:
    says = "document.querySelector('#connection')?.textContent ==="
    async with open_browser() as page:
        async with serve(stage.parts) as first:
            await page.open(f"{first.url}/static/style.css")  # any page of the origin
            await page.run(f"localStorage.setItem('antiphon.token', {stage.owner.token!r})")
            await page.command("Page.navigate", url=first.url)
            await page.until(f"{says} 'live'")
        await page.until(f"{says} 'connecting again…'")
        stage.zones.change(stage.ours.shop.id, volume=81)  # nobody tells the page
        async with serve(replace(stage.parts, http=HttpSettings(port=first.port))):
            await page.until(f"{says} 'live'")
            await page.until("document.body.innerText.includes('81 %')")
