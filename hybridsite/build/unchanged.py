"""Whether there is anything to build at all: told by times and sizes alone, before what a build needs is imported."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path

from hybridsite.build.account import write_unchanged
from hybridsite.build.beginning import Beginning
from hybridsite.build.output import DIST, is_there
from hybridsite.build.rows import BuildReport
from hybridsite.build.snapshot import SECRET, changed_files, changed_outside, secret
from hybridsite.build.store import Store
from hybridsite.manifest import MANIFEST


def report_if_unchanged(
    root: Path, state: Path, begun: Beginning, environ: Mapping[str, str], *, drafts: bool, strict: bool
) -> BuildReport | None:
    """Gives the last build's report again where nothing that it knew has changed since, dist/ included; else None.

    A strict build looks at what was written again. What a site's code reads beyond the files of the site is none of
    that: the clock, the network.
    """
    began = time.perf_counter()
    last = begun.last
    if last is None or last.drafts != drafts or strict:
        return None
    if time.time() >= last.until and (last.until == 0 or not environ.get("SOURCE_DATE_EPOCH")):
        return None  # the same files may give other entries
    if changed_files(last.files, root, begun.files) or changed_outside(last.outside):
        return None
    if SECRET in last.variables:
        begun = begun.with_secret(secret(environ, state))
    if last.variables != begun.variables or not _stands(root, last):
        return None
    notices = tuple(notice.fault() for notice in last.notices)
    warnings = tuple(warning.fault() for warning in last.warnings)
    pages = sum(row.pages for row in last.rows)
    seconds = time.perf_counter() - began
    if not write_unchanged(state, seconds):
        return None  # the build makes another one
    return BuildReport(tuple(last.rows), notices, warnings, seconds, pages)


def _stands(root: Path, last: Store) -> bool:
    """Tells whether dist/ is what the last build wrote."""
    if not is_there(root, MANIFEST, last.manifest):
        return False
    if hashlib.sha256((root / DIST / MANIFEST).read_bytes()).hexdigest() != last.dist:
        return False
    return all(is_there(root, name, made.place) for name, made in last.made.items())
