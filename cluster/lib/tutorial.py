"""Runs each snippet of a page against a node and compares what it shows; a line for each of them.

In a `console` block `$ ` begins a command and what follows is its output: ids and times stand for any, `…` in a line for
whatever is there, alone on a line for any lines. A `python` block is the file that the text before it names.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from prepare import run_main

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
FILE = re.compile(r"This is `([\w.]+)`:\s*$")
# What the page says of the node, which the test has at a port of its own.
SHOWN_ADDRESS = "127.0.0.1:3032"
START = "./cluster/run "
ANY = ((re.compile(r"\b([a-z])_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), r"\1_ID"),
       (re.compile(r"\b1[0-9]{12}\b"), "TIME"),
       (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"), "TOKEN"))


def normalised(text: str) -> str:
    for pattern, word in ANY:
        text = pattern.sub(word, text)
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


def matches(expected: str, got: str) -> bool:
    pattern = "".join(r"(?:.*\n)*?" if line.strip() == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n"
                      for line in normalised(expected).splitlines())
    return re.fullmatch(pattern, normalised(got)) is not None


def commands(block: str) -> list:
    """Pairs of a command and what it shows."""
    found: list = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
        else:
            raise ValueError(f"a block that begins with no command: {line}")
    return [(command, "".join(line + "\n" for line in shown)) for command, shown in found]


class Shell:
    """One shell for the whole page, as its reader has: what is set in one block is there in the next."""

    END = "-- end of the command --"

    def __init__(self, folder: str):
        self.process = subprocess.Popen(["bash", "-u"], cwd=folder, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, command: str) -> tuple:
        """Output and exit of a command."""
        self.process.stdin.write(f"{command}\nprintf '%s %s\\n' '{self.END}' $?\n")
        self.process.stdin.flush()
        said = ""
        while line := self.process.stdout.readline():
            before, end, code = line.partition(self.END)
            said += before
            if end:
                return said, int(code)
        raise ValueError("the shell has ended")

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def main() -> int:
    page, run_log = Path(sys.argv[1]), Path(sys.argv[2])
    text, address = page.read_text(), os.environ["NODE"]
    failed = 0

    def tell(what: str, expected: str, got: str, code: int = 0) -> None:
        nonlocal failed
        if code == 0 and matches(expected, got):
            print(f"ok · {what}", flush=True)
            return
        failed += 1
        print(f"failed · {what}: exit {code}, shows something else\n--- the page\n{expected}--- the node\n{got}---",
              flush=True)

    with tempfile.TemporaryDirectory() as folder:
        shell = Shell(folder)
        try:
            for block in BLOCK.finditer(text):
                language, body = block.groups()
                if language == "python":
                    name = FILE.search(text[:block.start()])
                    if not name:
                        raise ValueError("a file without a name: " + body.splitlines()[0])
                    (Path(folder) / name[1]).write_text(body.replace(SHOWN_ADDRESS, address))
                    continue
                if language != "console":
                    raise ValueError(f"a block of {language}, which is not run")
                for command, shown in commands(body):
                    if command.startswith(START):
                        # That is how the node was started; what it said is in its log.
                        tell(command, shown, run_log.read_text())
                        continue
                    got, code = shell.run(command.replace(SHOWN_ADDRESS, address))
                    tell(command, shown, got.replace(address, SHOWN_ADDRESS), code)
        finally:
            shell.close()
    return 1 if failed else 0


if __name__ == "__main__":
    run_main(main, "cluster/lib/tutorial.py")
