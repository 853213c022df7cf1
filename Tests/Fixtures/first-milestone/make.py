#!/usr/bin/env python3
"""Makes the fixture beside it: the data folder of a node of an earlier program, and what is in it.

    git worktree add ../earlier 4afe0da && (cd ../earlier && swift build)
    Tests/Fixtures/first-milestone/make.py ../earlier/.build/debug

It starts that program's three processes, makes users, worlds, files and an instance over HTTP, stops
them, and writes data.tar.gz and facts.json. Its keys and passwords are of this node alone.
"""

import hashlib
import json
import os
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAMS = Path(sys.argv[1]).resolve()
ADDRESS, ETA = "127.0.0.1:18432", "127.0.0.1:18433"
ENVIRONMENT = {**os.environ, "REILETA_TESTING": "true"}


def start(role, *flags):
    process = subprocess.Popen([PROGRAMS / role, *flags], env=ENVIRONMENT, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    process.stdout.readline()
    return process


def eta(*words):
    done = subprocess.run([PROGRAMS / "eta", *words, "--json", "--eta-data", "data", "--passwords-scrypt-log-n", "4"],
                          env=ENVIRONMENT, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def call(method, path, body=None, token=None, raw=None, kind="application/json"):
    data = raw if raw is not None else None if body is None else json.dumps(body).encode()
    fields = {} if data is None else {"Content-Type": kind}
    if token:
        fields["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"http://{ADDRESS}{path}", data=data, method=method, headers=fields)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())["data"]


def image(shade):
    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(bytes([0, shade, shade, 0, shade, shade]))) + chunk(b"IEND", b""))


def fill():
    root = eta("user", "add", "root_kept", "--admin")
    invite = eta("invite", "create", "--uses", "3", "--days", "3650")
    facts = {"address": ADDRESS, "root": root["username"], "password": root["password"], "invite": invite["id"],
             "users": [], "worlds": []}
    tokens = []
    for index, name in enumerate(["ada_kept", "ben_kept", "cleo_kept"]):
        email = f"{name}@example.org"
        login = call("POST", "/api/auth/register", {"username": name, "password": f"wordless-{name}-9", "email": email})
        tokens.append(login["token"])
        call("POST", "/api/users/@me", {"displayname": name.title(), "description": f"the {name}"}, tokens[-1])
        content = image(40 + index)
        call("POST", "/api/users/@me/thumbnail", raw=content, kind="image/png", token=tokens[-1])
        facts["users"].append({"id": login["user"]["id"], "username": name, "displayname": name.title(), "email": email,
                               "image": hashlib.sha256(content).hexdigest()})
    for follower, followed in ((0, 1), (1, 0), (2, 0)):
        call("PUT", f"/api/users/@me/following/{facts['users'][followed]['id']}", token=tokens[follower])
    for index in range(4):
        token = tokens[index % 3]
        world = call("PUT", "/api/worlds", {"title": f"Kept world {index}", "capacity": 10 + index,
                                            "tags": ["avr:private"] if index == 3 else []}, token)
        path = f"/api/worlds/{world['id']}/assets"
        asset = call("PUT", path, {"version": "1.0", "engine": "unity", "platform": "linux"}, token)
        # The first and the last have the same bytes.
        content = f"the file of world {index % 3} ".encode() * 40
        call("POST", f"{path}/{asset['id']}/file", raw=content, kind="application/octet-stream", token=token)
        call("PUT", path, {"version": "2.0", "engine": "godot", "platform": "web"}, token)
        facts["worlds"].append({"id": world["id"], "title": world["title"], "capacity": 10 + index,
                                "owner": facts["users"][index % 3]["username"], "asset": asset["id"],
                                "file": hashlib.sha256(content).hexdigest(), "private": index == 3})
    room = call("PUT", "/api/instances", {"world": facts["worlds"][0]["id"], "title": "Kept room"}, tokens[0])
    facts["instance"] = room["id"]
    return facts


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    running = [
        start("eta", "--node-address", ADDRESS, "--node-title", "Kept", "--eta-listen", ETA, "--eta-data", "data",
              "--passwords-scrypt-log-n", "4"),
        start("reil", "--reil-listen", ADDRESS, "--reil-eta", ETA, "--cluster-key", "data/keys/cluster.key",
              "--limits-exempt", "127.0.0.0/8"),
        start("ins", "--ins-reil", ADDRESS, "--ins-credential", "data/keys/ins.credential")]
    deadline = time.monotonic() + 20
    while call("GET", "/api/health")["ins"] == 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    made = fill()
    for process in reversed(running):
        process.terminate()
        process.wait(20)
    (HERE / "facts.json").write_text(json.dumps(made, indent=1) + "\n")
    with tarfile.open(HERE / "data.tar.gz", "w:gz", compresslevel=9) as archive:
        archive.add("data")
