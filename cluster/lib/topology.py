"""Which processes a cluster has, where each listens, and how it is started.

Everything that follows from the settings of `eta`, `reil` and `ins` is here and in no other script.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import random
import socket
import string
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import prepare
from prepare import Fault

HOST = "127.0.0.1"
LOOPBACK = "127.0.0.0/8,::1/128"
DEFAULT_PORT = 3032
NODE_STEP = 1000
DATA = prepare.ROOT / "cluster" / ".data"
# The account with every right, and those that the demo users log in with.
ADMINISTRATOR = "admin"
DEMO_USERS = ("alice", "boris")


@dataclass
class Shape:
    """What the options of `cluster/run` say."""

    nodes: int = 2
    reils: int = 1
    ins: int = 2
    port: int = DEFAULT_PORT
    secure: bool = False
    testing: bool = False
    restart: bool = True
    data: Optional[Path] = None
    fresh: bool = False
    # Further settings by role, and the cores that all processes are kept to: for measurements.
    settings: dict = field(default_factory=dict)
    cores: Optional[set] = None
    binaries: Path = field(default_factory=prepare.binaries)

    @property
    def folder(self) -> Path:
        """Where the state is: two shapes that cannot share it get a folder each."""
        if self.data:
            return self.data
        name = "-".join(([] if self.port == DEFAULT_PORT else [f"port-{self.port}"])
                        + (["secure"] if self.secure else []))
        return DATA / name if name else DATA

    @staticmethod
    def options(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--nodes", type=int, default=2, metavar="N", help="nodes, A, B, … (2)")
        parser.add_argument("--reils", type=int, default=1, metavar="R", help="Reil of each node (1)")
        parser.add_argument("--ins", type=int, default=2, metavar="K", help="Ins of each node (2)")
        parser.add_argument("--port", type=int, default=DEFAULT_PORT, metavar="P",
                            help="node A's port; the next node's is 1000 higher (3032)")
        parser.add_argument("--secure", action="store_true",
                            help="https and wss, with certificates of a local authority")
        parser.add_argument("--testing", action="store_true",
                            help="REILETA_TESTING: what tests need and a real node must not have")
        parser.add_argument("--no-restart", action="store_true",
                            help="leave a process that died down")
        parser.add_argument("--data", type=Path, metavar="DIR", help="where the state is kept (cluster/.data)")
        parser.add_argument("--fresh", action="store_true", help="begin with no state")

    @staticmethod
    def of(arguments: argparse.Namespace) -> "Shape":
        shape = Shape(arguments.nodes, arguments.reils, arguments.ins, arguments.port,
                      arguments.secure, arguments.testing, not arguments.no_restart,
                      arguments.data.absolute() if arguments.data else None, arguments.fresh)
        for name, value, low, high in (("--nodes", shape.nodes, 1, len(string.ascii_uppercase)),
                                       ("--reils", shape.reils, 1, NODE_STEP - 2),
                                       ("--ins", shape.ins, 0, 100)):
            if not low <= value <= high:
                raise Fault(f"{name} {value}: {low} to {high} would be accepted")
        last = shape.port + NODE_STEP * (shape.nodes - 1) + shape.reils
        if shape.port < 1024 or last > 65535:
            raise Fault(f"--port {shape.port}: ports {shape.port} to {last} would be used, "
                        "and must lie between 1024 and 65535")
        return shape


@dataclass
class Process:
    """One process of the cluster: its command line, its log, and the ports that must be free."""

    name: str
    role: str
    arguments: list
    environment: dict
    log: Path
    listens: Optional[tuple] = None  # setting, port


class Node:
    """One node: an Eta, its Reil, its Ins, and the folder that holds what they keep."""

    def __init__(self, shape: Shape, index: int):
        self.shape = shape
        self.name = string.ascii_uppercase[index]
        self.folder = shape.folder / self.name.lower()
        self.data = self.folder / "data"
        base = shape.port + NODE_STEP * index
        self.address = f"{HOST}:{base}"
        self.eta_port = base + 1
        self.reil_ports = [base] + [base + 1 + further for further in range(1, shape.reils)]
        self.certificate = self.folder / "tls" / "certificate.pem"
        self.key = self.folder / "tls" / "key.pem"

    @property
    def scheme(self) -> str:
        return "https" if self.shape.secure else "http"

    @property
    def cluster_key(self) -> Path:
        return self.data / "keys" / "cluster.key"

    def credential(self, number: int) -> Path:
        """The first Ins has the credential that Eta makes by itself, each further one its own."""
        return self.data / "keys" / ("ins.credential" if number == 1 else f"ins-{number}.credential")

    def process(self, role: str, number: int, count: int, settings: dict, listens=None) -> Process:
        label = role if count == 1 else f"{role} {number}"
        file = role if count == 1 else f"{role}-{number}"
        settings = {**settings, **self.shape.settings.get(role, {})}
        environment = {"REILETA_TESTING": "true"} if self.shape.testing else {}
        return Process(f"{self.name} {label}", role,
                       [str(self.shape.binaries / role), *flags(settings)],
                       environment, self.folder / "logs" / f"{file}.log", listens)

    def eta(self) -> Process:
        return self.process("eta", 1, 1, {
            "node.address": self.address,
            "node.secure": self.shape.secure,
            "node.title": f"Node {self.name}",
            "eta.listen": f"{HOST}:{self.eta_port}",
            "eta.data": self.data,
        }, ("eta.listen", self.eta_port))

    def reils(self) -> list:
        made = []
        for number, port in enumerate(self.reil_ports, 1):
            settings = {
                "reil.listen": f"{HOST}:{port}",
                "reil.link_address": f"{HOST}:{port}",
                "reil.eta": f"{HOST}:{self.eta_port}",
                "cluster.key": self.cluster_key,
                "federation.allow_networks": LOOPBACK,
                "limits.exempt": LOOPBACK,
            }
            if self.shape.secure:
                settings.update({"reil.tls_certificate": self.certificate, "reil.tls_key": self.key,
                                 "federation.ca_file": authority(self.shape)})
            else:
                settings["federation.insecure_peers"] = True
            made.append(self.process("reil", number, len(self.reil_ports), settings, ("reil.listen", port)))
        return made

    def inses(self) -> list:
        made = []
        for number in range(1, self.shape.ins + 1):
            settings = {
                "ins.reil": ",".join(f"{HOST}:{port}" for port in self.reil_ports),
                "ins.credential": self.credential(number),
                "ins.name": f"{self.name.lower()}-ins-{number}",
            }
            if self.shape.secure:
                settings.update({"ins.secure": True, "federation.ca_file": authority(self.shape)})
            made.append(self.process("ins", number, self.shape.ins, settings))
        return made

    def processes(self) -> list:
        return [self.eta(), *self.reils(), *self.inses()]

    def command(self, *words: str, stdin: Optional[str] = None) -> str:
        """Runs a subcommand of `eta` on this node's data and answers what it printed."""
        line = [str(self.shape.binaries / "eta"), *words, *flags({"eta.data": self.data})]
        environment = dict(os.environ, **({"REILETA_TESTING": "true"} if self.shape.testing else {}))
        done = subprocess.run(line, input=stdin, text=True, env=environment, timeout=60,
                              stdin=subprocess.DEVNULL if stdin is None else None,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise Fault(f"node {self.name}: eta {' '.join(words)} ended with {done.returncode}:\n    "
                        + (done.stderr or done.stdout).strip()[-800:])
        return done.stdout

    def add_ins(self) -> None:
        """Credentials for the Ins that Eta has not made one for; what is there is kept."""
        for number in range(2, self.shape.ins + 1):
            file = self.credential(number)
            if file.exists():
                continue
            self.command("ins", "add", f"ins-{number}", "--out", str(file))

    def add_administrator(self, password: str) -> None:
        self.command("user", "add", ADMINISTRATOR, "--admin", "--password-file", "-", stdin=password + "\n")


def flags(settings: dict) -> list:
    """`{"reil.listen": x}` as `--reil-listen x`; a true boolean stands alone, a false one is left out."""
    line = []
    for key, value in settings.items():
        if value is False or value is None:
            continue
        line.append("--" + key.replace(".", "-").replace("_", "-"))
        if value is not True:
            line.append(str(value))
    return line


# A read that anybody may make, that Eta answers, and that no Reil keeps.
UNCACHED_READ = "/api/users?limit=1"
STATEMENT_SECONDS = 60  # how far its time may be from Eta's clock, either way


def anonymous_statement(node: Node) -> dict:
    """The fields by which a gateway tells Eta that nobody in particular calls, signed by the cluster key.

    Dated ahead, so that a proxy that cannot sign may use it for nearly two of its lifetimes.
    """
    key = bytes.fromhex(node.cluster_key.read_text().strip())
    encode = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
    at = int((time.time() + STATEMENT_SECONDS - 5) * 1000)
    payload = encode(json.dumps({"caller": {"kind": "nobody"}, "at": at}).encode())
    tag = hmac.new(key, b"avr-statement:1\n" + payload, hashlib.sha256).digest()
    return {"AVR-Statement": (payload + b"." + encode(tag)).decode()}


def nodes(shape: Shape) -> list:
    return [Node(shape, index) for index in range(shape.nodes)]


def authority(shape: Shape) -> Path:
    """The certificate of the local authority that signs those of the nodes."""
    return shape.folder / "ca" / "ca.pem"


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Connections that are fading do not count, a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            return True
        except OSError:
            return False


def free_port(count: int = 1) -> int:
    """The first of `count` free ports below those that the system gives to outgoing connections."""
    for _ in range(500):
        port = random.randrange(10000, 32000 - count)
        if all(port_is_free(port + further) for further in range(count)):
            return port
    raise Fault("no free ports between 10000 and 32000")


def free_base(shape: Shape) -> int:
    """A port for node A with which every process of the shape finds its own free."""
    for _ in range(500):
        port = random.randrange(10000, 32000 - NODE_STEP * (shape.nodes - 1) - shape.reils - 1)
        taken = [port + NODE_STEP * index + further
                 for index in range(shape.nodes) for further in range(shape.reils + 1)]
        if all(port_is_free(each) for each in taken):
            return port
    raise Fault("no free ports between 10000 and 32000")


def state_file(folder: Path) -> Path:
    """What a running cluster tells the other scripts about itself."""
    return folder / "cluster.json"


def running(data: Optional[Path] = None, port: Optional[int] = None, secure: bool = False) -> dict:
    """What is known of the cluster that runs: the one named by its folder or port, else the only one."""
    files = [state_file(data.absolute())] if data else sorted(
        [state_file(DATA), *DATA.glob("*/cluster.json")])
    found = []
    for file in files:
        try:
            state = json.loads(file.read_text())
            os.kill(state["pid"], 0)
        except (OSError, ValueError, KeyError):
            continue
        if (port is None or state["port"] == port) and (not secure or state["secure"]):
            found.append(state)
    if not found:
        raise Fault("no cluster is running" + (f" in {data}" if data else "")
                    + (f" on port {port}" if port else "") + (" with --secure" if secure else "")
                    + "; start one in another terminal: ./cluster/run" + (" --secure" if secure else ""))
    # With several up, the one with the fewest options is meant.
    return min(found, key=lambda state: (state["secure"], state["port"] != DEFAULT_PORT))
