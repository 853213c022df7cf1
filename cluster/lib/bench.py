"""What must be fast, each row beside its reference in the same run; writes docs/operate/benchmarks.md."""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import platform
import re
import resource
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Optional

import ca
import crowd
import prepare
import topology
from client import API, Unexpected
from prepare import ROOT, Fault, say
from supervise import Cluster, Stopped, stop_on_signals
from topology import HOST, Shape

PAGE = ROOT / "docs" / "operate" / "benchmarks.md"
TICKS = os.sysconf("SC_CLK_TCK")
# One core serves, the other loads; what is measured never shares one with what measures it.
SERVER_CORE, LOAD_CORE = {0}, {1}
WORSE_THAN_RECORDED = 1.2
PASSWORD = "a password for measurements"
# Above any load: every request is counted, and none is refused.
RATES = {f"limits.{name}": 1_000_000 for name in (
    "requests", "requests_burst", "server_requests", "server_requests_burst", "register", "challenges", "uploads",
    "creations", "meetings")}


class Row:
    """One line of the table. A goal is a bound on `value`; `ratio` rows have a reference in the same run."""

    def __init__(self, name: str, what: str, value: float, unit: str, goal: float, *,
                 reference: str = "–", is_ratio: bool = False, ours: Optional[str] = None, note: str = ""):
        self.name, self.what, self.value, self.unit, self.goal = name, what, value, unit, goal
        self.reference, self.is_ratio, self.note = reference, is_ratio, note
        self.ours = ours or f"{value:.3g} {unit}"

    @property
    def is_met(self) -> bool:
        return self.value <= self.goal

    def cells(self) -> list:
        shown = f"{self.value:.2f}" if self.is_ratio else f"{self.value:.3g} {self.unit}"
        bound = f"≤ {self.goal:g}" + ("" if self.is_ratio else f" {self.unit}")
        return [self.name, self.what, self.ours, self.reference, shown, bound,
                ("yes" if self.is_met else "no") + (f"; {self.note}" if self.note else "")]


HEAD = ["row", "what", "ours", "reference", "ratio or value", "goal", "reached"]


# Measuring.

def cpu_seconds(pids) -> float:
    """User and system time of the processes and of the threads they had."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise Fault(f"process {pid} has no VmRSS")


def pinned(cores: set):
    return lambda: os.sched_setaffinity(0, cores)


class Wrk:
    """What one run of wrk counted, and the CPU that the measured processes spent on it."""

    def __init__(self, url: str, pids, connections: int, seconds: float, fields=(), script: Optional[Path] = None):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency"]
        command += ["-s", str(script)] if script else []
        for field in fields:
            command += ["-H", field]
        self.command = " ".join(shlex.quote(word) for word in command + [url])
        before = cpu_seconds(pids)
        done = subprocess.run(command + [url], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              preexec_fn=pinned(LOAD_CORE))
        spent = cpu_seconds(pids) - before
        text = done.stdout
        found = re.search(r"(\d+) requests in", text)
        if done.returncode != 0 or not found or int(found[1]) == 0:
            raise Fault(f"{self.command} failed:\n{text}")
        if "Non-2xx" in text:
            raise Fault(f"{self.command}: some answers were no success:\n{text}")
        self.requests = int(found[1])
        self.micros = spent * 1e6 / self.requests
        self.per_second = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
        tail = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
        self.p99_ms = float(tail[1]) * {"us": 0.001, "ms": 1, "s": 1000}[tail[2]]


class Nginx:
    """The reference: one worker on the server's core, its access log on, everything in a folder of its own."""

    def __init__(self, folder: Path, locations: str, tls: Optional[tuple] = None):
        self.port = topology.free_port()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        secure = f" ssl; ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]}; ssl_protocols TLSv1.3" if tls else ""
        (folder / "nginx.conf").write_text(f"""
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    keepalive_requests 1000000000;
    sendfile on; tcp_nopush on;
    default_type application/json;
    {locations if "upstream" in locations else ""}
    server {{
        listen {HOST}:{self.port}{secure};
        {locations if "upstream" not in locations else "location / { include " + str(folder) + "/proxy.conf; }"}
    }}
}}
""")
        self.run = None

    def __enter__(self) -> "Nginx":
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.run = subprocess.Popen([program, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                    text=True, preexec_fn=pinned(SERVER_CORE))
        deadline = time.monotonic() + 5
        while topology.port_is_free(self.port):
            if self.run.poll() is not None or time.monotonic() > deadline:
                raise Fault("nginx does not start:\n" + (self.run.stderr.read() if self.run.poll() is not None else ""))
            time.sleep(0.02)
        return self

    @property
    def pids(self) -> list:
        children = Path(f"/proc/{self.run.pid}/task/{self.run.pid}/children").read_text().split()
        return [self.run.pid, *map(int, children)]

    def forget_log(self) -> None:
        os.truncate(self.folder / "access.log", 0)

    def __exit__(self, *_) -> None:
        self.run.terminate()
        self.run.wait()
        self.run.stderr.close()


def literal(fields, body: bytes) -> str:
    """An nginx location that answers these very bytes: body, and every field that nginx does not write itself."""
    own = {"content-length", "content-type", "connection", "date", "server", "keep-alive", "transfer-encoding"}
    quoted = lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if "$" in body.decode() + "".join(fields.values()):
        raise Fault("an answer with $ in it cannot be given to nginx literally")
    kind = fields.get("Content-Type", "application/json")
    adds = "".join(f"add_header {name} {quoted(value)};" for name, value in fields.items() if name.lower() not in own)
    return f"location / {{ default_type {quoted(kind)}; {adds} return 200 {quoted(body.decode())}; }}"


class Bench:
    """The node that is measured, its users, and the rounds."""

    def __init__(self, rounds: int, seconds: float):
        self.rounds, self.seconds = rounds, seconds
        self.folder = Path(tempfile.mkdtemp(prefix="reileta-bench-"))
        self.clusters: dict = {}
        self.started = 0
        self.commands: dict = {}
        self.row = ""

    # Nodes.

    def cluster(self, name: str, exempt: Optional[str] = None, **more) -> Cluster:
        """A node on the server's core, started when the first row asks for it.

        Nobody is exempt from the rates, for counting is a part of what a request costs. The bound of connections of
        one address ends with them, though: who opens thousands of sockets has to be exempt.
        """
        if name not in self.clusters:
            for other in list(self.clusters):
                self.end(other)
            everywhere = {"operations.listen": f"{HOST}:0", "loops": 1}
            # A folder of its own each time: what an earlier row left would be in the way of the next.
            self.started += 1
            shape = Shape(nodes=1, ins=1, testing=True, data=self.folder / f"{name}-{self.started}", cores=SERVER_CORE,
                          **more)
            # Users are made by the thousand; nothing that is measured hashes a password.
            shape.settings = {"eta": {**everywhere, "passwords.scrypt_log_n": 10},
                              "reil": {**everywhere, **RATES, "limits.exempt": exempt}, "ins": dict(everywhere)}
            shape.port = topology.free_base(shape)
            cluster = Cluster(shape, lambda _: None)
            self.clusters[name] = cluster
            cluster.take_folder()
            cluster.make_certificates()
            cluster.start()
        return self.clusters[name]

    def end(self, name: str) -> None:
        self.clusters.pop(name).stop()

    def close(self) -> None:
        for name in list(self.clusters):
            self.end(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def pids(self, cluster: Cluster, *roles: str) -> list:
        return [one.popen.pid for one in cluster.running.values() if not roles or one.process.role in roles]

    def forget_logs(self, cluster: Cluster) -> None:
        for one in cluster.running.values():
            os.truncate(one.process.log, 0)
        ended = cluster.turn(0)
        if ended:
            raise Fault(f"{ended[0].process.name} died: {ended[0].how_it_ended()}")

    def users(self, cluster: Cluster, count: int) -> list:
        """Access tokens of so many users."""
        made = getattr(cluster, "tokens", [])
        cluster.tokens = made
        if len(made) < count:
            apis = cluster.apis()
            with ThreadPoolExecutor(8) as pool:
                made += pool.map(lambda index: apis[index % len(apis)].register(
                    f"load{index:06}", PASSWORD)["token"], range(len(made), count))
        return made[:count]

    # A ratio of CPU per request, ours to the reference's.

    def versus(self, name: str, what: str, goal: float, url: str, ours_pids, cluster: Cluster, reference: Nginx,
               path: str, *, connections: int = 64, fields=()) -> Row:
        secure = url.startswith("https")
        other = f"{'https' if secure else 'http'}://{HOST}:{reference.port}{path}"
        for warm, pids in ((url, ours_pids), (other, reference.pids)):
            Wrk(warm, pids, connections, 1, fields)
        ours, theirs = [], []
        for index in range(self.rounds):
            pair = [(url, ours_pids, ours), (other, reference.pids, theirs)]
            for target, pids, into in pair if index % 2 == 0 else reversed(pair):
                into.append(Wrk(target, pids, connections, self.seconds, fields))
            self.forget_logs(cluster)
            reference.forget_log()
        shown = re.sub(r"Bearer [^']+", "Bearer …", ours[0].command)
        self.commands[name] = shown
        ratio = statistics.median(one.micros / another.micros for one, another in zip(ours, theirs))
        micros = [statistics.median(one.micros for one in runs) for runs in (ours, theirs)]
        rates = [statistics.median(one.per_second for one in runs) for runs in (ours, theirs)]
        return Row(name, what, ratio, "", goal, is_ratio=True,
                   ours=f"{micros[0]:.2f} µs, {rates[0] / 1000:.1f} k/s",
                   reference=f"nginx {micros[1]:.2f} µs, {rates[1] / 1000:.1f} k/s")

    def literal_reference(self, api: API, path: str, token: Optional[str] = None, tls=None) -> Nginx:
        answer = api.call("GET", path, token=token)
        answer.data()
        return Nginx(self.folder / f"nginx-{self.row}", literal(dict(answer.fields), answer.body), tls)


def plain(bench: Bench) -> tuple:
    cluster = bench.cluster("plain")
    return cluster, cluster.api(cluster.nodes[0])


def secure(bench: Bench) -> tuple:
    cluster = bench.cluster("secure", secure=True)
    node = cluster.nodes[0]
    return cluster, cluster.api(node), (node.certificate, node.key)


def make_world(api: API, token: str, **more) -> dict:
    return api.put("/api/worlds", {"title": "A world to measure", "capacity": 1024, **more}, token)


def p1(bench: Bench) -> list:
    cluster, api = plain(bench)
    with bench.literal_reference(api, "/api/time") as nginx:
        return [bench.versus("P1", "GET /api/time, kept connections", 1.0, f"http://{api.address}/api/time",
                             bench.pids(cluster), cluster, nginx, "/api/time")]


def p2(bench: Bench) -> list:
    cluster, api = plain(bench)
    token = bench.users(cluster, 1)[0]
    path = f"/api/worlds/{make_world(api, token)['id']}"
    with bench.literal_reference(api, path, token) as nginx:
        return [bench.versus("P2", "GET /api/worlds/:id of a logged-in user, warm", 1.2, f"http://{api.address}{path}",
                             bench.pids(cluster), cluster, nginx, path,
                             fields=[f"Authorization: Bearer {token}", "User-Agent: AVR(User)"])]


def p3(bench: Bench) -> list:
    cluster, api = plain(bench)
    node = cluster.nodes[0]
    path = topology.UNCACHED_READ
    if 2 * (bench.rounds * bench.seconds + 1) > 2 * topology.STATEMENT_SECONDS - 15:
        raise Fault("nginx is given one signed statement, which would not last: fewer rounds, or shorter ones")
    folder = bench.folder / "nginx-P3"
    nginx = Nginx(folder, f"upstream eta {{ server {HOST}:{node.eta_port}; keepalive 64; }}")
    fields = "".join(f"proxy_set_header {name} '{value}';" for name, value in topology.anonymous_statement(node).items())
    (folder / "proxy.conf").write_text(
        f"proxy_pass http://eta; proxy_http_version 1.1; proxy_set_header Connection ''; {fields}")
    with nginx:
        # Only the hop: what Eta itself spends is the same for both.
        return [bench.versus("P3", "an uncached read passed on to Eta: the hop alone", 0.9,
                             f"http://{api.address}{path}", bench.pids(cluster, "reil"), cluster, nginx, path)]


def p4(bench: Bench) -> list:
    rows = []
    for scheme in ("http", "https"):
        cluster, api, *tls = plain(bench) if scheme == "http" else secure(bench)
        token = bench.users(cluster, 1)[0]
        world = make_world(api, token)
        for index, (label, size, goal) in enumerate((("1 MiB", 1 << 20, 0.6), ("16 KiB", 1 << 14, 0.8))):
            content = os.urandom(size)
            asset = api.put(f"/api/worlds/{world['id']}/assets",
                            {"version": str(index), "engine": "unity", "platform": "linux"}, token)
            path = f"/api/worlds/{world['id']}/assets/{asset['id']}/file"
            api.call("POST", path, token=token, raw=content,
                     fields={"Content-Type": "application/octet-stream"}).data()
            name = f"P4 {label} {scheme}"
            folder = bench.folder / f"nginx-{name.replace(' ', '-')}"
            nginx = Nginx(folder, f"location / {{ root {folder}/files; default_type application/octet-stream; }}",
                          tls[0] if tls else None)
            (folder / "files").mkdir(parents=True)
            (folder / "files" / "asset").write_bytes(content)
            for each in (folder, folder / "files"):
                each.chmod(0o755)
            bench.folder.chmod(0o755)
            if hashlib.sha256(api.call("GET", path).body).digest() != hashlib.sha256(content).digest():
                raise Fault("the downloaded file is not the one that was uploaded")
            with nginx:
                rows.append(bench.versus(name, f"asset download, {label}, {scheme}", goal if scheme == "http" else 1.0,
                                         f"{scheme}://{api.address}{path}", bench.pids(cluster), cluster, nginx,
                                         "/asset", connections=16))
    return rows


def build_load() -> Path:
    program, source = ROOT / ".build" / "load", ROOT / "cluster" / "load.swift"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        done = subprocess.run(["swiftc", "-O", "-swift-version", "6", "-parse-as-library", "-I",
                               str(ROOT / "Sources/Shared/CSystem"), str(source), "-o", str(program)])
        if done.returncode != 0:
            raise Fault("cluster/load.swift does not compile")
    return program


def run_room(bench: Bench, rooms: int, members: int, name: str) -> tuple:
    """The medians of valid runs: CPU per delivery, and ages; a run with a late load generator does not count."""
    cluster, api = plain(bench)
    program = build_load()
    tokens = bench.users(cluster, rooms * members)
    world = make_world(api, tokens[0])
    pids = bench.pids(cluster)
    runs, dropped = [], 0
    while len(runs) < bench.rounds:
        made = [api.put("/api/instances", {"world": world["id"], "capacity": members}, tokens[0])["id"]
                for _ in range(rooms)]
        file = bench.folder / "members"
        file.write_text("".join(f"{token} {made[index % rooms]}\n" for index, token in enumerate(tokens)))
        command = [str(program), "room", "--address", api.address, "--members", str(file), "--seconds", "8"]
        bench.commands[name] = f"load room --members ({rooms} × {members}) --hz 20 --seconds 8"
        with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, preexec_fn=pinned(LOAD_CORE)) as run:
            cpu, result = [], None
            for line in run.stdout:
                if line.startswith("{"):
                    result = json.loads(line)
                else:
                    cpu.append(cpu_seconds(pids))
        if run.returncode != 0 or result is None or len(cpu) != 2:
            raise Fault("the load generator failed; its words are above")
        bench.forget_logs(cluster)
        for fault in ("disorder", "misdirected", "closed"):
            if result[fault]:
                raise Fault(f"{name}: {fault} {result[fault]}: {json.dumps(result)}")
        if result["lag_us"]["p999"] > 5000:
            dropped += 1
            if dropped > bench.rounds:
                raise Fault(f"{name}: the load generator was late in {dropped} runs, the last by "
                            f"{result['lag_us']['p999'] / 1000:.1f} ms: this machine is busy with something else")
            continue
        # A transform that a newer one replaced within a tick may be left out; more than a thousandth are too many.
        if result["missing"] or result["conflated"] > result["expected"] / 1000:
            raise Fault(f"{name}: not all was delivered: {json.dumps(result)}")
        result["micros"] = (cpu[1] - cpu[0]) * 1e6 / result["deliveries"]
        runs.append(result)
        for token, room in zip(tokens, made):
            api.call("DELETE", f"/api/instances/{room}", token=tokens[0])
    median = lambda pick: statistics.median(pick(run) for run in runs)
    note = f"{dropped} runs with a late generator left out" if dropped else ""
    return (median(lambda run: run["micros"]), median(lambda run: run["age_us"]["p50"]) / 1000,
            median(lambda run: run["age_us"]["p99"]) / 1000, median(lambda run: run["deliveries"] / run["seconds"]),
            note)


def p5(bench: Bench) -> list:
    micros, _, p99, rate, note = run_room(bench, 1, 128, "P5")
    _, p50, _, _, quiet_note = run_room(bench, 16, 4, "P5 quiet")
    published = "uWebSockets, measured before, not in this run: 3.06 µs; with the same tick 0.34 µs, one process"
    return [Row("P5", "one instance of 128 at 20 Hz: CPU per delivery", micros, "µs", 0.6, reference=published,
                ours=f"{micros:.3f} µs at {rate / 1000:.0f} k deliveries/s", note=note),
            Row("P5 age", "the same: p99 of the age", p99, "ms", 30, note=note),
            Row("P5 quiet", "16 instances of 4 at 20 Hz: p50 of the age", p50, "ms", 1, note=quiet_note)]


def idle(bench: Bench, name: str, count: int, secure: bool, goal: float, reference: str) -> Row:
    """Memory of all Reil before and with so many authenticated sockets that do nothing."""
    program = build_load()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    gateways = -(-count // (limit - 1000))
    cluster = bench.cluster(f"idle-{secure}", topology.LOOPBACK, reils=gateways, secure=secure)
    node = cluster.nodes[0]
    tokens = bench.users(cluster, -(-count // 16))
    everybody = [tokens[index // 16] for index in range(count)]
    time.sleep(1)
    reils = bench.pids(cluster, "reil")
    before = sum(map(resident_kib, reils))
    loads = []
    try:
        for index, port in enumerate(node.reil_ports):
            file = bench.folder / f"members-{index}"
            file.write_text("\n".join(everybody[index::gateways]) + "\n")
            command = [str(program), "idle", "--address", f"{HOST}:{port}", "--members", str(file), "--sources", "4"]
            command += ["--tls", str(topology.authority(cluster.shape))] if secure else []
            loads.append(subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                          preexec_fn=pinned(LOAD_CORE)))
        for load in loads:
            if load.stdout.readline().strip() != "holding":
                raise Fault(f"{name}: the sockets did not all open; the load generator's words are above")
        # Longer than the pings' interval: idle is what is alive and says nothing.
        time.sleep(25)
        after = sum(map(resident_kib, reils))
        results = []
        for load in loads:
            load.stdin.close()
            results.append(json.loads(load.stdout.readline()))
            load.wait()
        lost = sum(result["closed"] for result in results)
        if lost:
            raise Fault(f"{name}: {lost} sockets were closed: {results[0]['close']}")
    finally:
        for load in loads:
            if load.poll() is None:
                load.kill()
            load.wait()
            load.stdout.close()
    bench.commands[name] = f"load idle --members ({count} over {gateways} Reil) --sources 4"
    value = (after - before) / count
    return Row(name, f"{count:,} idle authenticated sockets, {'TLS' if secure else 'plain'}, over {gateways} Reil: "
               "resident memory of each in Reil", value, "KB", goal, reference=reference,
               ours=f"{value:.2f} KB; {after / 1024:.0f} MB in all")


def p7(bench: Bench) -> list:
    return [idle(bench, "P7", 50_000, False, 4, "nginx 0.5 KB for an idle connection, Phoenix ≤ 64, Nakama about 150, published"),
            idle(bench, "P7 TLS", 50_000, True, 24, "nginx 15 KB, published")]


# Put before the programs, it makes each sync of a file take so much longer.
SLOW_SYNC = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
int fsync(int file) { usleep(2000); return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file); }
int fdatasync(int file) { usleep(2000); return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(file); }
"""


def slow_sync(folder: Path) -> str:
    source, library = folder / "slow-sync.c", folder / "slow-sync.so"
    source.write_text(SLOW_SYNC)
    compiler = shutil.which("cc") or shutil.which("clang")
    if not compiler:
        raise Fault("no C compiler for the library that makes syncs slow")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    return str(library)


def writes(bench: Bench, name: str, what: str, goal: float, preload: str) -> Row:
    """How much less time a write takes with 64 clients than with one that waits for each."""
    os.environ["LD_PRELOAD"] = preload
    try:
        cluster = bench.cluster(name)
    finally:
        del os.environ["LD_PRELOAD"]
    api = cluster.api(cluster.nodes[0])
    token = bench.users(cluster, 1)[0]
    world = make_world(api, token)
    script = bench.folder / "write.lua"
    script.write_text('wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
                      f'wrk.headers["Authorization"] = "Bearer {token}"\n'
                      'local count = 0\nrequest = function()\n  count = count + 1\n'
                      '  return wrk.format(nil, nil, nil, \'{"description":"\' .. count .. \'"}\')\nend\n')
    url, pids = f"http://{api.address}/api/worlds/{world['id']}", bench.pids(cluster)
    alone, together = [], []
    Wrk(url, pids, 64, 1, script=script)
    for index in range(bench.rounds):
        pair = [(1, alone), (64, together)]
        for connections, into in pair if index % 2 == 0 else reversed(pair):
            into.append(Wrk(url, pids, connections, bench.seconds, script=script))
        bench.forget_logs(cluster)
    bench.commands[name] = together[0].command.replace(f"{bench.folder}/", "")
    rates = [statistics.median(one.per_second for one in runs) for runs in (alone, together)]
    micros = statistics.median(one.micros for one in together)
    return Row(name, what, rates[0] / rates[1], "", goal, is_ratio=True,
               ours=f"{rates[1]:.0f}/s of 64 clients, {micros:.0f} µs of CPU each", reference=f"{rates[0]:.0f}/s of one")


def p10(bench: Bench) -> list:
    return [writes(bench, "P10", "durable writes, time of each: 64 clients by one that waits for each, disk as it is", 1, ""),
            writes(bench, "P10 slow", "the same, each sync 2 ms longer", 0.1, slow_sync(bench.folder))]


def p12(bench: Bench) -> list:
    """Lists of a thousand users and worlds, and of a hundred thousand: CPU of each request, by one client."""
    few, many = 1_000, 100_000
    cluster = bench.cluster("crowd")
    node = cluster.nodes[0]
    api = cluster.api(node)
    database = node.data / "eta.sqlite"
    users = crowd.fill(database, 0, few)
    cursor = base64.urlsafe_b64encode(users[few // 2]).decode().rstrip("=")
    one = crowd.text("u", users[7])
    asked = {
        "user": (f"/api/users/{one}", 1.2), "users": ("/api/users?limit=20", 1.5),
        "users further": (f"/api/users?limit=20&after={cursor}", 1.5), "users search": ("/api/users?q=mila000777", 1.5),
        "users tag": ("/api/users?tag=avr:bot", 1.5), "worlds": ("/api/worlds?limit=20", 1.5),
        "worlds search": ("/api/worlds?q=lane%20000777", 1.5), "worlds tag": ("/api/worlds?tag=my:set7", 1.5),
        "worlds owner": (f"/api/worlds?owner={one}", 1.5), "worlds common": ("/api/worlds?q=market", None),
    }
    pids = bench.pids(cluster)
    # wrk takes whole seconds alone.
    rounds, seconds = max(1, bench.rounds // 2), 1

    def measure() -> dict:
        found = {}
        for name, (path, _) in asked.items():
            runs = [Wrk(f"http://{api.address}{path}", pids, 1, seconds) for _ in range(rounds + 1)][1:]
            found[name] = (statistics.median(run.micros for run in runs), statistics.median(run.p99_ms for run in runs))
            bench.forget_logs(cluster)
        return found

    before = measure()
    crowd.fill(database, few, many)
    after = measure()
    rows = []
    for name, (path, goal) in asked.items():
        shown, (small, _), (large, p99) = f"P12 {name}", before[name], after[name]
        bench.commands[shown] = f"wrk -t1 -c1 -d{seconds:g}s --latency {path}, with {few:,} users and worlds, and with {many:,}"
        if goal:
            rows.append(Row(shown, f"GET {re.sub('after=.*', 'after=…', path)}: CPU with {many:,} by {few:,}", large / small, "", goal,
                            is_ratio=True, ours=f"{large:.0f} µs", reference=f"itself, {small:.0f} µs"))
        rows.append(Row(shown + " p99", "the same: p99 with 100,000" if goal else f"GET {path}, which an eighth has: p99",
                        p99, "ms", 5, ours=f"{p99:.2f} ms; {large:.0f} µs of CPU"))
    return rows


def p11(bench: Bench) -> list:
    for name in list(bench.clusters):
        bench.end(name)
    shape = Shape(nodes=1, ins=1, data=bench.folder / "start")
    shape.port = topology.free_base(shape)
    times, sizes = [], []
    for index in range(bench.rounds + 1):
        cluster = Cluster(shape, lambda _: None)
        try:
            cluster.take_folder()
            began = time.monotonic()
            cluster.start()
            took = time.monotonic() - began
            time.sleep(1)
            size = sum(resident_kib(pid) for pid in bench.pids(cluster))
        finally:
            cluster.stop()
        if index > 0:  # the first makes keys and database; a built node has them
            times.append(took * 1000)
            sizes.append(size / 1024)
    bench.commands["P11"] = "eta, reil, ins as cluster/run starts them, one after another is ready, until GET /api/health is 200"
    return [Row("P11", "start of a built node to healthy", statistics.median(times), "ms", 300),
            Row("P11 memory", "idle Eta + Reil + Ins, resident", statistics.median(sizes), "MB", 100)]


def p14(bench: Bench) -> list:
    cluster, api, tls = secure(bench)
    with bench.literal_reference(api, "/api/time", tls=tls) as nginx:
        url = f"https://{api.address}/api/time"
        pids = bench.pids(cluster)
        return [bench.versus("P14", "TLS: GET /api/time, kept connections", 0.95, url, pids, cluster, nginx, "/api/time"),
                bench.versus("P14 handshake", "TLS: full handshake and one GET", 1.05, url, pids, cluster, nginx,
                             "/api/time", fields=["Connection: close"])]


ROWS = {"P1": p1, "P2": p2, "P3": p3, "P4": p4, "P5": p5, "P7": p7, "P10": p10, "P11": p11, "P12": p12, "P14": p14}

# What is known, by profiling, of why a row misses its goal; told on the page for as long as it does.
PER_REQUEST = ("of P2's CPU, whose way P1 and P14 go too, 58 % is the kernel's, nearly all of it one `recv` and one "
               "`send`, which nginx needs too; a quarter of the rest is reference counting of values that are copied on "
               "the way of a request (`Exchange`, `Passage`, `Response`), no other part is above a twentieth")
WHY = {
    "P1": PER_REQUEST,
    "P2": PER_REQUEST,
    "P3": "58 % is the kernel's, with two `recv` and two `send` for each request (nginx: 81 %, with six calls), and costs "
          "the same in both; what is our own is 2.8 times nginx's, spread thin: reference counting is the largest part "
          "with 10 % of all, memory 5 %. Below nginx it would come only by fewer calls, requests of one turn sharing a "
          "connection to Eta, where a slow one holds up those behind it: not built",
    "P4 1 MiB http": "the goal comes from earlier measurements on another machine, in which nginx took 346 µs; here, with "
                     "`tcp_nopush`, it takes a third of that",
    "P4 16 KiB http": "the file is the small part of it, a request without one costs nearly as much: as P1",
    "P5": "mostly the kernel's: receiving in Reil is a quarter of it, sending a third",
    "P14": PER_REQUEST,
}

# The page.

def machine() -> str:
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    first = lambda *command: (subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                              .stdout.strip().splitlines() or ["?"])[0]
    commit = first("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    return (f"{os.cpu_count()} cores of {cpu[1] if cpu else platform.machine()}, {int(memory[1]) / 2**20:.0f} GiB, "
            f"Linux {platform.release()}, Swift {prepare.check_swift()}, "
            f"{first(shutil.which('nginx') or '/usr/sbin/nginx', '-v').replace('nginx version: ', '')}, "
            f"{first('openssl', 'version')}; commit {commit}")


def recorded() -> dict:
    """The rows of the page as they stand, by name."""
    if not PAGE.exists():
        return {}
    lines = [line.strip().strip("|").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| P")]
    return {cells[0].strip(): [cell.strip() for cell in cells] for cells in lines}


def recorded_commands() -> dict:
    if not PAGE.exists():
        return {}
    return dict(re.findall(r"^    (P[\w .]*?): (.+)$", PAGE.read_text(), re.M))


def order(name: str) -> tuple:
    return (int(re.match(r"P(\d+)", name)[1]), name)


def write_page(rows: list, commands: dict, rounds: int, seconds: float) -> None:
    known = {**recorded(), **{row.name: row.cells() for row in rows}}
    commands = {**recorded_commands(), **commands}
    missed = [name for name in sorted(known, key=order) if known[name][-1].startswith("no")]
    why = "".join(f"- {name}: {WHY.get(name, 'not looked into yet')}.\n" for name in missed)
    text = f"""# Benchmarks

Written by `./cluster/bench`; `--check` compares a new run with this page. Each row stands beside its reference in the
same run: rounds interleaved, medians of {rounds} of {seconds:g} s, servers on one core and load on another, everything on loopback, access
logs and metrics on. The figure of a ratio is CPU (user and system, all processes of the node) per request, ours by
the reference's: smaller is better. P3 counts the gateway alone, since what Eta spends is the same behind both.
Requests are counted by their rates, which are set above the load; only those of P7 are exempt, for they come by more
connections than one address may have.

Machine of the newest rows: {machine()}.

| {" | ".join(HEAD)} |
|{" --- |" * len(HEAD)}
""" + "".join(f"| {' | '.join(known[name])} |\n" for name in sorted(known, key=order)) + (f"""
Why a goal was missed, as far as it is known:

{why}""" if why else "") + """
What was run (`load` is `cluster/load.swift`):

""" + "".join(f"    {name}: {commands[name]}\n" for name in sorted(commands, key=order))
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(text)


def table(rows: list) -> str:
    cells = [HEAD] + [row.cells() for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(HEAD))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="cluster/bench",
        description="Measures what must be fast, each row beside its reference, and writes docs/operate/benchmarks.md. "
                    "Exit 1 when a bound that does not depend on a reference is missed.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="P1 P2 P3 P4 P5 P7 P10 P11 P12 P14; all when none is named")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--check", action="store_true",
                        help="write nothing; exit 1 when a ratio is a fifth worse than the recorded one")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds of each row (5)")
    parser.add_argument("--seconds", type=float, default=4, metavar="S", help="length of a round of wrk (4)")
    options = parser.parse_args()
    names = [name.upper() for name in options.rows] or list(ROWS)
    for name in names:
        if name not in ROWS:
            raise Fault(f"{name}: no such row; there are {' '.join(ROWS)}")
    if (os.cpu_count() or 1) < 2:
        raise Fault("a benchmark needs two cores, one for the server and one for the load")
    stop_on_signals()
    tell = (lambda text: print(text, file=sys.stderr, flush=True)) if options.json else say
    prepare.install(prepare.TO_BUILD + prepare.TO_BENCH)
    prepare.build_release()
    old = recorded()
    bench = Bench(options.rounds, options.seconds)
    rows, failures = [], []
    try:
        for name in names:
            began = time.monotonic()
            bench.row = name
            try:
                made = ROWS[name](bench)
            except (Fault, Unexpected, OSError, KeyError) as problem:
                failures.append(f"{name} could not be measured: {problem}")
                tell(f"  {failures[-1]}")
                continue
            rows += made
            tell(f"  {name:<4} {time.monotonic() - began:6.1f} s   "
                 + ", ".join(f"{row.name} {row.cells()[4]} ({row.cells()[5]})" for row in made))
    except Stopped:
        tell("stopped")
        return 130
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        bench.close()
    if options.json:
        print(json.dumps([{"row": row.name, "what": row.what, "value": row.value, "unit": row.unit, "goal": row.goal,
                           "met": row.is_met, "ratio": row.is_ratio, "ours": row.ours, "reference": row.reference}
                          for row in rows], indent=1, ensure_ascii=False))
    else:
        say("\n" + table(rows) + "\n")
    for row in rows:
        if not row.is_ratio and not row.is_met:
            failures.append(f"{row.name}: {row.value:.3g} {row.unit}, the bound is {row.goal:g}")
        if options.check and row.is_ratio and row.name in old:
            before = float(old[row.name][4])
            if row.value > before * WORSE_THAN_RECORDED:
                failures.append(f"{row.name}: ratio {row.value:.2f}, recorded {before:.2f}")
    if rows and not options.check:
        write_page(rows, bench.commands, options.rounds, options.seconds)
    for failure in failures:
        tell(f"failed · {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    prepare.run_main(main, "cluster/bench")
