"""How a client's script tells what it has seen: a line for each check, in the words that the suite counts."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from contextlib import contextmanager
from typing import Iterator, Optional

ADDRESS = os.environ["NODE"]
SUFFIX = os.environ["SUFFIX"]
PASSWORD = "moss and stones " + SUFFIX


@contextmanager
def check(text: str) -> Iterator[None]:
    """One thing that has to hold; what comes after needs it, so that the script ends where it does not."""
    try:
        yield
    except Exception as problem:
        print(f"failed · {text}: {type(problem).__name__}: {problem}", flush=True)
        sys.exit(1)
    print(f"ok · {text}", flush=True)


def equal(what: str, got: object, expected: object) -> None:
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


def call(method: str, path: str, body: Optional[dict] = None, token: Optional[str] = None) -> dict:
    """A call over HTTP for scripts whose subject is the socket; answers `data`."""
    request = urllib.request.Request(
        f"http://{ADDRESS}{path}", method=method, data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())["data"]
