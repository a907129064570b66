"""Where in a site's sources something comes from that a built page holds: the line that an author mends."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from html import escape, unescape

from hybridsite.documents import place
from hybridsite.errors import Location, SourceError
from hybridsite.loading import DATA_FOLDER
from hybridsite.resources import Resource
from hybridsite.site import Site
from hybridsite.sources import read_text

_EXPRESSION = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_ATTRIBUTE = re.compile(r"""([A-Za-z][\w:-]*)\s*=\s*(?:"([^"]*)"|'([^']*)')""")


class SourcePlaces:
    """The sources of a site, searched for what its pages hold."""

    def __init__(self, site: Site) -> None:
        self._site = site
        opening, closing = (re.escape(mark) for mark in site.settings.templates.variable)
        self._expression = re.compile(rf"{opening}.*?{closing}|{_EXPRESSION.pattern}", re.DOTALL)
        self._text = lru_cache(maxsize=4096)(self._read)
        self._patterns = lru_cache(maxsize=4096)(self._patterns_of)
        folder = site.root / DATA_FOLDER
        files = sorted(folder.rglob("*")) if folder.is_dir() else []
        self._data = [path.relative_to(site.root).as_posix() for path in files if path.is_file()]

    def of_attribute(self, source: str, name: str, value: str, number: int = 0, *, entry: str = "") -> Location:
        """Gives the place of an attribute's value on a page made from `source`; of the `number`th that is the same.

        `entry` is the file of the entry that the page is for.
        """
        files = [*([entry] if entry else []), *self._templates(source)]
        found = list(self._attributes(files, name, value))
        if not found:
            found = list(self._written_in(files, name, value)) or list(self._texts(source, entry, value))
        return found[min(number, len(found) - 1)] if found else Location(source)

    def of_tag(self, source: str, text: str, line: str, column: int, *, entry: str = "") -> Location:
        """Gives the place of a tag by the `line` and the column where it stands on the page, or by its text alone."""
        files = [*([entry] if entry else []), *self._templates(source)]
        indent = len(line) - len(line.lstrip())
        for wanted, offset in ((line.strip(), column - 1 - indent), (text, 0)):
            for file in files if wanted else ():
                whole = self._text(file)
                if whole.count(wanted) == 1 or (wanted in whole and not wanted.startswith("</")):
                    return Location(file, *place(whole, whole.index(wanted) + offset))
        found = (like for file in files if (like := self._like(file, text)) is not None)
        return next(found, Location(source))

    def _read(self, file: str) -> str:
        try:
            return read_text(self._site.root / file, file)
        except SourceError:
            return ""

    def _resource(self, source: str) -> Resource | None:
        return self._site.resources.get(source)

    def _templates(self, source: str) -> list[str]:
        """Gives the page, then the templates that it leads to."""
        resource = self._resource(source)
        return list(dict.fromkeys((source, *(resource.closure.templates if resource and resource.closure else ()))))

    def _attributes(self, files: Iterable[str], name: str, value: str) -> Iterator[Location]:
        """Yields where the value stands as it is: as an attribute, or as the target of a Markdown link."""
        texts = "|".join(sorted({re.escape(value), re.escape(escape(value)), re.escape(escape(value, quote=False))}))
        attribute = re.compile(rf"""(?<![\w:-]){re.escape(name)}\s*=\s*["']?\s*({texts})(?=["'\s>]|$)""")
        markdown = re.compile(rf"\]\(<?({texts})[>)\s]|^ {{0,3}}\[[^\]]+\]:\s*<?({texts})(?=[>\s]|$)|<({texts})>", re.M)
        for file in files:
            text = self._text(file)
            for found in attribute.finditer(text):
                yield Location(file, *place(text, found.start(1)))
            for found in markdown.finditer(text) if file.endswith(".md") else ():
                yield Location(file, *place(text, found.start(found.lastindex or 0)))

    def _written_in(self, files: Iterable[str], name: str, value: str) -> Iterator[Location]:
        """Yields where a value stands that is put together of text and expressions, the most text first."""
        found: list[tuple[int, Location]] = []
        for file in files:
            for attribute, pattern, letters, at in self._patterns(file):
                if attribute == name and letters and pattern.fullmatch(value):
                    found.append((-letters, Location(file, *place(self._text(file), at))))
        yield from (location for _, location in sorted(found, key=lambda pair: pair[0]))

    def _patterns_of(self, file: str) -> list[tuple[str, re.Pattern[str], int, int]]:
        """Reads the attributes of a template that hold expressions, each as a pattern for what it may come out as."""
        found = []
        text = self._text(file)
        # Quotes inside of expressions would end the attribute: they are put aside, place by place.
        plain = self._expression.sub(lambda match: "\1" * len(match[0]), text)
        for match in _ATTRIBUTE.finditer(plain):
            group = 2 if match[2] is not None else 3
            if "\1" in match[group]:
                parts = re.split("\1+", match[group])
                pattern = re.compile(".*?".join(map(re.escape, parts)), re.DOTALL)
                found.append((match[1], pattern, sum(map(len, parts)), match.start(group)))
        return found

    def _like(self, file: str, tag: str) -> Location | None:
        """Finds a tag of a template that comes out as `tag`."""
        text = self._text(file)
        name = re.match(r"</?[\w-]+", tag)
        if name is None:
            return None
        plain = self._expression.sub(lambda match: "\1" * len(match[0]), text)
        for match in re.finditer(rf"{re.escape(name[0])}(?=[\s>\1/])[^>]*>", plain):
            parts = re.split("\1+", match[0])
            if len(parts) > 1 and re.fullmatch(".*?".join(map(re.escape, parts)), tag, re.DOTALL):
                return Location(file, *place(text, match.start()))
        return None

    def _texts(self, source: str, entry: str, value: str) -> Iterator[Location]:
        """Yields where the value stands in front matter, in the page's module, or in data."""
        resource = self._resource(source)
        module = resource.route.module if resource else None
        files = [name for name in (entry, source, module, *self._data) if name]
        for file in files if len(value) > 1 else ():
            text = self._text(file)
            for found in re.finditer(rf"""(?<![\w/.-]){re.escape(value)}(?![\w/-])""", text):
                yield Location(file, *place(text, found.start()))

    def links_in(self, source: str) -> Iterator[tuple[str, str]]:
        """Yields the links that stand as they are, without an expression, in a page and the templates it leads to."""
        for file in self._templates(source):
            plain = self._expression.sub(lambda match: "\1" * len(match[0]), self._text(file))
            for match in _ATTRIBUTE.finditer(plain):
                value = match[2] if match[2] is not None else match[3]
                if match[1] in ("href", "src", "action", "poster") and "\1" not in value and "{{" not in value:
                    yield match[1], unescape(value).strip()
