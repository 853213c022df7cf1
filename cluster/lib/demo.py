"""The main job against a running cluster: a user of node A enters an instance on node B and meets a user there."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import secrets
import sys
import time
from pathlib import Path

import prepare
import topology
from client import API, Closed, Session, Unexpected
from prepare import Fault


class Story:
    """Tells each step as it happens, and how long it took."""

    def __init__(self, quiet: bool = False):
        self.began = time.monotonic()
        self.step = ""
        self.count = 0
        self.quiet = quiet
        self.tick, self.cross = ("✔", "✘") if (sys.stdout.encoding or "").lower().startswith("utf") else ("ok", "NO")

    def tell(self, text: str, act):
        """One step: `act` does it; what it returns may add to the text by `str`."""
        self.step, began = text, time.monotonic()
        result = act()
        self.count += 1
        if not self.quiet:
            print(f"  {self.tick} {text:<76} {(time.monotonic() - began) * 1000:7.1f} ms", flush=True)
        return result


def equal(what: str, got, expected) -> None:
    if got != expected:
        raise Unexpected(f"{what}: expected {json.dumps(expected)}, got {json.dumps(got)}")


def close_to(what: str, got, expected) -> None:
    if not (isinstance(got, list) and len(got) == len(expected)
            and all(abs(one - other) < 1e-4 for one, other in zip(got, expected))):
        raise Unexpected(f"{what}: expected about {expected}, got {json.dumps(got)}")


def main_job(state: dict, quiet: bool = False) -> Story:
    """Walks through it; raises `Unexpected` with what was expected and what came."""
    story = Story(quiet)
    try:
        walk(state, story)
    except (Unexpected, Closed, OSError, KeyError, TypeError, ValueError) as problem:
        kind = "" if isinstance(problem, (Unexpected, Closed)) else f"{type(problem).__name__}: "
        raise Unexpected(f"{story.cross} {story.step}\n      {kind}{problem}") from problem
    return story


def walk(state: dict, story: Story) -> None:
    # With a single node both ends are the same, and the crossing over is left out.
    near, far = state["nodes"][0], state["nodes"][-1]
    a, b = (API(node["address"], state["secure"], state["ca"]) for node in (near, far))
    crossing = near is not far
    suffix = secrets.token_hex(3)
    password = secrets.token_urlsafe(12)
    tell = story.tell

    for node, api in (("A", a), ("B", b)):
        tell(f"node {node} at {api.address} is healthy", lambda: api.get("/api/health"))

    ada = tell(f"ada_{suffix} registers on A", lambda: a.register(f"ada_{suffix}", password, "Ada"))
    ben = tell(f"ben_{suffix} registers on B", lambda: b.register(f"ben_{suffix}", password, "Ben"))
    ada_id, ben_id = ada["user"]["id"], ben["user"]["id"]
    ada_there, ben_there = f"{ada_id}@{a.address}", f"{ben_id}@{b.address}"

    # The world, and what is in it.
    world = tell("ada makes a world on A", lambda: a.put(
        "/api/worlds", {"title": f"Harbour {suffix}", "capacity": 8}, ada["token"]))
    equal("the world's owner", world["owner"], ada_there)
    content = os.urandom(256 * 1024)
    digest = hashlib.sha256(content).hexdigest()
    at_world = f"/api/worlds/{world['id']}"
    asset = tell("ada adds an asset to it, for one engine and platform", lambda: a.put(
        at_world + "/assets", {"version": "1", "engine": "unity", "platform": "linux"}, ada["token"]))
    equal("an asset without a file is empty", asset["empty"], True)
    file = f"{at_world}/assets/{asset['id']}/file"

    def upload():
        answer = a.call("POST", file, token=ada["token"], raw=content, fields={
            "Content-Type": "application/octet-stream"})
        answer.data()
        got = a.get(f"{at_world}/assets/{asset['id']}")
        equal("the asset's hash, size, empty", [got["hash"], got["size"], got["empty"]],
              [digest, len(content), False])

    tell("ada uploads its file, 256 KiB", upload)

    def download():
        answer = a.call("GET", file)
        equal("status of the file", answer.status, 200)
        equal("SHA-256 of the file", hashlib.sha256(answer.body).hexdigest(), digest)
        part = a.call("GET", file, fields={"Range": "bytes=1000-1999"})
        equal("status of a range", part.status, 206)
        equal("bytes 1000-1999", part.body == content[1000:2000], True)

    tell("anybody downloads it, whole and in part", download)

    def set_up():
        title = f"The old harbour {suffix}"
        a.post(at_world, {"title": title, "description": "Quays, gulls, and a tide."}, ada["token"])
        got = a.get(at_world)
        equal("title", got["title"], title)
        equal("assets", [one["id"] for one in got["assets"]], [asset["id"]])

    tell("ada sets the world up", set_up)

    # Over to B.
    world_there = f"{world['id']}@{a.address}"
    if crossing:
        def read_abroad():
            got = b.get(f"/api/worlds/{world_there}", ben["token"])
            equal("id of the world from A, read at B", got["id"], world["id"])
            equal("external", got.get("external"), True)

        tell("ben, on B, reads the world from A", read_abroad)
    instance = tell("ben opens an instance of it on B", lambda: b.put(
        "/api/instances", {"world": world_there if crossing else world["id"], "title": "Evening at the harbour"},
        ben["token"]))
    equal("the instance's owner", instance["owner"], ben_there)
    equal("the instance's server", instance["server"], b.address)
    room = instance["id"]

    if crossing:
        def integrity():
            made = a.post("/api/integrity", {"server": b.address}, ada["token"])
            equal("server", made["server"], b.address)
            equal("user", made["user"], ada_there)
            equal("gateway", made["gateway"]["secure"], state["secure"])
            return made["token"]

        ticket = tell("ada gets an integrity token for B: A proves itself by a challenge", integrity)
    else:
        ticket = ada["token"]

    def enter(api: API, token: str) -> tuple:
        session = Session(api, token)
        session.event("authenticated")
        joined = session.command("instance-join", {"instance": room})
        equal("instance", joined["instance"], room)
        return session, joined

    ada_socket, joined = tell("ada connects to B with it and enters", lambda: enter(b, ticket))
    ada_player = joined["player"] if isinstance(joined["player"], str) else joined["player"]["id"]
    ben_socket, joined = tell("ben connects to B and enters", lambda: enter(b, ben["token"]))
    ben_player = joined["player"] if isinstance(joined["player"], str) else joined["player"]["id"]

    def meet():
        equal("users in the room, as ben finds them", sorted(player["user"] for player in joined["players"]
                                                            if player["id"] != ben_player), [ada_there])
        event = ada_socket.event("instance-joined", lambda data: data["player"]["id"] == ben_player)
        equal("user who joined, as ada hears it", event["player"]["user"], ben_there)
        equal("instance", event["instance"], room)

    tell("they see each other, each as a user of the other's home", meet)

    def talk(speaker: Session, player: str, listener: Session, words: str):
        speaker.command("instance-data", {"instance": room, "data": {"say": words}})
        event = listener.event("instance-data", lambda data: data["player"] == player)
        equal("what was said", event["data"], {"say": words})

    def both_talk():
        talk(ada_socket, ada_player, ben_socket, "good evening")
        talk(ben_socket, ben_player, ada_socket, "welcome, how was the crossing?")
        ada_socket.command("instance-data", {"instance": room, "to": [ben_player], "data": "calm"})
        equal("what ada said to ben alone", ben_socket.event(
            "instance-data", lambda data: data["player"] == ada_player)["data"], "calm")

    tell("they exchange data, to all and to one", both_talk)

    def move(mover: Session, player: str, listener: Session, place: list):
        mover.send("instance-transform", {"instance": room, "path": "p:@me/body", "p": place, "r": [0, 0, 0, 1],
                                          "at": int(time.time() * 1000)})
        event = listener.event("instance-transform", lambda data: data["player"] == player)
        close_to("position", event["p"], place)
        equal("path", event["path"], f"p:{player}/body")

    def both_move():
        move(ada_socket, ada_player, ben_socket, [1.5, 0, -2.25])
        move(ben_socket, ben_player, ada_socket, [-1, 0.5, 3])

    tell("they move, and see each other move", both_move)

    def look_up():
        got = b.get(f"/api/users/{ada_there}", ben["token"])
        equal("id, username, server of ada as B reads her from A",
              [got["id"], got["username"], got["server"]], [ada_id, f"ada_{suffix}", a.address])
        if crossing:
            equal("external", got.get("external"), True)

    tell("ben looks ada up at her home", look_up)

    def leave():
        ada_socket.command("instance-leave", {"instance": room})
        event = ben_socket.event("instance-left", lambda data: data["player"] == ada_player)
        equal("instance", event["instance"], room)
        ben_socket.command("instance-leave", {"instance": room})
        for session in (ada_socket, ben_socket):
            session.close()
        deadline = time.monotonic() + 5
        while True:
            connected = b.get(f"/api/instances/{room}", ben["token"])["connected"]
            if connected == 0:
                return
            if time.monotonic() > deadline:
                raise Unexpected(f"connected: expected 0 within 5 s of the last leaving, got {connected}")
            time.sleep(0.02)

    tell("ada leaves, ben sees it and leaves; the instance is empty", leave)
    a.close()
    b.close()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="cluster/demo",
        description="The main job against a running cluster, each step told as it happens. Repeatable: every run "
                    "makes users and a world of its own.")
    parser.add_argument("--data", type=Path, metavar="DIR", help="the folder that the cluster was started with")
    parser.add_argument("--port", type=int, metavar="P", help="the port that the cluster was started with")
    parser.add_argument("--secure", action="store_true", help="the cluster that was started with --secure")
    arguments = parser.parse_args()
    state = topology.running(arguments.data, arguments.port, arguments.secure)
    print("the main job, from " + state["nodes"][0]["address"] + " to " + state["nodes"][-1]["address"]
          + (" over https and wss" if state["secure"] else ""), flush=True)
    try:
        story = main_job(state)
    except Unexpected as problem:
        print(f"  {problem}", flush=True)
        return 1
    print(f"done: {story.count} steps in {time.monotonic() - story.began:.2f} s", flush=True)
    return 0


if __name__ == "__main__":
    prepare.run_main(main, "cluster/demo")
