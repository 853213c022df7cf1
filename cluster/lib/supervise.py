"""Starts the processes of a cluster, watches them, starts again what died, and stops all of it."""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import json
import os
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Optional

import ca
import prepare
import topology
from client import API, Unexpected
from prepare import Fault, say
from topology import Node, Process, Shape

START_LIMIT = 30.0  # seconds until every process must be ready
STOP_LIMIT = 13.0  # a role finishes its requests for up to 10 s
RESTART_AFTER = 1.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Stopped(BaseException):
    """Somebody asked for the end: Ctrl-C, SIGTERM, or the terminal went away."""


class Running:
    """One started process: what it said on stdout, and where in its log it began."""

    def __init__(self, process: Process, cores: Optional[set]):
        self.process = process
        self.began = time.monotonic()
        self.ready: Optional[dict] = None
        self.buffer = b""
        process.log.parent.mkdir(parents=True, exist_ok=True)
        with open(process.log, "ab") as log:
            self.log_start = log.tell()

            def in_child():
                # Whatever becomes of this script, no process outlives it.
                LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
                if cores:
                    os.sched_setaffinity(0, cores)

            try:
                self.popen = subprocess.Popen(
                    process.arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                    env={**os.environ, **process.environment}, preexec_fn=in_child,
                    # A session of its own: Ctrl-C reaches this script alone, which stops all in order.
                    start_new_session=True)
            except OSError as problem:
                raise Fault(f"{process.name}: {process.arguments[0]} does not start: {problem.strerror}") from None
        self.out = self.popen.stdout
        os.set_blocking(self.out.fileno(), False)

    def read(self) -> bool:
        """Takes in what the process printed; false at the end of its output."""
        try:
            got = os.read(self.out.fileno(), 65536)
        except BlockingIOError:
            return True
        except OSError:
            got = b""
        self.buffer += got
        *lines, self.buffer = self.buffer.split(b"\n")
        for line in lines:
            if line.startswith(b"ready ") and self.ready is None:
                try:
                    self.ready = json.loads(line[6:])
                except ValueError:
                    self.ready = {}
        return bool(got)

    def last_lines(self, count: int = 6) -> list:
        with open(self.process.log, "rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(self.log_start, log.tell() - 8192))
            return [line for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()][-count:]

    def how_it_ended(self) -> str:
        code = self.popen.returncode
        how = f"exit {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
        lines = self.last_lines()
        return how + ("; its last lines in " + str(self.process.log) + ":\n"
                      + "\n".join("    " + line[:400] for line in lines) if lines
                      else f", without a word in {self.process.log}")


class Cluster:
    """All the processes of a shape. One thread: every call is from the thread that made it."""

    def __init__(self, shape: Shape, tell=say):
        self.shape, self.tell = shape, tell
        self.nodes = topology.nodes(shape)
        self.running: dict = {}
        self.due: dict = {}  # what died, and when it is started again
        self.selector = selectors.DefaultSelector()
        self.lock = None
        self.logins: dict = {}
        self.coming: set = set()  # started again, not ready yet

    # Before the first process.

    def take_folder(self) -> None:
        """Makes the data folder this cluster's own, for as long as this process lives."""
        folder = self.shape.folder
        if folder.exists() and any(folder.iterdir()) and not (folder / "lock").exists():
            raise Fault(f"--data {folder}: has other things in it; an empty folder, a new one, or one "
                        "that cluster/run made would be accepted")
        folder.mkdir(parents=True, exist_ok=True)
        self.lock = open(folder / "lock", "a+")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.lock.seek(0)
            owner = self.lock.read().strip()
            self.lock.close()
            self.lock = None
            raise Fault(f"{folder} is in use by a cluster that runs" + (f" (process {owner})" if owner else "")
                        + "; stop that one, or give this one --port P or --data DIR") from None
        self.lock.truncate(0)
        self.lock.write(str(os.getpid()))
        self.lock.flush()
        if self.shape.fresh:
            for name in [node.name.lower() for node in map(lambda index: Node(self.shape, index), range(26))]:
                shutil.rmtree(folder / name, ignore_errors=True)
            shutil.rmtree(folder / "ca", ignore_errors=True)
            for name in ("cluster.json", "logins.json"):
                (folder / name).unlink(missing_ok=True)

    def check_ports(self) -> None:
        for node in self.nodes:
            for process in node.processes():
                if process.listens and not topology.port_is_free(process.listens[1]):
                    setting, port = process.listens
                    raise Fault(f"port {port}, {setting} of {process.name}, is taken{owner_of(port)}; "
                                "--port P moves node A to P, the others by thousands")

    def make_certificates(self) -> None:
        if not self.shape.secure:
            return
        authority = topology.authority(self.shape)
        ca.make_authority(authority)
        for node in self.nodes:
            ca.make_certificate(node.certificate, node.key, authority)

    # Processes.

    def launch(self, process: Process) -> Running:
        running = Running(process, self.shape.cores)
        self.running[process.name] = running
        self.selector.register(running.out, selectors.EVENT_READ, running)
        return running

    def turn(self, timeout: float) -> list:
        """Takes in what happened, for at most `timeout`; answers the processes that ended."""
        for key, _ in self.selector.select(timeout):
            if not key.data.read():
                self.selector.unregister(key.fileobj)
                # The end of its output comes a moment before its end.
                try:
                    key.data.popen.wait(0.2)
                except subprocess.TimeoutExpired:
                    pass
        ended = [running for running in self.running.values() if running.popen.poll() is not None]
        for running in ended:
            running.read()
            if running.out.fileno() in self.selector.get_map():
                self.selector.unregister(running.out)
            running.out.close()
            del self.running[running.process.name]
        return ended

    def wait_ready(self, names: list, deadline: float) -> None:
        told = time.monotonic() + 2
        while True:
            waiting = [name for name in names if self.running[name].ready is None]
            if not waiting:
                return
            ended = self.turn(0.1)
            if ended:
                raise Fault("\n".join(f"{one.process.name} did not start: {one.how_it_ended()}" for one in ended))
            now = time.monotonic()
            if now > deadline:
                one = self.running[waiting[0]]
                raise Fault(f"{', '.join(waiting)} not ready within {START_LIMIT:.0f} s; last lines of {waiting[0]}:\n"
                            + "\n".join("    " + line for line in one.last_lines()))
            if now > told:
                self.tell("  waiting for " + ", ".join(waiting))
                told = now + 2

    def start(self) -> None:
        """Starts everything in the order in which it needs each other, and waits until it is healthy."""
        deadline = time.monotonic() + START_LIMIT
        for process in [process for node in self.nodes for process in node.processes()]:
            process.log.parent.mkdir(parents=True, exist_ok=True)
            open(process.log, "w").close()
        self.launch_all([node.eta() for node in self.nodes], deadline)
        for node in self.nodes:
            node.add_ins()
        self.launch_all([reil for node in self.nodes for reil in node.reils()], deadline)
        self.launch_all([ins for node in self.nodes for ins in node.inses()], deadline)
        self.wait_healthy(deadline)

    def launch_all(self, processes: list, deadline: float) -> None:
        for process in processes:
            self.launch(process)
        self.wait_ready([process.name for process in processes], deadline)
        for process in processes:
            running = self.running[process.name]
            self.tell(f"  {process.name:<8} ready   {str(running.ready.get('address') or ''):<18}"
                      f" {time.monotonic() - running.began:5.2f} s")

    def apis(self) -> list:
        certificate = str(topology.authority(self.shape)) if self.shape.secure else None
        return [API(f"{topology.HOST}:{port}", self.shape.secure, certificate)
                for node in self.nodes for port in node.reil_ports]

    def wait_healthy(self, deadline: float) -> None:
        for api in self.apis():
            last = None
            while True:
                try:
                    answer = api.call("GET", "/api/health")
                    last = f"{answer.status} {answer.body[:300].decode('utf-8', 'replace')}"
                    if answer.status == 200:
                        break
                except OSError as problem:
                    last = str(problem)
                if time.monotonic() > deadline:
                    raise Fault(f"{api.address} is not healthy within {START_LIMIT:.0f} s: {last}")
                ended = self.turn(0.02)
                if ended:
                    raise Fault("\n".join(f"{one.process.name} ended: {one.how_it_ended()}" for one in ended))
            api.close()

    # People.

    def make_accounts(self) -> None:
        """An administrator and the demo users of each node, with passwords that only this folder knows."""
        file = self.shape.folder / "logins.json"
        self.logins = json.loads(file.read_text()) if file.exists() else {}
        missing = [node for node in self.nodes if node.name not in self.logins]
        if not missing:
            return

        def fill(node: Node) -> dict:
            made = {topology.ADMINISTRATOR: secrets.token_urlsafe(9)}
            node.add_administrator(made[topology.ADMINISTRATOR])
            api = self.api(node)
            for name in topology.DEMO_USERS:
                made[name] = secrets.token_urlsafe(9)
                api.register(name, made[name], name.capitalize())
            api.close()
            return made

        with ThreadPoolExecutor(len(missing)) as pool:
            try:
                for node, made in zip(missing, pool.map(fill, missing)):
                    self.logins[node.name] = made
            except Unexpected as problem:
                raise Fault(f"could not make the accounts: {problem}; --fresh begins anew") from None
        write_private(file, self.logins)

    def api(self, node: Node) -> API:
        certificate = str(topology.authority(self.shape)) if self.shape.secure else None
        return API(node.address, self.shape.secure, certificate)

    def describe(self) -> None:
        """Writes down what the other scripts need to know of the cluster while it runs."""
        shape = self.shape
        write_private(topology.state_file(shape.folder), {
            "pid": os.getpid(), "port": shape.port, "secure": shape.secure,
            "ca": str(topology.authority(shape)) if shape.secure else None,
            "nodes": [{"name": node.name, "address": node.address,
                       "reils": [f"{topology.HOST}:{port}" for port in node.reil_ports],
                       "eta": f"{topology.HOST}:{node.eta_port}", "data": str(node.data),
                       "logins": self.logins.get(node.name, {})} for node in self.nodes],
            "processes": {name: one.popen.pid for name, one in self.running.items()},
        })

    def table(self) -> str:
        rows = [("process", "pid", "address", "log")]
        for name, one in sorted(self.running.items()):
            address = one.ready.get("address") if one.process.listens else ""
            if one.process.role == "reil":
                address = f"{'https' if self.shape.secure else 'http'}://{address}"
            rows.append((name, str(one.popen.pid), address or "", relative(one.process.log)))
        text = columns(rows)
        rows = [("node", "login", "password")]
        for node, made in sorted(self.logins.items()):
            rows += [(node, name, password) for name, password in made.items()
                     if any(node == one.name for one in self.nodes)]
        return text + "\n\n" + columns(rows) if len(rows) > 1 else text

    # While it runs.

    def watch(self) -> None:
        """Names what dies and starts it again; returns when nothing is left to watch."""
        while self.running or self.due:
            now = time.monotonic()
            for one in self.turn(0.2):
                name = one.process.name
                self.tell(f"{name} died: {one.how_it_ended()}")
                if self.shape.restart:
                    self.due[name] = (now + RESTART_AFTER, one.process)
                    self.tell(f"{name} is started again in {RESTART_AFTER:.0f} s")
                else:
                    self.tell(f"{name} stays down (--no-restart)")
                self.describe()
            for name, (when, process) in list(self.due.items()):
                if now >= when:
                    del self.due[name]
                    self.launch(process)
                    self.coming.add(name)
                    self.describe()
            for name in [name for name in self.coming if name in self.running]:
                one = self.running[name]
                if one.ready is not None:
                    self.coming.discard(name)
                    self.tell(f"{name} is back after {time.monotonic() - one.began:.2f} s, pid {one.popen.pid}")

    def stop(self) -> bool:
        """Ends everything: what serves first, then the registries. False when something had to be killed."""
        self.due.clear()
        clean = True
        asked_again = []
        previous = {}
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            try:
                previous[number] = signal.signal(number, lambda *_: asked_again.append(True))
            except ValueError:  # not the main thread: then nobody presses Ctrl-C here
                pass
        try:
            for roles in (("ins", "reil"), ("eta",)):
                mine = [one for one in self.running.values() if one.process.role in roles]
                for one in mine:
                    one.popen.terminate()
                deadline = time.monotonic() + STOP_LIMIT
                while any(one.popen.poll() is None for one in mine):
                    if asked_again or time.monotonic() > deadline:
                        left = [one for one in mine if one.popen.poll() is None]
                        why = "asked twice" if asked_again else f"not gone after {STOP_LIMIT:.0f} s"
                        self.tell(f"killing {', '.join(one.process.name for one in left)}: {why}")
                        clean = clean and bool(asked_again)
                        for one in left:
                            one.popen.kill()
                            one.popen.wait()
                    self.turn(0.02)
            for one in list(self.running.values()):
                one.popen.wait()
            self.turn(0)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            if self.lock:
                topology.state_file(self.shape.folder).unlink(missing_ok=True)
                self.lock.close()
                self.lock = None
        return clean


def write_private(file: Path, value: dict) -> None:
    """Passwords lie in it: nobody else reads it, and no reader ever sees half of it."""
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump(value, out, indent=1)
    part.replace(file)


def columns(rows: list) -> str:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return "\n".join("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def relative(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def owner_of(port: int) -> str:
    """The process that listens on a port, as far as this user may know it."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(each) in inodes for each in (folder / "fd").iterdir()):
                return f" by {(folder / 'comm').read_text().strip()}, process {folder.name}"
        except OSError:
            continue
    return ""


def stop_on_signals() -> None:
    def handler(*_):
        raise Stopped()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="cluster/run", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Builds and starts federated nodes on this machine, each one Eta, its Reil and its Ins, "
                    "and stays in front;\nCtrl-C stops all of it.",
        epilog="Node A's Reil is 127.0.0.1:3032, node B's 127.0.0.1:4032, and so on by thousands; an Eta listens\n"
               "on its first Reil's port + 1, further Reil on + 2, + 3, … State and logs lie under cluster/.data,\n"
               "that of --secure and of another --port in a folder of its own there.")
    Shape.options(parser)
    shape = Shape.of(parser.parse_args())
    stop_on_signals()
    cluster = Cluster(shape)
    try:
        prepare.install()
        prepare.build_release()
        began = time.monotonic()
        cluster.take_folder()
        cluster.check_ports()
        cluster.make_certificates()
        say(f"starting {', '.join('node ' + node.name for node in cluster.nodes)}")
        cluster.start()
        cluster.make_accounts()
        cluster.describe()
        say(f"healthy after {time.monotonic() - began:.2f} s\n\n{cluster.table()}\n\n"
            "./cluster/demo in another terminal walks the main job through it; Ctrl-C stops it")
        cluster.watch()
        say("every process is down")
        return 1
    except Stopped:
        say("\nstopping")
        return 0 if cluster.stop() else 1
    finally:
        cluster.stop()
        if cluster.running:
            say("left running: " + ", ".join(cluster.running))


if __name__ == "__main__":
    prepare.run_main(main, "cluster/run")
