"""Markdown to HTML: CommonMark with tables, footnotes, strikethrough, task lists and heading attributes; then ids of
headings, a table of contents, and highlighted code."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from html import escape, unescape
from typing import TYPE_CHECKING

import pyromark
from pyromark import Options

from hybridsite.errors import Location, MarkdownError, did_you_mean

if TYPE_CHECKING:
    from pygments.formatter import Formatter
    from pygments.lexer import Lexer

_OPTIONS = (
    Options.ENABLE_TABLES
    | Options.ENABLE_FOOTNOTES
    | Options.ENABLE_STRIKETHROUGH
    | Options.ENABLE_TASKLISTS
    | Options.ENABLE_HEADING_ATTRIBUTES
)
_REMEMBERED = 20_000
"""The length in characters up to which a highlighted block is remembered."""

_TAG_END = r"""(?:[^>"']|"[^"]*(?:"|\Z)|'[^']*(?:'|\Z))*(?:>|\Z)"""
# Every alternative matches to the end of the text where its own end is missing, as a browser would read it; so the time
# is linear in the length of any text.
_TOKEN = re.compile(
    r"<!--(?:>|->|.*?(?:--!?>|\Z))"
    r"|<(script|style|textarea|title|template|pre|xmp|iframe|noscript)\b.*?(?:</\1\s*+>|\Z)"
    rf"|<(?P<close>/?)h(?P<level>[1-6])(?P<attributes>(?=[\s>/]){_TAG_END})"
    rf"|<[a-z/!?]{_TAG_END}",
    re.DOTALL | re.IGNORECASE,
)
_HEADING = re.compile(rf"<h([1-6])({_TAG_END})(.*?)</h\1", re.DOTALL | re.IGNORECASE)
# Where the source has no tag of a heading, all headings of the output are pyromark's: whole, and where they seem to be.
_HEADING_TAG = re.compile(r"<[hH][1-6]")
_PLAIN_HEADING = re.compile(r"""<h([1-6])((?: (?:[^>"]|"[^"]*")*)?>)(.*?)</h\1>""", re.DOTALL)
_ID = re.compile(r"""\sid\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_FOOTNOTE_ID = re.compile(r'<div class="footnote-definition" id="([^"]*)">')
_UNSEEN = re.compile(r'<sup class="footnote-reference">.*?</sup>|<!--.*?-->|<[^>]*>', re.DOTALL)
_ASCII_DROPPED = re.compile(r"[^a-z0-9_\- ]")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: its level from 1 to 6, its id, and its text without markup.

    Neither `id` nor `text` is HTML: a template escapes them as it does any text.
    """

    level: int
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A Markdown body as HTML, with its headings in order, and lists of links to those of levels 2 and 3 (HTML)."""

    html: str
    headings: tuple[Heading, ...]
    toc: str


def render(text: str, *, file: str, line: int = 1) -> Rendered:
    """Renders a Markdown body; `file` and `line` say where it begins, for errors. Raises MarkdownError.

    HTML in the body is passed through, as CommonMark has it: the body is the author's own.
    """
    try:
        html = pyromark.html(text, options=_OPTIONS, highlight=_code_block)
    except UnicodeEncodeError as error:
        before = text[: error.start]
        raise MarkdownError(
            "the text holds half of a surrogate pair, which is no character",
            mend="write the character itself",
            location=Location(file, line + before.count("\n"), error.start - before.rfind("\n")),
        ) from None
    own = "<" in text and _HEADING_TAG.search(text)
    found = _found_anywhere(html) if own else _PLAIN_HEADING.finditer(html)
    html, headings = _with_ids(html, found)
    return Rendered(html, headings, _toc(headings))


# ---- headings


def _found_anywhere(html: str) -> Iterator[re.Match[str]]:
    """Finds headings among some of the author's own: not in comments, scripts, attributes and preformatted text."""
    opened: re.Match[str] | None = None
    for token in _TOKEN.finditer(html):
        if token["level"] is None:
            continue
        if not token["close"]:
            opened = token
        elif opened is not None and opened["level"] == token["level"]:
            # From one tag to the other: there is no third of that level between them, so this is short work.
            heading = _HEADING.match(html, opened.start(), token.end())
            opened = None
            if heading:
                yield heading


def _with_ids(html: str, found: Iterable[re.Match[str]]) -> tuple[str, tuple[Heading, ...]]:
    """Gives each heading an id, unless it has one, and lists them.

    The groups are level, rest of the tag, and content.
    """
    matches = list(found)
    explicit = [_explicit_id(match[2]) for match in matches]
    slugs = _Slugs({id for id in explicit if id})
    if 'class="footnote-definition"' in html:
        slugs.take(_FOOTNOTE_ID.findall(html))
    headings: list[Heading] = []
    parts: list[str] = []
    done = 0
    for match, own in zip(matches, explicit, strict=True):
        text = _plain(match[3])
        if own:
            headings.append(Heading(int(match[1]), own, text))
            continue
        slug = slugs.unique(text)
        headings.append(Heading(int(match[1]), slug, text))
        name_end = match.end(1)
        parts += html[done:name_end], f' id="{slug}"'  # a slug has no character that HTML would need escaped
        done = name_end
    parts.append(html[done:])
    return "".join(parts), tuple(headings)


def _explicit_id(attributes: str) -> str:
    match = _ID.search(attributes) if "=" in attributes else None
    return unescape(match[1] or match[2] or match[3] or "") if match else ""


def _plain(content: str) -> str:
    if "<" in content:
        content = _UNSEEN.sub("", content)
    if "&" in content:
        content = unescape(content)
    return " ".join(content.split())


class _Slugs:
    """The ids of one document, each used once."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self._counts: dict[str, int] = {}

    def take(self, ids: Iterable[str]) -> None:
        """Keeps ids, as they stand in HTML, from being given again."""
        self._taken.update(map(unescape, ids))

    def unique(self, text: str) -> str:
        """Gives the id for a heading's text, with `-1`, `-2` and so on from the second one on."""
        base = slug = _slug(text)
        count = self._counts.get(base, 0)
        while slug in self._taken:
            count += 1
            slug = f"{base}-{count}"
        self._counts[base] = count
        self._taken.add(slug)
        return slug


def _slug(text: str) -> str:
    """Gives GitHub's slug: lower case, spaces as hyphens, letters, digits and marks of every script kept."""
    text = text.lower()
    if text.isascii():
        slug = _ASCII_DROPPED.sub("", text)
    else:
        text = unicodedata.normalize("NFC", text)
        slug = "".join(c for c in text if c in "-_ " or c.isalnum() or unicodedata.category(c)[0] == "M")
    return slug.strip().replace(" ", "-") or "section"


def _toc(headings: tuple[Heading, ...]) -> str:
    """Gives nested lists of links to the headings of levels 2 and 3, or nothing where there is none."""
    parts: list[str] = []
    depth = 0  # lists that are open
    for heading in headings:
        if heading.level not in (2, 3):
            continue
        wanted = 2 if heading.level == 3 and depth else 1  # an h3 before any h2 stands in the outer list
        if wanted > depth:
            parts.append("<ul>\n")
            depth += 1
        else:
            parts.append("</li>\n</ul>\n</li>\n" if wanted < depth else "</li>\n")
            depth = wanted
        parts.append(f'<li><a href="#{escape(heading.id)}">{escape(heading.text)}</a>')
    parts.append("</li>\n</ul>\n" * depth)
    return "".join(parts)


# ---- code


def _code_block(language: str | None, code: str) -> str | None:
    """Gives the HTML of a code block. None, for no language or an unknown one, leaves it as pyromark writes it."""
    name = re.split(r"[,{:]", language, maxsplit=1)[0].lower() if language else ""
    if not name:
        return None
    spans = (_highlighted if len(code) <= _REMEMBERED else _highlighted.__wrapped__)(name, code)
    if spans is None:
        return None
    return f'<pre class="highlight" data-language="{escape(name)}"><code>{spans}</code></pre>\n'


@lru_cache(maxsize=2048)
def _highlighted(language: str, code: str) -> str | None:
    lexer_class = _lexer_class(language)
    if lexer_class is None:
        return None
    from pygments import highlight

    from hybridsite.lexing import quicken

    return highlight(code, quicken(lexer_class(stripnl=False, ensurenl=False)), _formatter())


@cache  # making one builds the rules of its style, which nobody reads here
def _formatter() -> Formatter[str]:
    from pygments.formatters.html import HtmlFormatter

    return HtmlFormatter(nowrap=True)


@lru_cache(maxsize=256)
def _lexer_class(language: str) -> type[Lexer] | None:
    from pygments.lexers import find_lexer_class_by_name
    from pygments.util import ClassNotFound

    try:
        return find_lexer_class_by_name(language)
    except ClassNotFound:
        return None


def stylesheet(light: str = "default", dark: str = "github-dark") -> str:
    """Gives the CSS of highlighted code: one Pygments style for light screens and paper, one for dark screens.

    Raises MarkdownError for a style that Pygments doesn't have.
    """
    # Each style has its own query: a token that the dark one leaves alone must not keep the light one's colour.
    return (
        f"@media not all and (prefers-color-scheme: dark) {{\n{_style(light)}\n}}\n"
        f"@media (prefers-color-scheme: dark) {{\n{_style(dark)}\n}}\n"
    )


def _style(name: str) -> str:
    from pygments.formatters.html import HtmlFormatter
    from pygments.styles import get_all_styles
    from pygments.util import ClassNotFound

    try:
        formatter = HtmlFormatter(style=name)
    except ClassNotFound:
        raise MarkdownError(f'there is no style "{name}" for code', mend=did_you_mean(name, get_all_styles())) from None
    # get_style_defs() would add rules for line numbers, and one for every <pre> of the page.
    background: list[str] = formatter.get_background_style_defs(".highlight")  # type: ignore[no-untyped-call]
    tokens: list[str] = formatter.get_token_style_defs(".highlight")  # type: ignore[no-untyped-call]
    return "\n".join(background + tokens)
