"""The scripts' own tests. The roles are stubs here: what is tested is how they are started, watched and stopped."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import io
import os
import signal
import socket
import ssl
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

import bench
import ca
import prepare
import suites
import supervise
import topology
import tutorial
from client import API, Closed, Session, Unexpected, WebSocket
from prepare import Fault
from supervise import Cluster, Stopped
from topology import Shape

# One stub plays every role: it says that it is ready, answers what the supervisor asks, ends when told.
STUB = r'''#!{python}
import http.server, json, os, signal, sys, time
role, words = os.path.basename(sys.argv[0]), sys.argv[1:]
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
flag = lambda name: words[words.index(name) + 1]
if words[:2] == ["user", "add"]: sys.exit(0 if sys.stdin.readline().strip() else 1)
if words[:2] == ["ins", "add"]: open(flag("--out"), "x").close(); sys.exit(0)
if os.environ.get("STUB_FAILS") == role:
    print("reil.listen 1.2.3.4: nonsense; host:port would be accepted", file=sys.stderr); sys.exit(2)
class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({{"data": {{}}}}).encode()
        self.send_response(201 if self.command == "POST" else 200)
        self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    do_GET = do_POST = answer
    def log_message(self, *_): pass
if role == "eta":
    keys = os.path.join(flag("--eta-data"), "keys")
    os.makedirs(keys, exist_ok=True)
    open(os.path.join(keys, "cluster.key"), "w").close()
address = flag("--ins-name") if role == "ins" else flag(f"--{{role}}-listen")
server = None
if role == "reil":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(address.rsplit(":", 1)[1])), Front)
print("starting", file=sys.stderr, flush=True)
print("ready " + json.dumps({{"role": role, "address": address, "pid": os.getpid()}}), flush=True)
server.serve_forever() if server else signal.pause()
'''


def make_stubs(folder: Path) -> None:
    for role in prepare.ROLES:
        file = folder / role
        file.write_text(STUB.format(python=sys.executable))
        file.chmod(0o755)


def is_alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


class SupervisionTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.stubs = Path(folder.name)
        make_stubs(self.stubs)
        self.said: list = []

    def cluster(self, **more) -> Cluster:
        shape = Shape(data=self.stubs / "data", binaries=self.stubs, **more)
        shape.port = topology.free_base(shape)
        cluster = Cluster(shape, self.said.append)
        self.addCleanup(cluster.stop)
        return cluster

    def start(self, cluster: Cluster) -> None:
        cluster.take_folder()
        cluster.check_ports()
        cluster.start()
        cluster.make_accounts()
        cluster.describe()

    def test_starts_every_process_and_leaves_none(self):
        cluster = self.cluster(nodes=2, reils=2, ins=2)
        self.start(cluster)
        pids = [one.popen.pid for one in cluster.running.values()]
        self.assertEqual(len(pids), 2 * (1 + 2 + 2))
        self.assertEqual(sorted(topology.running(cluster.shape.folder)["processes"].values()), sorted(pids))
        self.assertEqual(set(cluster.logins), {"A", "B"})
        self.assertIn("B reil 2", cluster.table())
        for name in ("logins.json", "cluster.json"):
            self.assertEqual(stat.S_IMODE((cluster.shape.folder / name).stat().st_mode), 0o600)
        self.assertTrue(cluster.stop())
        self.assertEqual([pid for pid in pids if is_alive(pid)], [])
        with self.assertRaisesRegex(Fault, "no cluster is running"):
            topology.running(cluster.shape.folder)

    def test_what_a_first_run_made_is_kept_for_the_next(self):
        first = self.cluster(nodes=1)
        self.start(first)
        first.stop()
        second = Cluster(first.shape, self.said.append)
        self.addCleanup(second.stop)
        self.start(second)
        self.assertEqual(first.logins, second.logins)
        second.stop()
        first.shape.fresh = True
        third = Cluster(first.shape, self.said.append)
        self.addCleanup(third.stop)
        self.start(third)
        self.assertNotEqual(first.logins, third.logins)

    def test_a_taken_port_is_named_with_its_setting_and_owner(self):
        cluster = self.cluster(nodes=1)
        with socket.socket() as other:
            other.bind(("127.0.0.1", cluster.shape.port + 1))
            other.listen()
            with self.assertRaisesRegex(
                    Fault, rf"port {cluster.shape.port + 1}, eta.listen of A eta, is taken by .*{os.getpid()}"):
                cluster.check_ports()

    def test_a_process_that_dies_at_start_is_named_with_its_last_words(self):
        with mock.patch.dict(os.environ, STUB_FAILS="reil"):
            with self.assertRaisesRegex(Fault, "(?s)A reil did not start: exit 2.*host:port would be accepted"):
                self.start(self.cluster(nodes=1))

    def test_a_process_that_dies_later_comes_back(self):
        cluster = self.cluster(nodes=1)
        self.start(cluster)
        victim = cluster.running["A ins 2"].popen.pid

        def tell(text):
            self.said.append(text)
            if "is back" in text:
                raise Stopped()

        cluster.tell = tell
        os.kill(victim, signal.SIGKILL)
        began = time.monotonic()
        with self.assertRaises(Stopped):
            cluster.watch()
        self.assertGreaterEqual(time.monotonic() - began, supervise.RESTART_AFTER)
        self.assertTrue(any("A ins 2 died: killed by SIGKILL" in text for text in self.said), self.said)
        self.assertNotEqual(topology.running(cluster.shape.folder)["processes"]["A ins 2"], victim)

    def test_without_restart_it_stays_down_and_the_end_of_all_is_seen(self):
        cluster = self.cluster(nodes=1, ins=1, restart=False)
        self.start(cluster)
        for one in list(cluster.running.values()):
            one.popen.kill()
        cluster.watch()
        self.assertEqual(sum("stays down" in text for text in self.said), 3)

    def test_two_clusters_do_not_share_a_folder(self):
        first = self.cluster(nodes=1)
        first.take_folder()
        second = Cluster(first.shape, self.said.append)
        with self.assertRaisesRegex(Fault, f"in use by a cluster that runs .process {os.getpid()}."):
            second.take_folder()

    def test_a_folder_of_somebody_else_is_not_touched(self):
        cluster = self.cluster(nodes=1, fresh=True)
        cluster.shape.folder.mkdir()
        (cluster.shape.folder / "thesis.tex").write_text("years of work")
        with self.assertRaisesRegex(Fault, "has other things in it"):
            cluster.take_folder()
        self.assertTrue((cluster.shape.folder / "thesis.tex").exists())

    def test_processes_end_with_a_killed_supervisor(self):
        code = ("import sys, time; sys.path.insert(0, {lib!r}); import supervise, topology; from pathlib import Path\n"
                "shape = topology.Shape(nodes=1, data=Path({data!r}), binaries=Path({stubs!r}))\n"
                "shape.port = topology.free_base(shape); c = supervise.Cluster(shape, lambda _: None)\n"
                "c.take_folder(); c.start(); print(*[r.popen.pid for r in c.running.values()], flush=True)\n"
                "time.sleep(60)").format(lib=str(Path(__file__).parent), data=str(self.stubs / "data"),
                                         stubs=str(self.stubs))
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as run:
            pids = [int(word) for word in run.stdout.readline().split()]
            self.assertEqual(len(pids), 4)
            run.kill()
        deadline = time.monotonic() + 5
        while any(is_alive(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual([pid for pid in pids if is_alive(pid)], [])


class ShapeTests(unittest.TestCase):
    def test_ports_go_by_thousands_and_from_the_eta_on(self):
        node = topology.nodes(Shape(nodes=2, reils=3))[1]
        self.assertEqual((node.address, node.eta_port, node.reil_ports), ("127.0.0.1:4032", 4033, [4032, 4034, 4035]))

    def test_shapes_that_cannot_share_state_have_folders_of_their_own(self):
        folders = {Shape().folder, Shape(secure=True).folder, Shape(port=5000).folder,
                   Shape(port=5000, secure=True).folder}
        self.assertEqual(len(folders), 4)
        self.assertEqual(Shape().folder, topology.DATA)

    def test_settings_become_flags(self):
        self.assertEqual(topology.flags({"reil.tls_key": "k", "insecure": True, "node.secure": False}),
                         ["--reil-tls-key", "k", "--insecure"])


class PreparationTests(unittest.TestCase):
    def test_without_root_and_sudo_the_command_to_type_is_told(self):
        with mock.patch.dict(prepare.PACKAGES, {"wrk": lambda: None}), \
                mock.patch("os.geteuid", return_value=1000), \
                mock.patch("shutil.which", lambda name: None if name == "sudo" else f"/usr/bin/{name}"):
            with self.assertRaisesRegex(Fault, "(?s)neither root nor sudo.*apt-get install -y .*wrk"):
                prepare.install(["wrk"])

    def test_a_package_that_cannot_be_installed_is_told_with_the_reason_and_what_to_type(self):
        answers = {"update": (0, "Err:1 http://deb.debian.org bookworm InRelease\nReading package lists...\n"
                                 "W: Failed to fetch http://deb.debian.org: no route to host\n"),
                   "install": (100, "Reading package lists...\nE: Unable to locate package wrk\n")}
        ran = []

        def run(command, **_):
            ran.append(command)
            return subprocess.CompletedProcess(command, *answers[command[command.index("apt-get") + 1]])

        for user, become in ((0, []), (1000, ["sudo", "-n"])):
            ran.clear()
            with mock.patch.dict(prepare.PACKAGES, {"wrk": lambda: None, "openssl": lambda: True}), \
                    mock.patch("os.geteuid", return_value=user), mock.patch("subprocess.run", run), \
                    mock.patch("shutil.which", lambda name: f"/usr/bin/{name}"), \
                    mock.patch("sys.stdin.isatty", return_value=False), \
                    contextlib.redirect_stdout(io.StringIO()):
                with self.assertRaises(Fault) as fault:
                    prepare.install(["wrk", "openssl"])
            self.assertEqual(str(fault.exception),
                             "wrk (Debian package) could not be installed; apt-get said:\n"
                             "    E: Unable to locate package wrk\n"
                             "    Err:1 http://deb.debian.org bookworm InRelease\n"
                             "    W: Failed to fetch http://deb.debian.org: no route to host\n"
                             f"put that right and try again, or type{' as root' if user else ''}:\n"
                             "    apt-get update && apt-get install -y --no-install-recommends wrk")
            self.assertEqual([command[len(become) + 1] for command in ran], ["install", "update", "install"])
            self.assertTrue(all(command[:len(become)] == become for command in ran))

    def test_a_package_that_a_fresh_list_has_is_installed(self):
        there = []

        def run(command, **_):
            if "update" in command:
                there.append("a list")
            elif there:
                there.append("wrk")
            return subprocess.CompletedProcess(command, 0 if there else 100, "")

        with mock.patch.dict(prepare.PACKAGES, {"wrk": lambda: "wrk" in there}), \
                mock.patch("os.geteuid", return_value=0), mock.patch("subprocess.run", run), \
                mock.patch("shutil.which", lambda name: f"/usr/bin/{name}"), \
                contextlib.redirect_stdout(io.StringIO()):
            prepare.install(["wrk"])
        self.assertEqual(there, ["a list", "wrk"])

    def test_swift_that_is_missing_or_old_is_told_with_where_to_get_it(self):
        with mock.patch("shutil.which", return_value=None):
            with self.assertRaisesRegex(Fault, "Swift is missing.*swift.org"):
                prepare.check_swift()
        old = subprocess.CompletedProcess([], 0, "Swift version 6.2.1 (swift-6.2.1-RELEASE)\nTarget: x\n")
        with mock.patch("shutil.which", return_value="/usr/bin/swift"), mock.patch("subprocess.run", return_value=old):
            with self.assertRaisesRegex(Fault, "Swift 6.2.1 is older than 6.3: .*swift.org"):
                prepare.check_swift()


class CertificateTests(unittest.TestCase):
    def test_a_client_that_knows_the_authority_trusts_it_and_no_other_does(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            authority, certificate, key = folder / "ca/ca.pem", folder / "a/certificate.pem", folder / "a/key.pem"
            for _ in range(2):  # the second time what is there is kept
                ca.make_authority(authority)
                ca.make_certificate(certificate, key, authority)
            self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)
            server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
            server.RequestHandlerClass.log_message = lambda *_: None
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            address = f"127.0.0.1:{server.server_port}"
            with contextlib.redirect_stderr(io.StringIO()):
                self.assertEqual(API(address, True, str(authority)).call("GET", "/").status, 200)
                with self.assertRaises(ssl.SSLCertVerificationError):
                    API(address, True).call("GET", "/")
            server.shutdown()
            server.server_close()


class FakeServer:
    """The server's half of a WebSocket, byte by byte as a test writes it."""

    def __init__(self, frames: bytes):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.got = b""
        self.thread = threading.Thread(target=self.serve, args=(frames,), daemon=True)
        self.thread.start()

    def serve(self, frames: bytes) -> None:
        with self.listener, self.listener.accept()[0] as peer:
            head = b""
            while b"\r\n\r\n" not in head:
                head += peer.recv(4096)
            key = [line.split(b": ")[1] for line in head.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key")][0]
            accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            answer = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + frames)
            for position in range(len(answer)):  # no frame comes in one piece
                peer.sendall(answer[position:position + 1])
            peer.settimeout(5)
            with contextlib.suppress(OSError):
                while chunk := peer.recv(4096):
                    self.got += chunk


def frame(opcode: int, payload: bytes, last: bool = True) -> bytes:
    length = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + struct.pack("!H", len(payload))
    return bytes([(0x80 if last else 0) | opcode]) + length + payload


class ClientTests(unittest.TestCase):
    def test_reads_fragments_lengths_and_answers_pings(self):
        long = b"x" * 300
        server = FakeServer(frame(1, b"he", False) + frame(9, b"are you there") + frame(0, b"llo") + frame(2, long)
                            + frame(8, struct.pack("!H", 4408) + b"slow"))
        client = WebSocket(API(server.address))
        self.assertEqual(client.receive(), (1, b"hello"))
        self.assertEqual(client.receive(), (2, long))
        with self.assertRaises(Closed) as closed:
            client.receive()
        self.assertEqual((closed.exception.code, closed.exception.reason), (4408, "slow"))
        server.thread.join(5)
        self.assertEqual(server.got[0], 0x80 | 10)  # the pong, masked
        mask = server.got[2:6]
        self.assertEqual(bytes(byte ^ mask[at % 4] for at, byte in enumerate(server.got[6:19])), b"are you there")

    def test_tells_answers_from_events(self):
        server = FakeServer(frame(1, b'{"command":"authenticated","data":{"user":"u"}}')
                            + frame(1, b'{"state":1,"command":"ping","data":{"server":5}}')
                            + frame(1, b'{"state":2,"command":"ping","error":{"code":39,"message":"not in"}}'))
        session = Session(API(server.address))
        self.assertEqual(session.command("ping", {}), {"server": 5})
        self.assertEqual(session.event("authenticated"), {"user": "u"})
        with self.assertRaisesRegex(Unexpected, "39"):
            session.command("ping", {})
        with self.assertRaisesRegex(Unexpected, "expected the event instance-left within"):
            session.event("instance-left", timeout=0.05)
        session.socket.socket.close()

    def test_an_answer_out_of_its_envelope_is_told_with_what_came(self):
        server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
        server.RequestHandlerClass.log_message = lambda *_: None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with self.assertRaisesRegex(Unexpected, "GET .*/nowhere: expected JSON in the envelope, got 404"):
            API(f"127.0.0.1:{server.server_port}").get("/nowhere")
        server.shutdown()
        server.server_close()


class SuiteTests(unittest.TestCase):
    def test_counts_what_swift_testing_prints(self):
        text = ("◇ Test run started.\n"
                "✔ Test `a rule holds` passed after 0.001 seconds.\n"
                "✘ Test `another rule` recorded an issue at X.swift:3:5: Expectation failed\n"
                "✘ Test `another rule` failed after 0.001 seconds with 1 issue.\n"
                "➜ Test `needs a namespace` skipped: \"no root\"\n"
                "➜ Test `needs a port` was cancelled after 0.002 seconds: \"port 3032 is taken\"\n"
                "✘ Test run with 4 tests in 2 suites failed after 0.002 seconds with 1 issue.\n")
        self.assertEqual(suites.read_swift_testing(text),
                         (1, ["`another rule`"],
                          [("`needs a namespace`", "no root"), ("`needs a port`", "port 3032 is taken")], True))

    def test_a_run_that_crashed_has_not_ended(self):
        self.assertFalse(suites.read_swift_testing("◇ Test run started.\nFatal error\n")[3])

    def checks_of(self, script: str) -> suites.Tally:
        tally = suites.Tally()
        suites.checked(tally, "a script", [sys.executable, "-c", script], {})
        return tally

    def test_the_lines_of_a_script_are_counted(self):
        tally = self.checks_of("print('ok · registers\\nfailed · logs in: why'); exit(1)")
        self.assertEqual((tally.passed, tally.failed), (1, 1))
        self.assertEqual(tally.lines, ["ok     a script: registers", "failed a script: logs in: why"])
        self.assertIn("logs in: why", tally.failures[0])

    def test_a_script_that_ends_early_or_checks_nothing_has_failed(self):
        self.assertEqual(self.checks_of("print('ok · registers'); exit(3)").result(), "1 passed, 1 failed, 0 skipped")
        self.assertEqual(self.checks_of("print('nothing')").result(), "0 passed, 1 failed, 0 skipped")


class PageTests(unittest.TestCase):
    def test_ids_and_times_stand_for_any_and_cuts_for_whatever_is_there(self):
        page = '{"id":"w_01a1f8af-5701-7b21-a6c8-0f3c8ad9b6e1","at":1795177202000,"more":…}\n…\nend\n'
        node = '{"id":"w_01a21df5-d74d-76e9-9e4f-560fce1988cd","at":1795798980823,"more":[1]}\na\nb\nend\n'
        self.assertTrue(tutorial.matches(page, node))
        self.assertTrue(tutorial.matches(page, node.replace("a\nb\n", "")))
        for other in (node.replace('"w_', '"u_'), node.replace("end", "End"), node + "more\n", node.replace(":[1]}", ":")):
            self.assertFalse(tutorial.matches(page, other), other)

    def test_a_command_shows_what_follows_it(self):
        self.assertEqual(tutorial.commands("$ one\n$ two\nx\ny\n"), [("one", ""), ("two", "x\ny\n")])
        self.assertRaises(ValueError, tutorial.commands, "no prompt\n")

    def test_one_shell_runs_the_whole_page(self):
        shell = tutorial.Shell("/")
        self.assertEqual(shell.run("A='b c'"), ("", 0))
        self.assertEqual(shell.run('echo "$A"; printf no-end; false'), ("b c\nno-end", 1))
        shell.close()


# Stands for `cluster/run`: one process of its own, which it may leave behind; Ctrl-C alone ends it well.
RUN = r"""#!{python}
import json, os, signal, subprocess, sys
data = sys.argv[sys.argv.index("--data") + 1]
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", data])
def end(*_):
    if "leave" not in sys.argv: child.kill(); child.wait()
    os._exit(0)
signal.signal(signal.SIGINT, end)
os.mkdir(data)
with open(os.path.join(data, "part"), "w") as out:
    json.dump(dict(pid=os.getpid(), port=1, secure=False, processes=dict(child=child.pid)), out)
os.rename(os.path.join(data, "part"), os.path.join(data, "cluster.json"))
while True: signal.pause()
"""


class OwnClusterTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        program = Path(folder.name, "cluster", "run")
        program.parent.mkdir()
        program.write_text(RUN.format(python=sys.executable))
        program.chmod(0o755)
        patch = mock.patch.object(suites, "ROOT", Path(folder.name))
        patch.start()
        self.addCleanup(patch.stop)

    def test_ends_as_by_a_person_and_leaves_nothing(self):
        with suites.OwnCluster() as own:
            self.assertIn(own.state["processes"]["child"], own.processes())
        self.assertEqual((own.run.returncode, own.left, own.processes()), (0, [], []))
        self.assertFalse(own.folder.exists())

    def test_a_process_that_is_left_is_told_and_ended(self):
        with self.assertRaisesRegex(Unexpected, "left the processes"):
            with suites.OwnCluster("leave") as own:
                child = own.state["processes"]["child"]
        self.assertEqual(own.left, [child])
        deadline = time.monotonic() + 5
        while own.processes() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual(own.processes(), [])

    def test_an_earlier_failure_is_what_is_told(self):
        with self.assertRaisesRegex(Unexpected, "the demo failed"):
            with suites.OwnCluster("leave"):
                raise Unexpected("the demo failed")


class BenchTests(unittest.TestCase):
    def test_the_page_keeps_rows_that_were_not_measured_again(self):
        with tempfile.TemporaryDirectory() as folder, \
                mock.patch.object(bench, "PAGE", Path(folder, "operate", "benchmarks.md")), \
                mock.patch.object(bench, "machine", lambda: "a machine"):
            ratio = bench.Row("P1", "a GET", 0.9, "", 1.0, is_ratio=True, ours="6 µs", reference="nginx 7 µs")
            bound = bench.Row("P11 memory", "idle", 120, "MB", 100)
            bench.write_page([bound, ratio], {"P1": "wrk one", "P11": "eta"}, 5, 4)
            bench.write_page([bench.Row("P2", "a world", 1.0, "", 1.2, is_ratio=True)], {"P2": "wrk two"}, 5, 4)
            known = bench.recorded()
            self.assertEqual(list(known), ["P1", "P2", "P11 memory"])
            self.assertEqual((known["P1"][4], known["P1"][6]), ("0.90", "yes"))
            self.assertEqual((known["P11 memory"][4], known["P11 memory"][6]), ("120 MB", "no"))
            self.assertEqual(bench.recorded_commands(), {"P1": "wrk one", "P2": "wrk two", "P11": "eta"})

    def test_the_page_says_why_a_goal_is_missed_and_only_then(self):
        with tempfile.TemporaryDirectory() as folder, \
                mock.patch.object(bench, "PAGE", Path(folder, "benchmarks.md")), \
                mock.patch.object(bench, "machine", lambda: "a machine"):
            told = lambda: [line for line in bench.PAGE.read_text().splitlines() if line.startswith("- ")]
            row = lambda name, value: bench.Row(name, "a GET", value, "", 1.0, is_ratio=True)
            bench.write_page([row("P1", 1.2), row("P2", 0.9), row("P15", 3)], {}, 5, 4)
            self.assertEqual(told(), [f"- P1: {bench.WHY['P1']}.", "- P15: not looked into yet."])
            bench.write_page([row("P1", 0.9), row("P15", 1)], {}, 5, 4)
            self.assertEqual(told(), [])
            self.assertNotIn("Why a goal", bench.PAGE.read_text())

    def test_nginx_answers_the_very_bytes(self):
        text = bench.literal({"Content-Type": "application/json", "X-A": "it's"}, b'{"a":"\\\\"}')
        self.assertIn("add_header X-A 'it\\\\'s';".replace("\\\\", "\\"), text)
        with self.assertRaisesRegex(Fault, "cannot be given to nginx"):
            bench.literal({}, b"$5")


if __name__ == "__main__":
    unittest.main()
