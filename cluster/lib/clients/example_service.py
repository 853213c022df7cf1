"""The example of docs/client/services.md as it is: registered, asked over HTTP and by the socket, stopped and back."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from websockets.asyncio.client import connect

from report import ADDRESS, PASSWORD, SUFFIX, call, check, equal

SCRIPT = os.environ["SERVICE"]
ADMINISTRATOR = json.loads(os.environ["ADMINISTRATOR"])
NAME = f"org.example.greeter-{SUFFIX}"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def ask(method: str, path: str, token: str = "", body: object = None, base: str = f"http://{ADDRESS}") -> tuple:
    """The status and what was said, whichever it was."""
    request = urllib.request.Request(
        base + path, method=method, data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


def wait(path: str, status: int, within: float = 40) -> None:
    """Until a path is answered so: the node looks every 30 s whether a service is there."""
    end = time.monotonic() + within
    while (found := ask("GET", path))[0] != status:
        if time.monotonic() > end:
            raise AssertionError(f"{path} is answered {found}, not {status}")
        time.sleep(0.1)


async def said(own: dict) -> None:
    async with connect(f"ws://{ADDRESS}/api/ws?token={own['token']}") as client, \
            connect(f"ws://{ADDRESS}/api/ws?token={own['token']}") as other:
        async def frame(of, command: str, **more) -> dict:
            while True:
                found = json.loads(await asyncio.wait_for(of.recv(), 10))
                if found["command"] == command and all(found.get(key) == value for key, value in more.items()):
                    return found
        await frame(client, "authenticated")
        await other.send(json.dumps({"command": "subscribe", "data": {"events": [NAME]}}))
        await frame(other, "subscribed")
        with check("answers by its own subgroup, and tells who listens"):
            # Its socket comes up a moment after its port.
            for number in range(100):
                await client.send(json.dumps(
                    {"command": "greet", "subgroup": NAME, "state": number, "data": {"word": "hello"}}))
                while (found := json.loads(await asyncio.wait_for(client.recv(), 10))).get("state") != number:
                    pass
                if "error" not in found:
                    break
                equal("while it has no socket", found["error"]["code"], 65)
                await asyncio.sleep(0.1)
            equal("answer", (found["subgroup"], found["data"]), (NAME, {"count": 1}))
            equal("what others hear", (await frame(other, "greeted", subgroup=NAME))["data"], {"count": 1})


def run() -> None:
    port = free_port()
    with check("an administrator registers it"):
        administrator = call("POST", "/api/auth/login", ADMINISTRATOR)["token"]
        made = call("PUT", "/api/services", {
            "id": NAME, "title": "Greeter", "address": f"127.0.0.1:{port}", "secure": False}, administrator)
        own = call("POST", "/api/auth/register", {"username": f"svc_{SUFFIX}", "password": PASSWORD})
        me = own["user"]["id"]
        equal("before it runs", ask("GET", f"/services/{NAME}/")[0], 502)

    def start() -> subprocess.Popen:
        return subprocess.Popen([sys.executable, SCRIPT, f"http://{ADDRESS}", NAME, made["credential"], str(port)])

    service = start()
    try:
        with check("it is found to be up"):
            wait(f"/services/{NAME}/", 200)
        with check("it knows who calls"):
            equal("nobody", ask("GET", f"/services/{NAME}/")[1]["you"], None)
            equal("a user", ask("GET", f"/services/{NAME}/", own["token"])[1]["you"].split("@")[0], me)
            status, greeted = ask("POST", f"/services/{NAME}/", own["token"], {"word": "good evening"})
            equal("greeted", (status, list(greeted.values())), (200, ["good evening"]))
            equal("nobody greets", ask("POST", f"/services/{NAME}/", "", {"word": "x"})[0], 401)
        with check("it believes nobody but the node"):
            equal("past the node", ask("GET", "/", base=f"http://127.0.0.1:{port}")[0], 401)
        asyncio.run(said(own))
        with check("it is missed when it is gone, and found when it is back"):
            service.kill()
            service.wait()
            equal("gone", ask("GET", f"/services/{NAME}/")[0], 502)
            service = start()
            wait(f"/services/{NAME}/", 200)
    finally:
        service.kill()
        service.wait()


run()
