"""Markdown to HTML: CommonMark with tables, footnotes, strikethrough, task lists, heading attributes and callouts; then
ids of headings, a table of contents, highlighted code, and links that lead where their files went."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pyromark
from pyromark import Options

from hybridsite import callouts
from hybridsite.cleaning import PREFIX, cleaned
from hybridsite.errors import Faults, Location, MarkdownError, SiteError
from hybridsite.footnotes import with_back_links
from hybridsite.headings import Heading, has_headings_of_its_own, table_of_contents, with_ids
from hybridsite.highlighting import CodeBlocks, Info, code_block, read_info, stylesheet
from hybridsite.tags import has_links_of_its_own, with_links

__all__ = ["Heading", "MarkdownStyle", "Rendered", "Resolve", "render", "stylesheet"]

Resolve = Callable[[str], str]
"""Gives the URL to write for a relative one, or raises SiteError; the place is added here."""

_UNTRUSTED_OPTIONS = (
    Options.ENABLE_TABLES
    | Options.ENABLE_FOOTNOTES
    | Options.ENABLE_STRIKETHROUGH
    | Options.ENABLE_TASKLISTS
    | Options.ENABLE_GFM
)
_OPTIONS = _UNTRUSTED_OPTIONS | Options.ENABLE_HEADING_ATTRIBUTES
# An info string of more than one word: pyromark tells the first alone.
_LONG_INFO = re.compile(r"```[^\n`]*(?:\{|[^\n`\s][ \t]+[^\s`])")
_LONG_TILDE_INFO = re.compile(r"~~~[^\n]*(?:\{|[^\n~\s][ \t]+\S)")
_RELATIVE = re.compile(r"(?![a-zA-Z][a-zA-Z0-9+.-]*:)[^/#?\\\s]")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A Markdown body as HTML, with its headings in order, and lists of links to those of levels 2 and 3 (HTML)."""

    html: str
    headings: tuple[Heading, ...]
    toc: str


@dataclass(frozen=True, slots=True)
class MarkdownStyle:
    """What a site may choose: links at the end of headings, and the titles of callouts by their kind."""

    heading_links: bool = False
    callouts: Mapping[str, str] = field(default_factory=lambda: callouts.TITLES)


_USUAL = MarkdownStyle()


def render(
    text: str,
    *,
    file: str,
    line: int = 1,
    resolve: Resolve | None = None,
    trusted: bool = True,
    style: MarkdownStyle = _USUAL,
) -> Rendered:
    """Renders a Markdown body; `file` and `line` say where it begins, for errors (0 where no line is known).

    `resolve` is asked for the URL of each relative link and image, those in HTML too. HTML in the body is passed
    through, as CommonMark has it: the body is the author's own. Where it isn't (`trusted=False`), what could do harm is
    taken out, and nothing but a broken character is a fault. Raises MarkdownError, what `resolve` raises, or SiteErrors
    for several faults.
    """
    body = _Body(text, file, line)
    options = _OPTIONS if trusted else _UNTRUSTED_OPTIONS
    try:
        highlight = code_block if not _has_long_info(text) else CodeBlocks(body.infos(options, strict=trusted))
        html = pyromark.html(text, options=options, highlight=highlight)
    except UnicodeEncodeError as error:
        what = "the text holds half of a surrogate pair, which is no character"
        place = body.place(text[: error.start])
        raise MarkdownError(what, mend="write the character itself", location=place) from None
    if not trusted:
        html = cleaned(html)
    html = with_back_links(callouts.with_titles(html, style.callouts))
    if resolve is not None:
        html = _resolved(html, body, resolve, trusted=trusted)
    own = has_headings_of_its_own(text)
    html, headings = with_ids(html, own=own, linked=style.heading_links, prefix="" if trusted else PREFIX)
    return Rendered(html, headings, table_of_contents(headings))


def _has_long_info(text: str) -> bool:
    return bool(
        ("```" in text and _LONG_INFO.search(text) is not None)
        or ("~~~" in text and _LONG_TILDE_INFO.search(text) is not None)
    )


def _resolved(html: str, body: _Body, resolve: Resolve, *, trusted: bool) -> str:
    """Gives the HTML with the URLs of relative links and images as `resolve` has them."""
    known: dict[str, str] = {}
    faults = Faults()

    def change(url: str) -> str:
        if url not in known:
            known[url] = url
            if _RELATIVE.match(url):
                try:
                    known[url] = resolve(url)
                except SiteError as fault:
                    # A visitor's broken link is nothing that the site's author could mend.
                    if trusted:
                        faults.add(fault.at(body.place_of_link(url)))
        return known[url]

    html = with_links(html, change, own=has_links_of_its_own(body.text))
    faults.raise_any()
    return html


class _Body:
    """A Markdown text and where it stands.

    It is read in single steps where an info string or a fault needs them, which costs four times what rendering does.
    """

    def __init__(self, text: str, file: str, line: int) -> None:
        self.text = text
        self._file = file
        self._line = line

    def place(self, before: str) -> Location:
        """Gives the place behind a part of the text."""
        if not self._line:
            return Location(self._file)
        return Location(self._file, self._line + before.count("\n"), len(before) - before.rfind("\n"))

    def infos(self, options: Options, *, strict: bool) -> list[Info]:
        """Reads the info string of each code block. Raises MarkdownError, or SiteErrors, with their places."""
        encoded = self.text.encode()
        infos: list[Info] = []
        faults = Faults()
        begun: tuple[str, int] | None = None
        code: list[str] = []
        for event, span in pyromark.events_with_range(self.text, options=options):
            match event:
                case {"Start": {"CodeBlock": kind}}:
                    begun, code = (kind["Fenced"] if isinstance(kind, dict) else "", span["start"]), []
                case {"Text": str(part)} if begun is not None:
                    code.append(part)
                case {"End": "CodeBlock"} if begun is not None:
                    info, start = begun
                    begun = None
                    infos.append(Info())
                    try:
                        infos[-1] = read_info(info, "".join(code).count("\n"), strict=strict)
                    except MarkdownError as fault:
                        faults.add(fault.at(self.place(encoded[:start].decode())))
        faults.raise_any()
        return infos

    def place_of_link(self, url: str) -> Location:
        """Finds the first link or image that leads to `url`; where none does, the URL itself, in HTML."""
        wanted = unquote(url)
        for event, span in pyromark.events_with_range(self.text, options=_OPTIONS):
            match event:
                case {"Start": {"Link": link} | {"Image": link}} if unquote(_target(link)) == wanted:
                    return self.place(self.text.encode()[: span["start"]].decode())
        at = self.text.find(url)
        return self.place(self.text[: max(at, 0)])


def _target(link: Any) -> str:
    return str(link["dest_url"])
