"""What a machine needs before anything here can run: Debian packages, Swift, and a release build."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SWIFT_AT_LEAST = (6, 3)
ROLES = ("eta", "reil", "ins")


class Fault(Exception):
    """Something a person has to put right; the text says what and how."""


def has_header(name: str) -> bool:
    return any(
        (folder / name).exists()
        for folder in [Path("/usr/include"), Path("/usr/local/include"), *Path("/usr/include").glob("*-linux-gnu")]
    )


# Debian's package, and how to see that what we want of it is there.
PACKAGES = {
    "openssl": lambda: shutil.which("openssl"),
    "libssl-dev": lambda: has_header("openssl/ssl.h"),
    "libsqlite3-dev": lambda: has_header("sqlite3.h"),
    "nginx-light": lambda: shutil.which("nginx") or os.path.exists("/usr/sbin/nginx"),
    "wrk": lambda: shutil.which("wrk"),
    "curl": lambda: shutil.which("curl"),
    "jq": lambda: shutil.which("jq"),
    "nodejs": lambda: shutil.which("node"),
    "node-ws": lambda: any((Path(folder) / "ws").exists() for folder in NODE_MODULES),
    "python3-venv": lambda: importlib.util.find_spec("ensurepip"),
}
# Where Debian puts what Node can require.
NODE_MODULES = ("/usr/share/nodejs", "/usr/lib/nodejs")
TO_BUILD = ("openssl", "libssl-dev", "libsqlite3-dev")
TO_BENCH = ("nginx-light", "wrk")
TO_READ_ALONG = ("curl", "jq", "python3-venv")
TO_BE_CLIENTS = ("curl", "nodejs", "node-ws", "python3-venv")
# What is installed from PyPI needs a newer Python than the scripts themselves.
PYTHON_AT_LEAST = (3, 11)


def say(text: str) -> None:
    print(text, flush=True)


def install(packages=TO_BUILD) -> None:
    """Installs what of `packages` is missing; with all of it there, nothing is run and no network used."""
    missing = [name for name in packages if not PACKAGES[name]()]
    if not missing:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if not shutil.which("apt-get"):
        raise Fault(
            "missing: " + " ".join(missing) + " (names of Debian packages); this machine has no apt-get, "
            "install them by its own package manager and try again")
    if os.geteuid() == 0:
        become: list[str] = []
    elif shutil.which("sudo"):
        # Without a terminal sudo could ask nobody for a password: then it must not need one.
        become = ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]
    else:
        raise Fault("missing packages, and neither root nor sudo to install them; type as root:\n    "
                    + " ".join(command))
    say("installing " + " ".join(missing))
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    said: list[str] = []
    # A list of packages may be there and fresh enough: it is fetched only when the first try fails.
    for step in (command, ["apt-get", "update"], command):
        done = subprocess.run(become + step, env=environment, text=True, stdin=None,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said += done.stdout.strip().splitlines()
        if done.returncode == 0 and step is command:
            break
    left = [name for name in missing if not PACKAGES[name]()]
    if left:
        # The cause may be told by any of the steps: a list that could not be fetched makes a package unknown later.
        told = [line for line in said if line.startswith(("E: ", "W: ", "Err:", "sudo: "))] or said[-6:]
        by_hand = command[:-len(missing)] + left
        raise Fault(" ".join(left) + " (Debian " + ("package" if len(left) == 1 else "packages")
                    + ") could not be installed; apt-get said:\n"
                    + "\n".join("    " + line for line in list(dict.fromkeys(told))[:8])
                    + "\nput that right and try again, or type"
                    + (":\n    " if os.geteuid() == 0 else " as root:\n    ")
                    + "apt-get update && " + " ".join(by_hand))


def python_with(requirements: Path) -> Path:
    """A Python that has the packages of a file, each in the version told there; made when that file has changed."""
    if sys.version_info < PYTHON_AT_LEAST:
        raise Fault("python3 is {}.{}; for the packages in {} it has to be {}.{} or newer".format(
            *sys.version_info[:2], requirements.relative_to(ROOT), *PYTHON_AT_LEAST))
    install(("python3-venv",))
    folder = ROOT / ".build" / f"python-{requirements.parent.name}"
    python, stamp_file = folder / "bin" / "python", folder / "stamp"
    stamp = sys.version + "\n" + requirements.read_text()
    if python.exists() and stamp_file.exists() and stamp_file.read_text() == stamp:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    for step in ([sys.executable, "-m", "venv", str(folder)],
                 [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet",
                  "-r", str(requirements)]):
        done = subprocess.run(step, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise Fault(" ".join(step) + f" ended with {done.returncode}; it said:\n"
                        + "\n".join("    " + line for line in done.stdout.strip().splitlines()[-8:]))
    stamp_file.write_text(stamp)
    return python


def check_swift() -> str:
    """The version of Swift, when it will do."""
    where = "get it from https://www.swift.org/install/linux/ and put its usr/bin on the PATH"
    if not shutil.which("swift"):
        raise Fault(f"Swift is missing: {where}")
    try:
        text = subprocess.run(["swift", "--version"], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise Fault(f"swift --version does not work ({problem}): {where}") from None
    found = re.search(r"Swift version (\d+)\.(\d+)(\.\d+)?", text)
    if not found:
        raise Fault("swift --version does not say a version:\n    " + text.strip()[:200] + f"\n{where}")
    if (int(found[1]), int(found[2])) < SWIFT_AT_LEAST:
        raise Fault("Swift {} is older than {}.{}: {}".format(
            found[0].split()[-1], *SWIFT_AT_LEAST, where))
    return found[0].split()[-1]


def binaries(configuration: str = "release", scratch: Path | None = None) -> Path:
    return (scratch or ROOT / ".build") / configuration


def sources_stamp() -> str:
    """What the release build depends on, as one text: another name, size or time is another stamp."""
    digest = hashlib.sha256()
    files = [ROOT / "Package.swift"]
    for folder, names, leaves in os.walk(ROOT / "Sources"):
        names.sort()
        files += [Path(folder) / leaf for leaf in sorted(leaves)]
    for file in files:
        facts = file.stat()
        digest.update(f"{file.relative_to(ROOT)} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def build_release() -> None:
    """Builds the roles in release, unless nothing has changed since this was last done."""
    stamp_file = ROOT / ".build" / "release.stamp"
    stamp = sources_stamp()
    built = all((binaries() / role).exists() for role in ROLES)
    if built and stamp_file.exists() and stamp_file.read_text() == stamp:
        return
    check_swift()
    say("building in release" + ("" if built else ": some minutes the first time"))
    began = time.monotonic()
    for role in ROLES:
        done = subprocess.run(["swift", "build", "-c", "release", "--product", role], cwd=ROOT)
        if done.returncode != 0:
            raise Fault(f"the release build of {role} failed, see above")
    stamp_file.write_text(stamp)
    say(f"built in {time.monotonic() - began:.0f} s")


def run_main(main, name: str) -> None:
    """Runs a script's `main`; a `Fault` becomes one clear text and exit 1, Ctrl-C exit 130."""
    try:
        sys.exit(main())
    except Fault as fault:
        print(f"{name}: {fault}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
