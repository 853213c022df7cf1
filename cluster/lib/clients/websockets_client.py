"""websockets, Python's usual library for sockets: two in a room, pings of both kinds, one that drops and comes back."""

from __future__ import annotations

import asyncio
import json
from typing import Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from report import ADDRESS, PASSWORD, SUFFIX, call, check, equal


class Session:
    """A socket that speaks the node's protocol."""

    def __init__(self, socket: ClientConnection):
        self.socket, self.state = socket, 0
        self.events: list = []
        self.last: dict = {}  # the newest `seq` of each subgroup

    async def frame(self) -> dict:
        frame = json.loads(await asyncio.wait_for(self.socket.recv(), 10))
        if "seq" in frame:
            self.last[frame["subgroup"]] = frame["seq"]
        return frame

    async def ask(self, command: str, data: dict) -> dict:
        self.state += 1
        await self.socket.send(json.dumps({"command": command, "state": self.state, "data": data}))
        while (frame := await self.frame()).get("state") != self.state:
            self.events.append(frame)
        if "error" in frame:
            raise AssertionError(f"{command}: {frame['error']}")
        return frame["data"]

    async def event(self, name: str, where: Callable[[dict], bool] = lambda data: True) -> dict:
        while True:
            for frame in self.events:
                if frame["command"] == name and where(frame["data"]):
                    self.events.remove(frame)
                    return frame["data"]
            self.events.append(await self.frame())


async def run() -> None:
    url = f"ws://{ADDRESS}/api/ws"
    with check("registers two"):
        ada, ben = (call("POST", "/api/auth/register", {"username": f"{name}_{SUFFIX}", "password": PASSWORD})
                    for name in ("wsa", "wsb"))

    with check("makes a world and an instance of it"):
        world = call("PUT", "/api/worlds", {"title": "By websockets"}, ada["token"])["id"]
        room = call("PUT", "/api/instances", {"world": world}, ada["token"])["id"]

    with check("opens a socket with the subprotocol, logged in by the upgrade"):
        first = Session(await connect(url, subprotocols=["avr.1"],
                                      additional_headers={"Authorization": f"Bearer {ada['token']}"}))
        equal("subprotocol", first.socket.subprotocol, "avr.1")
        # It offers compression by default, which the node need not take.
        equal("extensions", first.socket.protocol.extensions, [])
        equal("internal", (await first.event("authenticated"))["internal"], True)

    with check("opens another one and logs in by a command"):
        second = Session(await connect(url, subprotocols=["avr.1"]))
        resume = (await second.ask("authenticate", {"token": ben["token"]}))["resume"]
        resume = (await second.event("authenticated"))["resume"]

    with check("pings by a frame and by a command"):
        await asyncio.wait_for(await first.socket.ping(), 10)
        equal("what came back", (await first.ask("ping", {"time": 7}))["client"], 7)

    with check("enters with both, and the first hears of the second"):
        me = (await first.ask("instance-join", {"instance": room}))["player"]["id"]
        other = (await second.ask("instance-join", {"instance": room}))["player"]["id"]
        equal("who came", (await first.event("instance-joined"))["player"]["id"], other)

    with check("says something, which the other hears"):
        await first.ask("instance-data", {"instance": room, "data": {"say": "good evening"}})
        equal("event", await second.event("instance-data"),
              {"instance": room, "player": me, "data": {"say": "good evening"}})

    with check("drops without a goodbye, comes back and hears what it missed"):
        second.socket.transport.abort()
        await second.socket.wait_closed()
        await first.ask("instance-data", {"instance": room, "data": {"say": "are you there?"}})
        back = Session(await connect(url, subprotocols=["avr.1"]))
        answer = await back.ask("authenticate", {"token": ben["token"], "resume": resume, "last": second.last})
        equal("resumed, replayed", (answer["resumed"], answer["replayed"]), (True, True))
        equal("what was missed", (await back.event("instance-data"))["data"], {"say": "are you there?"})

    with check("speaks with the voice of the same player"):
        await back.ask("instance-data", {"instance": room, "data": {"say": "yes"}})
        equal("event", await first.event("instance-data"), {"instance": room, "player": other, "data": {"say": "yes"}})

    with check("is closed with a reason where it sends what may not be"):
        await back.socket.send(b"\x00")
        try:
            while True:
                await back.frame()
        except ConnectionClosed as closed:
            equal("code", closed.rcvd.code if closed.rcvd else None, 1003)

    with check("says goodbye, and the node does, too"):
        await first.socket.close()
        equal("code", first.socket.close_code, 1000)


asyncio.run(run())
