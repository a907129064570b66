"""The headings of rendered Markdown: their ids, links to them, and the table of contents."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape, unescape

from hybridsite.tags import COMMENT, TAG_END

_TOKEN = re.compile(
    rf"{COMMENT}"
    r"|<(script|style|textarea|title|template|pre|xmp|iframe|noscript)\b.*?(?:</\1\s*+>|\Z)"
    rf"|<(?P<close>/?)h(?P<level>[1-6])(?P<attributes>(?=[\s>/]){TAG_END})"
    rf"|<[a-z/!?]{TAG_END}",
    re.DOTALL | re.IGNORECASE,
)
_HEADING = re.compile(rf"<h([1-6])({TAG_END})(.*?)</h\1", re.DOTALL | re.IGNORECASE)
# Where the source has no tag of a heading, all headings of the output are pyromark's: whole, and where they seem to be.
_HEADING_TAG = re.compile(r"<[hH][1-6]")
_PLAIN_HEADING = re.compile(r"""<h([1-6])((?: (?:[^>"]|"[^"]*")*)?>)(.*?)</h\1>""", re.DOTALL)
_ID = re.compile(r"""\sid\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_FOOTNOTE_ID = re.compile(r'<div class="footnote-definition" id="([^"]*)">')
_UNSEEN = re.compile(r'<sup class="footnote-reference"[^>]*>.*?</sup>|<!--.*?-->|<[^>]*>', re.DOTALL)
_ASCII_DROPPED = re.compile(r"[^a-z0-9_\- ]")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: its level from 1 to 6, its id, and its text without markup.

    Neither `id` nor `text` is HTML: a template escapes them as it does any text.
    """

    level: int
    id: str
    text: str


def has_headings_of_its_own(text: str) -> bool:
    """Tells whether Markdown holds headings that are written as HTML."""
    return "<" in text and _HEADING_TAG.search(text) is not None


def with_ids(html: str, *, own: bool, linked: bool = False, prefix: str = "") -> tuple[str, tuple[Heading, ...]]:
    """Gives each heading an id, unless it has one, and lists them.

    `own` says that some of the headings are the author's HTML, which may be written in any way. `linked` adds a link to
    the heading itself at its end; `prefix` stands before each id that is given.
    """
    matches = list(_found_anywhere(html) if own else _PLAIN_HEADING.finditer(html))
    explicit = [_explicit_id(match[2]) for match in matches]
    slugs = _Slugs({id for id in explicit if id}, prefix)
    if 'class="footnote-definition"' in html:
        slugs.take(_FOOTNOTE_ID.findall(html))
    headings: list[Heading] = []
    parts: list[str] = []
    done = 0
    # The groups are level, rest of the tag, and content.
    for match, id in zip(matches, explicit, strict=True):
        text = _plain(match[3])
        if not id:
            id = slugs.unique(text)
            name_end = match.end(1)
            parts += html[done:name_end], f' id="{id}"'  # a slug has no character that HTML would need escaped
            done = name_end
        if linked:
            content_end = match.end(3)
            link = f' <a class="heading-link" href="#{escape(id)}" aria-hidden="true" tabindex="-1">#</a>'
            parts += html[done:content_end], link
            done = content_end
        headings.append(Heading(int(match[1]), id, text))
    parts.append(html[done:])
    return "".join(parts), tuple(headings)


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

    def __init__(self, taken: set[str], prefix: str) -> None:
        self._taken = taken
        self._prefix = prefix
        self._counts: dict[str, int] = {}

    def take(self, ids: Iterable[str]) -> None:
        """Keeps ids, as they stand in HTML, from being given again."""
        self._taken.update(map(unescape, ids))

    def unique(self, text: str) -> str:
        """Gives the id for a heading's text, with `-1`, `-2` and so on from the second one on."""
        base = slug = self._prefix + _slug(text)
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


def table_of_contents(headings: tuple[Heading, ...]) -> str:
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
