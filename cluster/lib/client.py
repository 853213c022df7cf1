"""A small HTTP and WebSocket client of the node's API, on the standard library alone.

It shares no code with the server on purpose: what both got wrong would not be seen.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import socket
import ssl
import struct
import threading
import time
from typing import Callable, Optional
from urllib.parse import quote

USER_AGENT = "cluster/1 AVR(User)"


class Unexpected(Exception):
    """An answer that is not the one that was called for; the text has what was expected and got."""


class Answer:
    """What a node answered: status, fields, bytes, and the envelope where there is one."""

    def __init__(self, call: str, status: int, fields, body: bytes):
        self.call, self.status, self.fields, self.body = call, status, fields, body

    @property
    def envelope(self) -> dict:
        try:
            value = json.loads(self.body)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise Unexpected(f"{self.call}: expected JSON in the envelope, got {self.status} {self.body[:300]!r}")
        return value

    @property
    def error(self) -> Optional[int]:
        return (self.envelope.get("error") or {}).get("code")

    def data(self, status: Optional[int] = None):
        """The data of a success; anything else is `Unexpected`, in the node's own words."""
        envelope = self.envelope
        if "error" in envelope or not 200 <= self.status < 300 or (status or self.status) != self.status:
            raise Unexpected(f"{self.call}: expected {status or 'success'}, got {self.status} "
                             + json.dumps(envelope.get("error", envelope))[:600])
        return envelope.get("data")

    def refused(self, code: int) -> None:
        if self.error != code:
            raise Unexpected(f"{self.call}: expected error {code}, got {self.status} {self.body[:400]!r}")


class API:
    """One node's gateway. Connections are kept, one for each thread."""

    def __init__(self, address: str, secure: bool = False, ca: Optional[str] = None, timeout: float = 20):
        self.address, self.secure, self.timeout = address, secure, timeout
        self.host, _, port = address.rpartition(":")
        self.port = int(port)
        self.tls = ssl.create_default_context(cafile=ca) if secure else None
        self.local = threading.local()

    def connection(self) -> http.client.HTTPConnection:
        if getattr(self.local, "connection", None) is None:
            self.local.connection = (
                http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout, context=self.tls)
                if self.secure else http.client.HTTPConnection(self.host, self.port, timeout=self.timeout))
        return self.local.connection

    def close(self) -> None:
        if getattr(self.local, "connection", None) is not None:
            self.local.connection.close()
            self.local.connection = None

    def call(self, method: str, path: str, body=None, *, token: Optional[str] = None,
             raw: Optional[bytes] = None, fields: Optional[dict] = None) -> Answer:
        headers = {"User-Agent": USER_AGENT, **(fields or {})}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            raw = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        path = quote(path, safe="/:@?=&%.,~-_+!$'()*;")
        # A kept connection may have been closed meanwhile by the other side, once.
        for attempt in (1, 2):
            kept = getattr(self.local, "connection", None) is not None
            connection = self.connection()
            try:
                connection.request(method, path, raw, headers)
                response = connection.getresponse()
                answer = Answer(f"{method} {self.address}{path}", response.status, response.headers,
                                response.read())
                if response.will_close:
                    self.close()
                return answer
            except (http.client.HTTPException, ConnectionError, BrokenPipeError):
                self.close()
                if not kept or attempt == 2:
                    raise
            except Exception:
                self.close()
                raise
        raise AssertionError("two attempts at most")

    def get(self, path: str, token: Optional[str] = None):
        return self.call("GET", path, token=token).data()

    def put(self, path: str, body, token: Optional[str] = None):
        return self.call("PUT", path, body, token=token).data(201)

    def post(self, path: str, body, token: Optional[str] = None):
        return self.call("POST", path, body, token=token).data()

    def delete(self, path: str, token: Optional[str] = None):
        return self.call("DELETE", path, token=token).data()

    def register(self, username: str, password: str, displayname: Optional[str] = None) -> dict:
        body = {"username": username, "password": password, "displayname": displayname or username}
        return self.call("POST", "/api/auth/register", body).data(201)

    def login(self, username: str, password: str) -> dict:
        return self.post("/api/auth/login", {"username": username, "password": password})

    def is_healthy(self, ins: int = 0) -> bool:
        """Whether all roles are up, and at least so many Ins linked."""
        try:
            answer = self.call("GET", "/api/health")
            return answer.status == 200 and json.loads(answer.body)["data"]["ins"] >= ins
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return False


class Closed(Exception):
    """The other side closed the socket, with this code and reason."""

    def __init__(self, code: int, reason: str):
        super().__init__(f"socket closed: {code} {reason}")
        self.code, self.reason = code, reason


class WebSocket:
    """The client's half of RFC 6455, one message at a time."""

    TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

    def __init__(self, api: API, path: str = "/api/ws", token: Optional[str] = None,
                 subprotocol: Optional[str] = None, fields: Optional[dict] = None):
        self.buffer = bytearray()
        plain = socket.create_connection((api.host, api.port), timeout=api.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = api.tls.wrap_socket(plain, server_hostname=api.host) if api.tls else plain
        key = base64.b64encode(os.urandom(16)).decode()
        head = {"Host": api.address, "Upgrade": "websocket", "Connection": "Upgrade",
                "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13", "User-Agent": USER_AGENT,
                **({"Authorization": f"Bearer {token}"} if token else {}),
                **({"Sec-WebSocket-Protocol": subprotocol} if subprotocol else {}), **(fields or {})}
        self.socket.sendall((f"GET {path} HTTP/1.1\r\n"
                             + "".join(f"{name}: {value}\r\n" for name, value in head.items()) + "\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            self.fill(api.timeout)
        answer, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        self.buffer = bytearray(rest)
        status, *lines = answer.decode("latin-1").split("\r\n")
        self.fields = {name.strip().lower(): value.strip()
                       for name, _, value in (line.partition(":") for line in lines)}
        accept = base64.b64encode(hashlib.sha1(
            (key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        if " 101 " not in status + " " or self.fields.get("sec-websocket-accept") != accept:
            self.socket.close()
            raise Unexpected(f"GET {api.address}{path}: expected 101 and the accept key, got {status} "
                             + bytes(self.buffer[:400]).decode("utf-8", "replace"))

    def fill(self, timeout: float) -> None:
        self.socket.settimeout(max(timeout, 0.001))
        got = self.socket.recv(65536)
        if not got:
            raise Closed(1006, "without a closing frame")
        self.buffer += got

    def take(self, count: int, deadline: float) -> bytes:
        while len(self.buffer) < count:
            self.fill(deadline - time.monotonic())
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def frame(self, deadline: float) -> tuple:
        first, second = self.take(2, deadline)
        length = second & 0x7F
        if second & 0x80 or first & 0x70:
            raise Unexpected("a frame from a server that is masked or has reserved bits")
        if length == 126:
            (length,) = struct.unpack("!H", self.take(2, deadline))
        elif length == 127:
            (length,) = struct.unpack("!Q", self.take(8, deadline))
        return bool(first & 0x80), first & 0x0F, self.take(length, deadline)

    def receive(self, timeout: float = 10) -> tuple:
        """The next message, its opcode and bytes; pings are answered on the way."""
        deadline = time.monotonic() + timeout
        kind, parts = None, []
        while True:
            last, opcode, payload = self.frame(deadline)
            if opcode == self.PING:
                self.send(payload, self.PONG)
            elif opcode == self.CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
                try:
                    self.send(payload[:2], self.CLOSE)
                except OSError:
                    pass
                self.socket.close()
                raise Closed(code, payload[2:].decode("utf-8", "replace"))
            elif opcode != self.PONG:
                kind = kind or opcode
                parts.append(payload)
                if last:
                    return kind, b"".join(parts)

    def send(self, payload: bytes, opcode: int = TEXT) -> None:
        mask = os.urandom(4)
        length = len(payload)
        head = bytes([0x80 | opcode]) + (
            bytes([0x80 | length]) if length < 126 else struct.pack("!BH", 0x80 | 126, length)
            if length < 65536 else struct.pack("!BQ", 0x80 | 127, length))
        stream = (mask * (length // 4 + 1))[:length]
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(length, "big")
        self.socket.settimeout(10)
        self.socket.sendall(head + mask + masked)

    def close(self, code: int = 1000) -> None:
        """Says goodbye and waits for the answer, so that the other side knows when this returns."""
        try:
            self.send(struct.pack("!H", code), self.CLOSE)
            while True:
                self.receive(2)
        except (Closed, OSError, Unexpected):
            self.socket.close()


class Session:
    """A client socket that speaks the node's protocol: commands, their answers, events."""

    def __init__(self, api: API, token: Optional[str] = None, subprotocol: str = "avr.1"):
        self.socket = WebSocket(api, "/api/ws", token, subprotocol)
        self.events: list = []
        self.number = 0

    def next_frame(self, timeout: float) -> dict:
        _, payload = self.socket.receive(timeout)
        frame = json.loads(payload)
        if not isinstance(frame, dict):
            raise Unexpected(f"expected a JSON object in a frame, got {payload[:200]!r}")
        return frame

    def send(self, command: str, data: dict, **more) -> None:
        self.socket.send(json.dumps({"command": command, "data": data, **more}).encode())

    def ask(self, command: str, data: dict, timeout: float = 10) -> dict:
        """The whole answer to a command; what else comes meanwhile is kept as events."""
        self.number += 1
        self.send(command, data, state=self.number)
        deadline = time.monotonic() + timeout
        while True:
            try:
                frame = self.next_frame(deadline - time.monotonic())
            except socket.timeout:
                raise Unexpected(f"{command}: no answer within {timeout} s") from None
            if frame.get("state") == self.number:
                return frame
            self.events.append(frame)

    def command(self, command: str, data: dict, timeout: float = 10) -> dict:
        answer = self.ask(command, data, timeout)
        if "error" in answer:
            raise Unexpected(f"{command}: expected an answer, got {json.dumps(answer['error'])[:400]}")
        return answer.get("data")

    def event(self, name: str, where: Callable = lambda data: True, timeout: float = 5) -> dict:
        """The data of the first event of that name for which `where` holds; it is taken out."""
        deadline = time.monotonic() + timeout
        position = 0
        while True:
            while position < len(self.events):
                frame = self.events[position]
                if frame.get("command") == name and where(frame.get("data") or {}):
                    return self.events.pop(position)["data"]
                position += 1
            try:
                self.events.append(self.next_frame(deadline - time.monotonic()))
            except socket.timeout:
                seen = [frame.get("command") for frame in self.events]
                raise Unexpected(f"expected the event {name} within {timeout} s; other frames seen: {seen}") from None

    def close(self) -> None:
        self.socket.close()
