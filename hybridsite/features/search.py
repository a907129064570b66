"""The search: Pagefind's index of the pages of a finished build, which a browser asks by itself, from `[search]`."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from hybridsite.entries import Entry, field
from hybridsite.errors import PluginError
from hybridsite.plugins import BuiltPage, FinishedBuild, Plugin

FOLDER: Final = "pagefind"
_PAUSE, _TRIES = 0.02, 1000
# What a browser doesn't need to ask: interfaces of Pagefind's own, which a site may have from its package.
_INTERFACES = re.compile(r"pagefind-(?:ui|modular-ui|component-ui|highlight)\.(?:js|css)")
_ENTRY = "pagefind-entry.json"
_NOINDEX = re.compile(rb"<meta\b(?=[^>]*\bname=[\"']?robots\b)[^>]*\bnoindex\b", re.IGNORECASE)


class Search(Plugin):
    """Adds the index below /pagefind/ to the finished build."""

    adds = (f"{FOLDER}/*",)

    def built(self, build: FinishedBuild) -> None:
        """Writes the index. Raises PluginError where Pagefind isn't installed, or fails."""
        pages = [(page.url, build.read(page.file)) for page in build.pages if _is_listed(page, build)]
        pages = [(url, body) for url, body in pages if not _NOINDEX.search(body)]
        with TemporaryDirectory(prefix="hybridsite-search-") as folder, ThreadPoolExecutor(1) as other:
            # A build may be a task of a loop already, in which nobody else can wait.
            other.submit(lambda: asyncio.run(_index(pages, Path(folder), build))).result()
            for path in sorted(Path(folder).rglob("*")):
                if path.is_file() and not _INTERFACES.fullmatch(path.name):
                    name, body = path.relative_to(folder).as_posix(), path.read_bytes()
                    build.add(f"{FOLDER}/{name}", _in_order(body) if name == _ENTRY else body)


def _in_order(entry: bytes) -> bytes:
    """Gives the table of an index's languages in their order: Pagefind writes them in another one each time."""
    table = json.loads(entry)
    table["languages"] = dict(sorted(table["languages"].items()))
    return json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode()


def _is_listed(page: BuiltPage, build: FinishedBuild) -> bool:
    """Tells whether a page is found: not one that is guarded, has `noindex`, or stands in for another language."""
    if page.kind != "page" or page.guarded or page.stands_in:
        return False
    entry = page.props.get("entry")
    said: list[Any] = [page.page.get("noindex"), *([field(entry, "noindex")] if isinstance(entry, Entry) else [])]
    path = page.url.removeprefix(build.site.base) or "/"
    return True not in said and not _fits(path, build.site.settings.search.exclude)


def _fits(path: str, patterns: Iterable[str]) -> bool:
    return any(path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern for pattern in patterns)


class _Written(Exception):
    """Tells that the index stands."""


async def _until_written(folder: Path) -> None:
    """Waits for the last of the files: Pagefind answers before the system has them. Raises RuntimeError."""
    for _ in range(_TRIES):
        if all(path.stat().st_size for path in folder.rglob("*") if path.is_file()):
            return
        await asyncio.sleep(_PAUSE)
    raise RuntimeError("its files stay empty")


async def _index(pages: Sequence[tuple[str, bytes]], folder: Path, build: FinishedBuild) -> None:
    try:
        from pagefind.index import IndexConfig, PagefindIndex
    except ImportError:
        mend = 'pip install "hybridsite[search]"'
        raise PluginError("[search] needs Pagefind, which is not installed", mend=mend) from None
    try:
        with suppress(_Written):
            async with PagefindIndex(config=IndexConfig(output_path=str(folder))) as index:
                for number, (url, body) in enumerate(pages, 1):
                    await index.add_html_file(content=body.decode(), url=url)
                    build.progress("indexed", "page", number, len(pages))
                await index.write_files()
                await _until_written(folder)
                raise _Written  # which keeps it from being written once more, as at the end of this block
    except (OSError, RuntimeError) as error:
        raise PluginError("Pagefind can't make the index", why=str(error)) from error
