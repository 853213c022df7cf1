"""Users and worlds by the hundred thousand, written into a node's database at once: registering them would take hours."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

PLACES = ["Harbour", "Castle", "Garden", "Neon", "Forest", "Ocean", "Studio", "Arena"]
THINGS = ["tower", "quay", "hall", "yard", "lane", "bridge", "market", "cellar"]
# So many worlds share an owner, and so many a tag, however many there are.
SHARED = 50


def identifier(index: int) -> bytes:
    """Ids that sort in the order in which they are made, as the node's own do (RFC 9562, version 7)."""
    return (1_700_000_000_000 + index).to_bytes(6, "big") + b"\x70\x00\x80" + os.urandom(7)


def text(kind: str, raw: bytes) -> str:
    digits = raw.hex()
    return f"{kind}_{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def title(index: int) -> str:
    return f"{PLACES[index % 8]} {THINGS[index // 8 % 8]} {index:06}"


def fill(database: Path, start: int, end: int) -> list:
    """Writes the users and worlds from `start` to `end`, beside an Eta at work; answers the users' ids."""
    db = sqlite3.connect(database, timeout=60)
    users = [identifier(index) for index in range(start, end)]
    with db:
        db.execute("PRAGMA foreign_keys = ON")
        db.executemany(
            "INSERT INTO user (id, username, username_key, displayname, displayname_key, password, created_at, updated_at)"
            " VALUES (?, ?, ?, ?, ?, 'nobody logs in', 0, 0)",
            ((raw, f"mila{index:06}", f"mila{index:06}", f"Mila {THINGS[index % 8]}", f"mila {THINGS[index % 8]}")
             for index, raw in enumerate(users, start)))
        db.executemany("INSERT INTO user_tag (user_id, tag) VALUES (?, ?)",
                       [(raw, "avr:world_creator") for raw in users]
                       + [(raw, "avr:bot") for index, raw in enumerate(users) if index % 10 == 0])
        db.executemany(
            "INSERT INTO world (id, title, title_key, capacity, owner_id, contributors, tags, created_at, updated_at)"
            " VALUES (?, ?, ?, 16, ?, '', ?, 0, 0)",
            ((identifier(index), title(index), title(index).lower(), users[(index - start) // SHARED],
              f" my:set{index // SHARED} " + ("avr:private " if index % 100 == 0 else ""))
             for index in range(start, end)))
    db.close()
    return users
