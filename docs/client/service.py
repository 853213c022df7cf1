"""A service for a node: counts who greets it, over HTTP and over its socket.

    python3 service.py NODE_URL SERVICE_ID CREDENTIAL [PORT]

HTTP needs the standard library alone, the socket `websockets`, the signatures `cryptography`.
"""
import asyncio, base64, hashlib, json, sys, threading, time, urllib.parse, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import websockets
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NODE, SERVICE, CREDENTIAL, PORT = (sys.argv[1:] + ["7000"])[:4]
greeted: dict = {}

def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

class Keys:
    """The node's public keys, read again at most once a minute for one that is not known."""
    address, keys, read_at = "", {}, float("-inf")

    def find(self, key_id: str):
        if key_id not in self.keys and time.monotonic() - self.read_at > 60:
            self.read_at = time.monotonic()
            with urllib.request.urlopen(NODE + "/.well-known/avr", timeout=5) as answer:
                document = json.load(answer)
            self.address = document["address"]
            self.keys = {key["id"]: Ed25519PublicKey.from_public_bytes(decode(key["key"]))
                         for key in document["keys"]}
        return self.keys.get(key_id)

KEYS = Keys()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def caller(self, body: bytes):
        """Who calls, "" for nobody; None where the node did not say so."""
        key_id, _, signature = self.headers.get("AVR-Signature", "").partition(":")
        key, moment = KEYS.find(key_id), self.headers.get("AVR-Time", "0")
        if not key or not moment.isdigit() or abs(time.time() * 1000 - int(moment)) > 60_000:
            return None
        length = self.headers.get("Content-Length")
        digest = hashlib.sha256(body).hexdigest() if length and int(length) <= 65536 else "-"
        user = self.headers.get("AVR-User")
        lines = [f"{SERVICE}@{KEYS.address}", self.command, self.path, user or "-", moment, digest]
        try:
            key.verify(decode(signature), "\n".join(["avr-service:1"] + lines).encode())
        except Exception:
            return None
        return user or ""

    def answer(self, status: int, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/.well-known/avr-service":
            challenge = urllib.parse.parse_qs(url.query).get("challenge", [""])[0]
            return self.answer(200, {"id": SERVICE, "challenge": challenge})
        user = self.caller(b"")
        self.answer(401 if user is None else 200, {"you": user or None, "greeted": greeted})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        user = self.caller(body)
        if not user:
            return self.answer(401, {"error": "log in at the node"})
        greeted[user] = json.loads(body)["word"]
        self.answer(200, greeted)


async def socket():
    url = NODE.replace("http", "ws", 1) + "/api/ws?token=" + CREDENTIAL
    async for connection in websockets.connect(url):
        try:
            async for message in connection:
                frame = json.loads(message)
                sender = frame.get("from")
                if not sender or frame.get("subgroup") != SERVICE:
                    continue
                greeted[sender["user"]] = frame["data"].get("word")
                told = {"subgroup": SERVICE, "command": "greeted", "data": {"count": len(greeted)}}
                await connection.send(json.dumps(frame | told | {"to": [sender["socket"]]}))
                await connection.send(json.dumps(told))
        except websockets.ConnectionClosed:
            pass


threading.Thread(target=ThreadingHTTPServer(("127.0.0.1", int(PORT)), Handler).serve_forever,
                 daemon=True).start()
asyncio.run(socket())
