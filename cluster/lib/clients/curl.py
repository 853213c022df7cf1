"""curl: the calls over HTTP, uploads and downloads in parts."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Optional

from report import ADDRESS, PASSWORD, SUFFIX, check, equal


def curl(method: str, path: str, *more: str) -> tuple:
    """Status and bytes, of a curl that was told nothing but the request."""
    done = subprocess.run(["curl", "-sS", "--max-time", "20", "-X", method, f"http://{ADDRESS}{path}", *more,
                           "-w", "\n%{http_code}"], stdout=subprocess.PIPE, check=True)
    body, _, status = done.stdout.rpartition(b"\n")
    return int(status), body


def ask(method: str, path: str, body: Optional[dict] = None, token: Optional[str] = None, status: int = 200) -> dict:
    more = ["-H", "Content-Type: application/json", "-d", json.dumps(body)] if body is not None else []
    got, text = curl(method, path, *more, *(bearer(token) if token else ()))
    equal(f"{method} {path}, which answered {text[:300]!r}", got, status)
    return json.loads(text)["data"]


def bearer(token: str) -> list:
    return ["-H", f"Authorization: Bearer {token}"]


name = f"curl_{SUFFIX}"
with check("registers"):
    equal("username", ask("POST", "/api/auth/register", {"username": name, "password": PASSWORD},
                          status=201)["user"]["username"], name)

with check("logs in and asks who it is"):
    token = ask("POST", "/api/auth/login", {"username": name, "password": PASSWORD})["token"]
    equal("username", ask("GET", "/api/users/@me", token=token)["username"], name)

with check("makes a world, and an asset of it"):
    world = ask("PUT", "/api/worlds", {"title": "By curl"}, token, 201)["id"]
    asset = ask("PUT", f"/api/worlds/{world}/assets", {"version": "1", "engine": "unity", "platform": "linux"},
                token, 201)["id"]
    file = f"/api/worlds/{world}/assets/{asset}/file"

with tempfile.TemporaryDirectory() as folder:
    # Larger than what curl sends without asking: with so much it waits for `100 Continue` first.
    content = os.urandom(3_000_000)
    digest = hashlib.sha256(content).hexdigest()
    whole, got = Path(folder) / "whole", Path(folder) / "got"
    whole.write_bytes(content)

    with check("uploads a file of 3 MB, which waits for 100 Continue"):
        status, text = curl("POST", f"{file}?hash={digest}", *bearer(token), "-H", "Content-Type: application/octet-stream",
                            "-H", "Expect: 100-continue", "--data-binary", f"@{whole}")
        equal(f"status, with {text[:300]!r}", status, 200)
        equal("hash", json.loads(text)["data"]["hash"], digest)

    with check("uploads it as a form, too"):
        status, text = curl("POST", file, *bearer(token), "-F", f"file=@{whole}")
        equal(f"status, with {text[:300]!r}", status, 200)
        equal("hash", json.loads(text)["data"]["hash"], digest)

    with check("downloads it"):
        equal("status", curl("GET", file, "-o", str(got))[0], 200)
        equal("the bytes are the same", got.read_bytes() == content, True)

    with check("downloads a range"):
        status, text = curl("GET", file, "-r", "1000000-1000999")
        equal("status", status, 206)
        equal("the bytes are the same", text == content[1_000_000:1_001_000], True)

    with check("goes on with a download that broke off"):
        got.write_bytes(content[:1_234_567])
        equal("status", curl("GET", file, "-C", "-", "-o", str(got))[0], 206)
        equal("the bytes are the same", got.read_bytes() == content, True)

    with check("is told that its copy is good still"):
        status, text = curl("GET", file, "-H", f'If-None-Match: "{digest}"')
        equal("status and bytes", (status, text), (304, b""))

with check("makes an instance and finds it in the list"):
    instance = ask("PUT", "/api/instances", {"world": world}, token, 201)["id"]
    equal("instances", [one["id"] for one in ask("GET", f"/api/instances?world={world}")["items"]], [instance])

with check("is told by a number what was wrong"):
    status, text = curl("GET", "/api/users/@me")
    equal("status and code", (status, json.loads(text)["error"]["code"]), (401, 3))
