"""Style sheets: bundled and minified by lightningcss, with `url()` led to the fingerprinted files."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from hybridsite.assets.references import Sources, circle, located, relative, resolve
from hybridsite.assets.store import ResultStore, key_of
from hybridsite.assets.table import FOLDER
from hybridsite.errors import AssetError, Location

_STRING = r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'"""
_BARE = r"""(?:[^)"'\s\\]|\\.)+"""
# CSS Syntax 3, 4.3: comments, strings and url tokens, the only places where `url(` or `@import` may stand otherwise.
_TOKEN = re.compile(
    rf"(?P<comment>/\*.*?(?:\*/|\Z))"
    rf"|(?P<import>@import(?![\w-])\s*(?:(?P<from>{_STRING})|url\(\s*(?P<from_url>{_STRING}|{_BARE})\s*\)))"
    rf"|(?P<url>(?<![\w-])(?:url|src)\(\s*(?P<to>{_STRING}|{_BARE})\s*\))"
    rf"|(?P<string>{_STRING})",
    re.DOTALL | re.IGNORECASE,
)
_ESCAPE = re.compile(r"\\(?:([0-9A-Fa-f]{1,6})\s?|(.))", re.DOTALL)
_MAP = re.compile(r"/\*[#@]\s*sourceMappingURL=\s*(\S+?)\s*\*/")
_FAULT = re.compile(r"^(?:[A-Z][a-z ]+ failed: )?(.*) at (\S+\.css):(\d+):(\d+)$", re.DOTALL)


def style_sheet(name: str, sources: Sources, store: ResultStore) -> bytes:
    """Gives a style sheet as it is sent, with all that it imports. Raises AssetError with the place of the fault.

    One that another tool made, and that has a source map, is sent as it is, but for the URLs.
    """
    bundle = _Bundle(name, sources)
    bundle.add(name, [])
    if mapped := bundle.mapped():
        return mapped.encode()
    key = key_of("css", version("lightningcss"), *(part for pair in bundle.parts.items() for part in pair))
    kept = store.get(key)
    if kept is None:
        kept = bundle.made()
        store.put(key, kept)
    return kept


def urls_in(text: str) -> Iterator[tuple[str, int]]:
    """Yields what a style sheet's `url()` and @import lead to, each with where it stands."""
    for found in _TOKEN.finditer(text):
        for group in ("from", "from_url", "to"):
            if found[group]:
                yield _unquoted(found[group]), found.start(group)


class _Bundle:
    """The files of one style sheet, each with its references rewritten."""

    def __init__(self, entry: str, sources: Sources) -> None:
        self._entry = entry
        self._sources = sources
        self.parts: dict[str, str] = {}

    def add(self, name: str, chain: list[str]) -> None:
        """Reads a file and those that it imports."""
        text = self._sources.text(name)
        self.parts[name] = ""  # keeps its place: the order is that of the first mention
        self.parts[name] = _TOKEN.sub(lambda found: self._rewritten(found, name, text, [*chain, name]), text)

    def _rewritten(self, found: re.Match[str], name: str, text: str, chain: list[str]) -> str:
        if found["import"]:
            group = "from" if found["from"] else "from_url"
            target = _unquoted(found[group])
            other = resolve(target, name, text, found.start(group), self._sources.known())
            where = located(name, text, found.start(group))
            if other is None:
                raise AssetError(
                    f'@import of "{target}" leads out of assets/',
                    why="a style sheet is bundled from the site's own files",
                    mend='link it in the layout: <link rel="stylesheet" …>',
                    location=where,
                )
            if other in chain:
                raise circle(chain, other, where)
            if other not in self.parts:
                self.add(other, chain)
            return f'@import "{list(self.parts).index(other)}.css"'
        if found["url"]:
            target = _unquoted(found["to"])
            other = resolve(target, name, text, found.start("to"), self._sources.known())
            if other is None:
                return found[0]
            to = relative(self._sources.file(other), self._entry, target)
            return f'{found["url"].partition("(")[0]}("{to}")'
        if found["comment"] and (named := _MAP.fullmatch(found[0])) and name == self._entry:
            other = resolve(named[1], name, text, found.start(), self._sources.known())
            return found[0] if other is None else f"/*# sourceMappingURL={relative(self._sources.file(other), name)} */"
        return found[0]

    def mapped(self) -> str | None:
        """Gives the text where it has a source map, and is of one file."""
        text = self.parts[self._entry]
        return text if len(self.parts) == 1 and _MAP.search(text) else None

    def made(self) -> bytes:
        """Bundles and minifies. Raises AssetError where a file doesn't parse."""
        import lightningcss

        names = list(self.parts)
        with tempfile.TemporaryDirectory(prefix="hybridsite-css-") as folder:
            for number, text in enumerate(self.parts.values()):
                (Path(folder) / f"{number}.css").write_text(text, "utf-8")
            try:
                return str(lightningcss.bundle_css(f"{folder}/0.css")).encode()
            except (ValueError, OSError) as error:
                raise _fault(str(error), names) from None


def _fault(message: str, names: list[str]) -> AssetError:
    found = _FAULT.match(message)
    if found is None:
        return AssetError("the style sheet can't be made", why=message, location=Location(f"{FOLDER}/{names[0]}"))
    number = Path(found[2]).stem
    name = names[int(number)] if number.isdigit() and int(number) < len(names) else names[0]
    # lightningcss counts lines from 0, and columns from 1.
    place = Location(f"{FOLDER}/{name}", int(found[3]) + 1, int(found[4]))
    mend = "mend it, or put the file into public/, which is copied as it is"
    return AssetError("the style sheet doesn't parse", why=found[1], mend=mend, location=place)


def _unquoted(written: str) -> str:
    text = written[1:-1] if written[0] in "\"'" else written
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)
