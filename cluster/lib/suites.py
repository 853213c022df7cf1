"""What guards a landing, and the heavier suites, each known by a name."""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import demo
import prepare
import topology
from client import API, Unexpected
from prepare import ROOT, Fault, say

LOGS = ROOT / ".build" / "test-logs"
# Seconds that `cluster/run` may take with everything built.
HEALTHY_WITHIN = 3
# A test binary that crashes would otherwise wait minutes for its own backtrace.
QUIET_CRASH = {"SWIFT_BACKTRACE": "enable=no"}


class Tally:
    def __init__(self):
        self.passed = self.failed = 0
        self.skips: list = []  # (what, why)
        self.failures: list = []
        self.lines: list = []  # what a part has to tell below its own line

    def result(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {len(self.skips)} skipped"


class Part:
    """One step of a suite; `act` adds to the tally and answers a word on what it did."""

    def __init__(self, name: str, act, needs=()):
        self.name, self.act, self.needs = name, act, needs


def logged(name: str, command: list, environment: dict | None = None, limit: float = 1800) -> tuple:
    """Runs a command with its output in a log of its own; answers its exit, and all it said."""
    LOGS.mkdir(parents=True, exist_ok=True)
    file = LOGS / f"{name.replace(' ', '-')}.log"
    with open(file, "w") as log:
        log.write("$ " + " ".join(map(str, command)) + "\n")
        log.flush()
        run = subprocess.Popen(list(map(str, command)), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log,
                               stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})},
                               start_new_session=True)
        try:
            code = run.wait(limit)
        except subprocess.TimeoutExpired:
            code = f"no end within {limit:.0f} s"
        finally:
            # Whatever it started ends with it, however this part ended.
            try:
                os.killpg(run.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            run.wait()
    return code, file.read_text(errors="replace"), file


def tail(text: str, count: int = 30) -> str:
    return "\n".join("      " + line for line in text.strip().splitlines()[-count:])


def command_part(name: str, command: list, environment: dict | None = None):
    """A part that is one command: it passed when that ended with 0."""
    def act(tally: Tally) -> str:
        code, text, file = logged(name, command, environment)
        if code == 0:
            tally.passed += 1
            return "ok"
        tally.failed += 1
        # The compiler repeats itself for each file of a module.
        errors = list(dict.fromkeys(line for line in text.splitlines() if "error: " in line and "`- " not in line))
        tally.failures.append(f"{name}: exit {code}, see {file}\n" + (tail("\n".join(errors[:20])) or tail(text)))
        return "FAILED"
    return act


# A test that finds out only when it runs that this machine cannot show what it is for is cancelled.
SKIPPED = re.compile(
    r"Test (?P<name>.+?) (?:skipped|was cancelled after [\d.]+ seconds)(?:: \"?(?P<why>.*?)\"?)?\.?$")
FAILED = re.compile(r"Test (?P<name>.+?) failed after ")
SUMMARY = re.compile(r"Test run with (?P<count>\d+) tests?(?: in \d+ suites?)? (?:passed|failed)")


def read_swift_testing(text: str) -> tuple:
    """Counts from what Swift Testing prints: passed, names that failed, skips with reasons, ended."""
    failed, skipped, count, ended = [], [], 0, False
    for line in text.splitlines():
        if "Test run with" in line:
            found = SUMMARY.search(line)
            if found:
                count, ended = count + int(found["count"]), True
        elif (found := FAILED.search(line)) and "Test case" not in line:
            failed.append(found["name"])
        elif found := SKIPPED.search(line):
            skipped.append((found["name"], (found["why"] or "no reason given").replace("skipped: ", "")))
    return max(count - len(failed) - len(skipped), 0), failed, skipped, ended


def swift_tests(name: str, bundle: str, flags: list = (), environment: dict | None = None):
    def act(tally: Tally) -> str:
        code, text, file = logged(name, [
            # One after another: tests that count or hash would keep those that wait from their cores.
            "swift", "test", "--skip-build", "--disable-xctest", "--no-parallel",
            "--filter", f"^{bundle}\\.", *flags],
            {**QUIET_CRASH, **(environment or {})})
        passed, failed, skipped, ended = read_swift_testing(text)
        tally.passed += passed
        tally.failed += len(failed)
        tally.skips += skipped
        for one in failed:
            issues = [line for line in text.splitlines() if one in line and "recorded an issue" in line]
            tally.failures.append(f"{name}: {one}\n" + tail("\n".join(issues), 5))
        if not failed and (code != 0 or not ended):
            tally.failed += 1
            tally.failures.append(f"{name}: ended with {code} before its summary, see {file}\n" + tail(text))
        return f"{passed} passed, {len(failed)} failed" + (f", {len(skipped)} skipped" if skipped else "") \
            if ended else "FAILED"
    return act


def scripts(tally: Tally) -> str:
    """The scripts' own tests, over stubs of the roles."""
    code, text, file = logged("scripts", [sys.executable, str(Path(__file__).with_name("checks.py")), "-v"])
    passed, failed = len(re.findall(r"\.\.\. ok$", text, re.M)), re.findall(r"^(?:FAIL|ERROR): (\S+)", text, re.M)
    tally.passed += passed
    tally.failed += len(failed)
    tally.failures += [f"scripts: {one}, see {file}" for one in failed]
    if code != 0 and not failed:
        tally.failed += 1
        tally.failures.append(f"scripts: exit {code}, see {file}\n" + tail(text))
    return f"{passed} passed, {len(failed)} failed"


class OwnCluster:
    """A cluster of this suite's own: free ports, a folder that goes with it, started by `cluster/run`."""

    def __init__(self, *options: str):
        self.folder = Path(tempfile.mkdtemp(prefix="reileta-test-"))
        shape = topology.Shape(port=0)
        self.port = topology.free_base(shape)
        self.log = self.folder / "run.log"
        self.options = options

    def __enter__(self) -> "OwnCluster":
        with open(self.log, "w") as log:
            self.run = subprocess.Popen(
                [str(ROOT / "cluster" / "run"), "--data", str(self.folder / "data"), "--port", str(self.port),
                 *self.options], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        began = time.monotonic()
        deadline = began + 120
        state_file = topology.state_file(self.folder / "data")
        while not state_file.exists():
            if self.run.poll() is not None or time.monotonic() > deadline:
                text = self.log.read_text()
                self.end()
                raise Unexpected("the cluster did not come up:\n" + tail(text))
            time.sleep(0.05)
        took = time.monotonic() - began
        if took > HEALTHY_WITHIN:
            self.end()
            raise Unexpected(f"what is built was healthy after {took:.1f} s, not within {HEALTHY_WITHIN} s")
        return self

    @property
    def state(self) -> dict:
        return topology.running(self.folder / "data")

    def wait_healthy(self, limit: float = 30) -> None:
        """Every process is there again, and every gateway says that all is well and all its Ins are linked."""
        state = self.state
        apis = {API(address, state["secure"], state["ca"]):
                sum(name.startswith(f"{node['name']} ins") for name in state["processes"])
                for node in state["nodes"] for address in node["reils"]}
        deadline = time.monotonic() + limit
        while not all(api.is_healthy(ins) for api, ins in apis.items()):
            if time.monotonic() > deadline:
                raise Unexpected(f"not healthy within {limit:.0f} s\n" + tail(self.log.read_text()))
            time.sleep(0.05)
        for api in apis:
            api.close()

    def said(self, text: str) -> int:
        return self.log.read_text().count(text)

    def processes(self) -> list:
        """All that run now on this cluster's folder, whoever started them."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if os.fsencode(self.folder) in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                pass
        return found

    def end(self) -> None:
        """Ctrl-C, as a person ends it; `left` are the processes that are there afterwards, none of them for long."""
        self.run.send_signal(signal.SIGINT)
        try:
            self.run.wait(40)
        except subprocess.TimeoutExpired:
            self.run.kill()
            self.run.wait()
        self.left = self.processes()
        for pid in self.left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.kept = self.log.read_text()
        self.problems = self.check()
        shutil.rmtree(self.folder, ignore_errors=True)

    def check(self) -> list:
        """What `eta check` finds wrong in what each node leaves."""
        found = []
        for key in sorted(self.folder.glob("**/keys/node.key")):
            data = key.parent.parent
            done = subprocess.run([str(prepare.binaries() / "eta"), "check", "--eta-data", str(data)], text=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if done.returncode != 0:
                found.append(f"{data}: {done.stdout}")
        return found

    def __exit__(self, kind, *_) -> None:
        self.end()
        # What went wrong before is the better news.
        if kind is None and (self.run.returncode != 0 or self.left):
            raise Unexpected(f"cluster/run ended with {self.run.returncode} and left the processes {self.left}\n"
                             + tail(self.kept, 12))


def main_job(name: str, times: int, kills: bool, *options: str):
    """The demo against a cluster of its own; then nothing may be left of that cluster."""
    def act(tally: Tally) -> str:
        own = OwnCluster(*options)
        done = 0
        try:
            with own:
                for _ in range(times):
                    demo.main_job(own.state, quiet=True)
                    done += 1
                for process in sorted(own.state["processes"]) if kills else ():
                    backs = own.said(f"{process} is back")
                    os.kill(own.state["processes"][process], signal.SIGKILL)
                    deadline = time.monotonic() + 30
                    while own.said(f"{process} is back") == backs:
                        if time.monotonic() > deadline:
                            raise Unexpected(f"{process} was killed and is not back within 30 s")
                        time.sleep(0.05)
                    own.wait_healthy()
                    try:
                        demo.main_job(own.state, quiet=True)
                    except Unexpected as problem:
                        raise Unexpected(f"after {process} was killed and started again: {problem}") from None
                    done += 1
        except (Unexpected, Fault, OSError) as problem:
            tally.passed += done
            tally.failed += 1
            tally.failures.append(f"{name}: {problem}")
            return "FAILED"
        tally.passed += max(done, 1)
        return f"{done} times"
    return act


CHECK = re.compile(r"^(?P<word>ok|failed) · (?P<what>.*)$", re.M)


def checked(tally: Tally, name: str, command: list, environment: dict, limit: float = 300) -> bool:
    """Runs a script that prints a line for each check, and counts these; whether it ended well."""
    code, text, file = logged(name, command, environment, limit)
    checks = list(CHECK.finditer(text))
    for one in checks:
        tally.lines.append(f"{one['word']:<7}{name}: {one['what'][:100]}")
    tally.passed += sum(one["word"] == "ok" for one in checks)
    failed = [one["what"] for one in checks if one["word"] == "failed"]
    tally.failed += len(failed)
    tally.failures += [f"{name}: {what}, see {file}" for what in failed]
    if not failed and (code != 0 or not checks):
        tally.failed += 1
        tally.failures.append(f"{name}: ended with {code} after {len(checks)} checks, see {file}\n" + tail(text))
    return code == 0 and bool(checks) and not failed


def against_a_node(name: str, act):
    """A part that `act` does against a node of its own with two instance servers."""
    def run(tally: Tally) -> str:
        passed, failed = tally.passed, tally.failed
        own = OwnCluster("--nodes", "1")
        try:
            with own:
                act(tally, own)
        except (Unexpected, Fault, OSError) as problem:
            tally.failed += 1
            tally.failures.append(f"{name}: {problem}")
        for problem in getattr(own, "problems", []):
            tally.failed += 1
            tally.failures.append(f"{name}: what the node left: {problem}")
        return f"{tally.passed - passed} passed, {tally.failed - failed} failed"
    return run


CLIENTS = Path(__file__).with_name("clients")


def real_clients(tally: Tally, own: OwnCluster) -> None:
    """Clients that share no code with the node or with these scripts."""
    prepare.install(prepare.TO_BE_CLIENTS)
    python = prepare.python_with(CLIENTS / "requirements.txt")
    environment = {"NODE": own.state["nodes"][0]["address"], "SUFFIX": secrets.token_hex(3),
                   "NODE_PATH": os.pathsep.join(prepare.NODE_MODULES)}
    checked(tally, "curl", [sys.executable, CLIENTS / "curl.py"], environment)
    checked(tally, "websockets", [python, CLIENTS / "websockets_client.py"], environment)
    checked(tally, "aiohttp", [python, CLIENTS / "aiohttp_client.py"], environment)
    checked(tally, "node", ["node", CLIENTS / "node.js"], environment)
    login = {"username": topology.ADMINISTRATOR, "password": own.state["nodes"][0]["logins"][topology.ADMINISTRATOR]}
    checked(tally, "service", [python, CLIENTS / "example_service.py"], {
        **environment, "SERVICE": str(ROOT / "docs" / "client" / "service.py"), "ADMINISTRATOR": json.dumps(login)})


def tutorial(tally: Tally, own: OwnCluster) -> None:
    """A page for newcomers, done as it says."""
    prepare.install(prepare.TO_READ_ALONG)
    checked(tally, "tutorial", [sys.executable, Path(__file__).with_name("tutorial.py"),
                                ROOT / "docs" / "client" / "tutorial.md", own.log],
            {"NODE": own.state["nodes"][0]["address"]})


def build_flags(sanitizer: str) -> list:
    return ["--sanitize", {"asan": "address", "tsan": "thread"}[sanitizer],
            "--scratch-path", str(ROOT / ".build" / sanitizer)]


def sanitized(sanitizer: str) -> list:
    flags = build_flags(sanitizer)
    reports = ROOT / ".build" / f"{sanitizer}-reports"
    options = f"log_path={reports}/report halt_on_error=0"
    # Leaks are not looked for: the runtime keeps what it once made until the process ends.
    environment = {"ASAN_OPTIONS": options + " detect_leaks=0", "TSAN_OPTIONS": options,
                   "REILETA_TEST_BIN": str(prepare.binaries("debug", ROOT / ".build" / sanitizer))}

    def no_reports(tally: Tally) -> str:
        found = sorted(reports.glob("report*"))
        if not found:
            tally.passed += 1
            return "none"
        tally.failed += 1
        tally.failures.append(f"{len(found)} reports of the sanitizer in {reports}, the first:\n"
                              + tail(found[0].read_text(errors="replace")[:3000]))
        return f"{len(found)} FOUND"

    def build(tally: Tally) -> str:
        shutil.rmtree(reports, ignore_errors=True)
        reports.mkdir(parents=True)
        return command_part(f"{sanitizer} build", ["swift", "build", "--build-tests", *flags])(tally)

    parts = [Part("build", build), Part("unit", swift_tests(f"{sanitizer} unit", "UnitTests", flags, environment),
                                        ("build",))]
    if sanitizer == "tsan":
        parts.append(Part("processes", swift_tests("tsan processes", "ProcessTests", flags, environment), ("build",)))
    return parts + [Part("reports", no_reports, ("build",))]


def fuzz(options) -> list:
    """libFuzzer and the address sanitizer over each parser and machine, one process per core."""
    scratch, corpora, findings = (ROOT / ".build" / name for name in ("fuzz", "fuzz-corpus", "fuzz-findings"))
    program = scratch / "release" / "Fuzz"
    cores = os.cpu_count() or 1

    def start(target: str, seconds: int) -> subprocess.Popen:
        corpus, found, log = corpora / target, findings / target, LOGS / f"fuzz-{target}.log"
        for folder in (corpus, found, LOGS):
            folder.mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(
            [str(program), f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=3000", "-max_len=65536",
             f"-artifact_prefix={found}/", str(corpus)], stdin=subprocess.DEVNULL, stdout=open(log, "w"),
            stderr=subprocess.STDOUT, env={**os.environ, **QUIET_CRASH, "FUZZ_TARGET": target,
                                           "FUZZ_SAMPLES": str(corpus), "ASAN_OPTIONS": "detect_leaks=0"})

    def canary(tally: Tally) -> str:
        shutil.rmtree(corpora / "canary", ignore_errors=True)
        if start("canary", 120).wait() != 0:
            tally.passed += 1
            return "found"
        tally.failed += 1
        tally.failures.append("fuzz: the canary was not found, so neither would anything else be")
        return "NOT FOUND"

    def run(tally: Tally) -> str:
        if options.target:
            targets = [options.target] * cores
        else:
            targets = subprocess.run([str(program)], text=True, stdout=subprocess.PIPE,
                                     env={**os.environ, "FUZZ_TARGET": "list"}).stdout.split()
        seconds = int(options.minutes * 60 * cores / len(targets))
        waiting, running = list(targets), []
        while waiting or running:
            while waiting and len(running) < cores:
                target = waiting.pop(0)
                running.append((target, start(target, seconds)))
            time.sleep(0.2)
            for target, process in [each for each in running if each[1].poll() is not None]:
                running.remove((target, process))
                if process.returncode == 0:
                    tally.passed += 1
                else:
                    tally.failed += 1
                    tally.failures.append(f"fuzz: {target}, see {findings / target} and {LOGS}/fuzz-{target}.log\n"
                                          + tail((LOGS / f"fuzz-{target}.log").read_text(errors="replace"), 12))
        return f"{len(targets)} runs of {seconds} s"

    build = command_part("fuzz build", [
        "swift", "build", "-c", "release", "--product", "Fuzz", "--scratch-path", scratch,
        # The first tells the build, which then leaves `main` to libFuzzer; of two the compiler takes the last.
        "--sanitize=fuzzer", "-Xswiftc", "-sanitize=fuzzer,address"], {"REILETA_FUZZ": "1"})
    return [Part("build", build), Part("canary", canary, ("build",)), Part("targets", run, ("build", "canary"))]


def release(tally: Tally) -> str:
    code, text, file = logged("release", [sys.executable, "-c", "import prepare; prepare.build_release()"],
                              {"PYTHONPATH": str(Path(__file__).parent)})
    if code == 0:
        tally.passed += 1
        return "ok"
    tally.failed += 1
    tally.failures.append(f"release: the roles do not build, see {file}\n" + tail(text))
    return "FAILED"


EXERCISED = LOGS / "exercised.tsv"
CONTRACT = ROOT / "Tests" / "UnitTests" / "Contract"


def table(name: str) -> list:
    """The rows of one of the contract's tables, each as a dictionary."""
    lines = [line.split("\t") for line in (CONTRACT / f"{name}.tsv").read_text().splitlines()]
    return [dict(zip(lines[0], line)) for line in lines[1:]]


def processes(environment: dict):
    """The tests over real processes, which leave what they have seen work."""
    tests = swift_tests("processes", "ProcessTests", environment=environment)

    def act(tally: Tally) -> str:
        LOGS.mkdir(parents=True, exist_ok=True)
        EXERCISED.unlink(missing_ok=True)
        return tests(tally)
    return act


def contract(tally: Tally) -> str:
    """Every row of the contract's tables was seen to work, or to be answered, by a test over real processes."""
    seen = set(EXERCISED.read_text().splitlines())
    excused = {f"{row['kind']}\t{row['row']}" for row in table("unexercised")}
    wanted = [f"endpoint\t{row['method']} {row['path']}" for row in table("endpoints")] \
        + [f"command\t{row['command']}" for row in table("commands")] \
        + [f"event\t{row['event']}" for row in table("events")] \
        + [f"error\t{row['code']}" for row in table("errors")]
    missing = [row for row in wanted if row not in seen and row not in excused]
    # What is excused and seen all the same, or is no row at all, is no excuse.
    stale = sorted(row for row in excused if row in seen or row not in wanted)
    tally.passed += len(wanted) - len(missing)
    tally.failed += len(missing) + len(stale)
    tally.failures += ["contract: no test exercises " + row.replace("\t", " ") for row in missing]
    tally.failures += ["contract: needs no excuse: " + row.replace("\t", " ") for row in stale]
    return f"{len(wanted)} rows, {len(missing)} not exercised, {len(excused)} excused"


def default_parts() -> list:
    binaries = {"REILETA_TEST_BIN": str(prepare.binaries()), "REILETA_TEST_EXERCISED": str(EXERCISED)}
    sources = ["Package.swift", "Sources", "Tests", "cluster/load.swift"]
    return [
        Part("format", command_part("format", [
            "swift", "format", "lint", "--strict", "--parallel", "--recursive", *sources])),
        Part("scripts", scripts),
        Part("build", command_part("build", ["swift", "build", "--build-tests"])),
        Part("unit", swift_tests("unit", "UnitTests"), ("build",)),
        Part("release", release),
        Part("processes", processes(binaries), ("build", "release")),
        Part("contract", contract, ("processes",)),
        Part("demo", main_job("demo", 1, False), ("release",)),
        Part("demo-secure", main_job("demo-secure", 1, False, "--secure"), ("release",)),
        Part("clients", against_a_node("clients", real_clients), ("release",)),
        Part("tutorial", against_a_node("tutorial", tutorial), ("release",)),
    ]


# Name, what it runs, what it needs and takes, its parts.
HEAVY = {
    "asan": ("the units and parsers under the address sanitizer", "8 min, 4 GB of disk",
             lambda options: sanitized("asan")),
    "tsan": ("the units and the processes under the thread sanitizer", "15 min, 4 GB of disk",
             lambda options: sanitized("tsan")),
    "fuzz": ("libFuzzer and the address sanitizer over each parser and machine, or one: fuzz [TARGET] [--minutes 60]",
             "the minutes told, 1 GB of disk", fuzz),
    "main-job": ("the demo ten times in a row, then after a kill -9 of each process in turn; plain and --secure",
                 "4 min", lambda options: [
                     Part("release", release),
                     Part("plain", main_job("plain", options.times, True), ("release",)),
                     Part("secure", main_job("secure", options.times, True, "--secure"), ("release",))]),
}


def list_suites() -> str:
    rows = [("(none)", "what guards a landing: " + ", ".join(part.name for part in default_parts()), "20 min")]
    rows += [(name, what, takes) for name, (what, takes, _) in HEAVY.items()]
    return "\n".join(f"  {name:<9} {what}  [at most {takes}]" for name, what, takes in rows) + \
        "\n  A part's own name runs that part alone, with what it needs."


def remember(suite: str, size: str, tally: Tally) -> None:
    """Heavy runs leave a line, so that an issue's goal can be gathered over days."""
    page = ROOT / "docs" / "operate" / "long-runs.md"
    if not page.exists():
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("# Long runs\n\nEach run of a heavy suite of `./cluster/test`, newest last.\n\n"
                        "| suite | size | commit | result |\n| --- | --- | --- | --- |\n")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip() or "unknown"
    changed = subprocess.run(["git", "status", "--porcelain", "--untracked-files=no", "--", "Sources", "Tests", "cluster"],
                             cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip()
    with open(page, "a") as out:
        out.write(f"| {suite} | {size or '–'} | {commit}{' and changes' if changed else ''} | {tally.result()} |\n")


def run_parts(parts: list, tally: Tally) -> None:
    broken: set = set()
    for part in parts:
        missing = [need for need in part.needs if need in broken]
        print(f"  {part.name:<12}", end=" ", flush=True)
        if missing:
            broken.add(part.name)
            tally.skips.append((part.name, f"{missing[0]} failed"))
            print("skipped", flush=True)
            continue
        began, failed = time.monotonic(), tally.failed
        word = part.act(tally)
        if tally.failed > failed:
            broken.add(part.name)
        print(f"{time.monotonic() - began:7.1f} s   {word}", flush=True)
        for line in tally.lines:
            print(" " * 15 + line, flush=True)
        tally.lines.clear()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="cluster/test", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs what guards a landing, or the suite or part named. Uses free ports and folders of its "
                    "own,\nso it may run while a cluster is up. The last line is `N passed, N failed, N skipped`.",
        epilog="suites:\n" + list_suites())
    parser.add_argument("suite", nargs="?", metavar="SUITE")
    parser.add_argument("target", nargs="?", metavar="TARGET", help="fuzz: this one alone")
    parser.add_argument("--minutes", type=float, default=60, metavar="M", help="fuzz: how long in all (60)")
    parser.add_argument("--list", action="store_true", help="tell the suites, what they need and how long they take")
    parser.add_argument("--times", type=int, default=10, metavar="N", help="main-job: repetitions (10)")
    options = parser.parse_args()
    if options.list:
        say(list_suites())
        return 0
    # A clean end also when the suite is told to stop: what it started goes with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    defaults = default_parts()
    if options.suite is None:
        parts = defaults
    elif options.suite in HEAVY:
        parts = HEAVY[options.suite][2](options)
    elif any(part.name == options.suite for part in defaults):
        wanted = {options.suite}
        for part in reversed(defaults):
            wanted.update(part.needs if part.name in wanted else ())
        parts = [part for part in defaults if part.name in wanted]
    else:
        raise Fault(f"{options.suite}: no suite of that name; there are\n{list_suites()}")
    tally = Tally()
    began = time.monotonic()
    prepare.install()
    prepare.check_swift()
    run_parts(parts, tally)
    if options.suite in HEAVY:
        size = {"main-job": f"{options.times} times", "fuzz": f"{options.target or 'all'}, {options.minutes:g} min"}
        remember(options.suite, size.get(options.suite, ""), tally)
    for failure in tally.failures:
        say(f"\nfailed · {failure}")
    say(f"\n{time.monotonic() - began:.0f} s in all")
    for what, why in tally.skips:
        say(f"skipped · {what}: {why}")
    say(tally.result())
    return 1 if tally.failed else 0


if __name__ == "__main__":
    prepare.run_main(main, "cluster/test")
