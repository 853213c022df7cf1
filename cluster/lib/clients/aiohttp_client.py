"""aiohttp: calls and sockets by one library, with kept connections, bodies in chunks and forms."""

from __future__ import annotations

import asyncio
import hashlib
import os
from typing import AsyncIterator, Callable

from aiohttp import ClientSession, ClientTimeout, ClientWebSocketResponse, FormData, WSMsgType

from report import ADDRESS, PASSWORD, SUFFIX, check, equal


async def ask(session: ClientSession, method: str, path: str, status: int = 200, **more) -> dict:
    async with session.request(method, path, **more) as answer:
        value = await answer.json()
        equal(f"{method} {path}, which answered {value}", answer.status, status)
        return value["data"]


async def until(socket: ClientWebSocketResponse, is_it: Callable[[dict], bool]) -> dict:
    """The first frame for which it holds; those before it are not looked at again."""
    while True:
        frame = await socket.receive_json(timeout=10)
        if is_it(frame):
            return frame


async def command(socket: ClientWebSocketResponse, name: str, state: str, data: dict) -> dict:
    await socket.send_json({"command": name, "state": state, "data": data})
    frame = await until(socket, lambda frame: frame.get("state") == state)
    if "error" in frame:
        raise AssertionError(f"{name}: {frame['error']}")
    return frame["data"]


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 65_536):
        yield content[start:start + 65_536]


async def run() -> None:
    async with ClientSession(f"http://{ADDRESS}", timeout=ClientTimeout(total=20)) as session:
        people: list = []
        with check("registers two, and logs in"):
            for name in ("aioa", "aiob"):
                login = {"username": f"{name}_{SUFFIX}", "password": PASSWORD}
                await ask(session, "POST", "/api/auth/register", 201, json=login)
                token = (await ask(session, "POST", "/api/auth/login", json=login))["token"]
                people.append({"Authorization": f"Bearer {token}"})
        ada, ben = people

        with check("makes a world, an asset and an instance"):
            world = (await ask(session, "PUT", "/api/worlds", 201, json={"title": "By aiohttp"}, headers=ada))["id"]
            asset = (await ask(session, "PUT", f"/api/worlds/{world}/assets", 201, headers=ada, json={
                "version": "1", "engine": "unity", "platform": "linux"}))["id"]
            room = (await ask(session, "PUT", "/api/instances", 201, json={"world": world}, headers=ada))["id"]

        content = os.urandom(1_000_000)
        digest = hashlib.sha256(content).hexdigest()
        file = f"/api/worlds/{world}/assets/{asset}/file"
        with check("uploads a file in chunks, whose length it does not tell"):
            got = await ask(session, "POST", file, data=chunks(content),
                            headers={**ada, "Content-Type": "application/octet-stream"})
            equal("hash, size", (got["hash"], got["size"]), (digest, len(content)))

        with check("uploads it as a form"):
            form = FormData()
            form.add_field("file", content, filename="world.bin", content_type="application/octet-stream")
            equal("hash", (await ask(session, "POST", file, data=form, headers=ada))["hash"], digest)

        with check("downloads the end of it"):
            async with session.get(file, headers={"Range": "bytes=-1000"}) as answer:
                equal("status", answer.status, 206)
                equal("Content-Range", answer.headers["Content-Range"], "bytes 999000-999999/1000000")
                equal("the bytes are the same", await answer.read() == content[-1000:], True)

        with check("opens two sockets and enters with both"):
            first, second = [await session.ws_connect("/api/ws", protocols=["avr.1"], headers=who, heartbeat=5)
                             for who in people]
            equal("subprotocol", first.protocol, "avr.1")
            await command(first, "instance-join", "enter", {"instance": room})
            player = (await command(second, "instance-join", "enter", {"instance": room}))["player"]["id"]

        with check("says something to the other, which hears it"):
            await command(second, "instance-data", "talk", {"instance": room, "data": "good evening"})
            frame = await until(first, lambda frame: frame["command"] == "instance-data")
            equal("event", (frame["subgroup"], frame["data"]),
                  (room, {"instance": room, "player": player, "data": "good evening"}))

        with check("pings"):
            equal("what came back", (await command(first, "ping", "time", {"time": 12}))["client"], 12)

        with check("leaves by a goodbye, and the other is told"):
            await second.close()
            equal("code", second.close_code, 1000)
            frame = await until(first, lambda frame: frame["command"] == "instance-left")
            equal("event", (frame["data"]["player"], frame["data"]["type"]), (player, 4))

        with check("is told when its login ends, and the socket is closed for it"):
            await ask(session, "DELETE", "/api/auth/logout", headers=ada)
            while (message := await first.receive(timeout=10)).type == WSMsgType.TEXT:
                pass
            equal("code", first.close_code, 4401)


asyncio.run(run())
