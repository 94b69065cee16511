"""A loudspeaker of your own: joins by a code, follows the volume that is wished, says how it is."""

import asyncio
import hashlib
import json
import secrets
import sys
from pathlib import Path
from urllib.parse import urlsplit

import aiomqtt


def client(url: str, username: str, password: str, **more: object) -> aiomqtt.Client:
    """A connection to the broker at `url`, as somebody."""
    broker = urlsplit(url)
    who = {"username": username, "password": password, "protocol": aiomqtt.ProtocolVersion.V5}
    return aiomqtt.Client(broker.hostname or "", broker.port or 1883, **who, **more)


async def join(url: str, device: str, secret: str) -> None:
    """Ask for an account of our own. A person lets us in by the code, which is never sent."""
    digest = hashlib.sha256(f"{device}:{secret}".encode()).digest()
    print("code", f"{int.from_bytes(digest[:8], 'big') % 1_000_000:06}", flush=True)
    newcomer = urlsplit(url)
    async with client(url, newcomer.username or "", newcomer.password or "") as broker:
        request = json.dumps({"device_id": device, "secret": secret})
        await broker.publish(f"antiphon/v1/enroll/{device}/request", request, qos=1)


async def play(url: str, device: str, secret: str) -> None:
    """Log in with our own account and be the loudspeaker, until the broker is away."""
    place = f"antiphon/v1/device/{device}"
    will = aiomqtt.Will(f"{place}/up/status", "offline", qos=1, retain=True)
    async with client(url, device, secret, will=will, clean_start=True) as broker:
        await broker.subscribe(f"{place}/down/#", qos=1)
        info = {"agent": {"name": "own-speaker", "version": "1"}, "hostname": device}
        await broker.publish(f"{place}/up/info", json.dumps(info), qos=1, retain=True)
        await broker.publish(f"{place}/up/status", "online", qos=1, retain=True)
        async for message in broker.messages:
            wish = json.loads(message.payload or b"{}")
            if message.topic.matches(f"{place}/down/desired") and wish:
                print("volume", wish["volume"], flush=True)  # turn your amplifier here
                state = {"rev": wish["rev"], "volume": wish["volume"]}
                await broker.publish(f"{place}/up/state", json.dumps(state), 1, retain=True)
            elif message.topic.matches(f"{place}/down/cmd/identify") and not message.retain:
                ack = {"id": wish["id"], "op": "identify", "status": "completed"}
                await broker.publish(f"{place}/up/ack", json.dumps(ack), 1)


def kept_secret(device: str) -> str:
    """What we log in with: made once, and readable by nobody else."""
    file = Path(f"{device}.secret")
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(32))
    return file.read_text()


async def main(url: str, device: str) -> None:
    """`url` is that for newcomers."""
    secret = kept_secret(device)
    while True:
        for attempt in (play, join):
            try:
                await attempt(url, device, secret)
            except aiomqtt.MqttError as error:
                print(error, file=sys.stderr)
        await asyncio.sleep(3)


asyncio.run(main(*sys.argv[1:3]))
