"""A loudspeaker of your own: follows the volume that is wished, and says how it is."""

import asyncio
import json
import sys
from urllib.parse import urlsplit

import aiomqtt


async def main(url: str, device: str) -> None:
    """Log in at the broker and be the loudspeaker `device`; connects again when that is lost."""
    place = f"antiphon/v1/device/{device}"
    broker = urlsplit(url)
    while True:
        try:
            async with aiomqtt.Client(
                broker.hostname or "localhost",
                broker.port or 1883,
                username=broker.username,
                password=broker.password,
                identifier=device,
                protocol=aiomqtt.ProtocolVersion.V5,
                clean_start=True,
                will=aiomqtt.Will(f"{place}/up/status", "offline", qos=1, retain=True),
            ) as client:
                await client.subscribe(f"{place}/down/#", qos=1)
                info = {"agent": {"name": "own-speaker", "version": "1"}, "hostname": device}
                await client.publish(f"{place}/up/info", json.dumps(info), qos=1, retain=True)
                await client.publish(f"{place}/up/status", "online", qos=1, retain=True)
                async for message in client.messages:
                    wish = json.loads(message.payload or b"{}")
                    if message.topic.matches(f"{place}/down/desired") and wish:
                        print("volume", wish["volume"], flush=True)  # turn your amplifier here
                        state = {"rev": wish["rev"], "volume": wish["volume"]}
                        await client.publish(f"{place}/up/state", json.dumps(state), 1, retain=True)
                    elif message.topic.matches(f"{place}/down/cmd/identify") and not message.retain:
                        ack = {"id": wish["id"], "op": "identify", "status": "completed"}
                        await client.publish(f"{place}/up/ack", json.dumps(ack), 1)
        except aiomqtt.MqttError:
            await asyncio.sleep(5)


asyncio.run(main(*sys.argv[1:3]))
