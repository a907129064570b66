"""build.json: what a build did, for machines. It lies beside the cache, since times are never the same twice."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from hybridsite import __version__
from hybridsite.build.rows import BuildReport
from hybridsite.errors import SiteError

NAME = "build.json"
_FORMAT = 1
"""Counts up when a key goes or changes its meaning; new keys may come at any time."""


def write_account(state: Path, report: BuildReport, *, drafts: bool) -> None:
    """Writes the account of a build that has succeeded, whole or not at all."""
    _write(state, _account(report, drafts))


def forget_account(state: Path) -> None:
    """Throws the account away: what comes now is another build's, which may be killed before it can tell."""
    with suppress(OSError):
        (state / NAME).unlink(missing_ok=True)


def write_unchanged(state: Path, seconds: float) -> bool:
    """Tells in the account that another build found nothing to do. False where there is none to tell it in."""
    try:
        account = msgspec.json.decode((state / NAME).read_bytes())
        if (account["format"], account["hybridsite"]) != (_FORMAT, __version__):
            return False
        for page in account["pages"]:
            page.update(rendered=False, why="")
    except (OSError, msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return False
    account.update(seconds=round(seconds, 4), rendered=0, kept=len(account["pages"]), unchanged=True)
    account["phases"] = {"load": round(seconds, 4)}
    _write(state, account)
    return True


def _account(report: BuildReport, drafts: bool) -> Mapping[str, Any]:
    return {
        "format": _FORMAT,
        "hybridsite": __version__,
        "drafts": drafts,
        "unchanged": False,
        "seconds": round(report.seconds, 4),
        "phases": {phase: round(seconds, 4) for phase, seconds in report.phases.items()},
        "rendered": report.pages - report.kept,
        "kept": report.kept,
        "routes": [
            {
                "route": row.pattern,
                "kind": row.kind,
                "reason": row.reason,
                "source": row.source,
                "pages": row.pages,
                "bytes": row.size,
                "ms": _ms(row.seconds),
            }
            for row in report.rows
        ],
        "pages": [
            {
                "url": page.url,
                "file": page.file,
                "kind": page.kind,
                "source": page.source,
                "bytes": page.size,
                "ms": _ms(page.seconds),
                "rendered": bool(page.why),
                "why": page.why,
                **({"templates": {name: _ms(spent) for name, spent in page.spent.items()}} if page.spent else {}),
            }
            for page in report.told
        ],
        "warnings": [_fault(fault) for fault in report.warnings],
        "notices": [_fault(fault) for fault in report.notices],
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _fault(fault: SiteError) -> Mapping[str, Any]:
    place = fault.location
    return {
        "file": place.file if place else "",
        "line": place.line if place else 0,
        "column": place.column if place else 0,
        "what": fault.what,
        "why": fault.why,
        "mend": fault.mend,
    }


def _write(state: Path, account: Mapping[str, Any]) -> None:
    path = state / NAME
    fresh = path.with_name(f"{NAME}-{os.getpid()}")
    try:
        fresh.write_bytes(msgspec.json.encode(account) + b"\n")
        fresh.replace(path)
    except OSError:  # it costs nobody anything but the account, which is no older build's then
        forget_account(state)
