"""The ledger: what was ordered, by everybody. It belongs to nobody's session, so it has a file of its own."""

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shopkeeper import Line

TAG = "ledger"
"""What pages that show the ledger are kept under, and an order invalidates."""


@dataclass(frozen=True, slots=True)
class Entry:
    """How many bottles of an ink went out, and what part of the most that is, from 0 to 1."""

    slug: str
    bottles: int
    share: float


def enter(context: Any, number: str, ordered: Iterable[Line]) -> None:
    """Writes an order down, once however often it is sent."""
    now = datetime.now(UTC).isoformat()
    with closing(_opened(context)) as book, book:
        rows = [(number, line.slug, line.quantity, now) for line in ordered]
        book.executemany("INSERT OR IGNORE INTO ledger VALUES (?, ?, ?, ?)", rows)


def read(context: Any) -> tuple[list[Entry], datetime | None]:
    """Gives the inks by how many bottles went out, the most first, and when the last one did."""
    with closing(_opened(context)) as book:
        rows = book.execute("SELECT ink, SUM(bottles) FROM ledger GROUP BY ink ORDER BY 2 DESC, 1").fetchall()
        last = book.execute("SELECT MAX(at) FROM ledger").fetchone()[0]
    known = [(slug, bottles) for slug, bottles in rows if slug in context.data["products"]]
    entries = [Entry(slug, bottles, bottles / known[0][1]) for slug, bottles in known]
    return entries, datetime.fromisoformat(last) if last else None


def _opened(context: Any) -> sqlite3.Connection:
    """Opens the file, which lies beside the sessions: the site's sources are in dist/server/ when it is served."""
    folder = Path(os.environ.get("HYBRIDSITE_STATE") or context.site.root.parents[1] / ".hybridsite")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    book = sqlite3.connect(folder / "ledger.db", timeout=5)
    book.execute("CREATE TABLE IF NOT EXISTS ledger (number, ink, bottles, at, PRIMARY KEY (number, ink))")
    return book
