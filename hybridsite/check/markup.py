"""What a page holds that can be checked: its links, its ids, and tags that no browser puts where they were written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

# HTML, 4: where each element names another resource. `srcset` has several.
_LINKS = {
    "a": ("href",),
    "area": ("href",),
    "audio": ("src",),
    "embed": ("src",),
    "form": ("action",),
    "button": ("formaction",),
    "iframe": ("src",),
    "image": ("href",),
    "img": ("src", "srcset"),
    "input": ("src", "formaction"),
    "link": ("href", "imagesrcset"),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "track": ("src",),
    "use": ("href",),
    "video": ("src", "poster"),
}
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
# HTML, 13.1.2.4: what ends a paragraph that nobody has ended.
_ENDS_P = frozenset(
    {
        *("address", "article", "aside", "blockquote", "details", "dialog", "div", "dl", "fieldset", "figcaption"),
        *("figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "main", "menu"),
        *("nav", "ol", "p", "pre", "search", "section", "table", "ul"),
    }
)
# Each element whose end tag may be left out, with what ends it, and the elements that it looks no further than.
_ENDED_BY = {
    "li": ({"li"}, {"ul", "ol", "menu"}),
    "dt": ({"dt", "dd"}, {"dl"}),
    "dd": ({"dt", "dd"}, {"dl"}),
    "tr": ({"tr", "tbody", "tfoot"}, {"table"}),
    "td": ({"td", "th", "tr", "tbody", "tfoot"}, {"table"}),
    "th": ({"td", "th", "tr", "tbody", "tfoot"}, {"table"}),
    "thead": ({"tbody", "tfoot"}, {"table"}),
    "tbody": ({"tbody", "tfoot"}, {"table"}),
    "option": ({"option", "optgroup"}, {"select", "datalist"}),
    "optgroup": ({"optgroup"}, {"select"}),
}
_MAY_STAY_OPEN = frozenset({"html", "head", "body", "p", "colgroup", "rt", "rp", "tfoot", *_ENDED_BY})
_PARENTS = {
    "li": ("ul", "ol", "menu"),
    "dt": ("dl", "div"),
    "dd": ("dl", "div"),
    "tr": ("table", "thead", "tbody", "tfoot"),
    "td": ("tr",),
    "th": ("tr",),
    "figcaption": ("figure",),
    "legend": ("fieldset",),
    "summary": ("details",),
}
_ALONE = {"a": ("a", "button"), "button": ("a", "button"), "form": ("form",), "label": ("label",)}
_FOREIGN = frozenset({"svg", "math"})
_NOT_LOADED = frozenset({"preconnect", "dns-prefetch"})


@dataclass(frozen=True, slots=True)
class Link:
    """An attribute that names another resource, and where its tag begins in the page."""

    tag: str
    attribute: str
    url: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class MarkupFault:
    """What is wrong with a tag: `text` is the tag as it was written."""

    rule: str
    what: str
    why: str
    mend: str
    line: int
    column: int
    text: str


@dataclass(slots=True)
class PageMarkup:
    """What a page holds that can be checked."""

    links: list[Link] = field(default_factory=list)
    ids: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    faults: list[MarkupFault] = field(default_factory=list)
    base: str = ""


@dataclass(slots=True)
class _Open:
    tag: str
    line: int
    column: int
    text: str


def read_markup(html: str) -> PageMarkup:
    """Reads a page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.end()
    return reader.page


class _Reader(HTMLParser):
    """Reads tags in their order, with the elements that are open at each."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = PageMarkup()
        self._open: list[_Open] = []
        self._ended: list[tuple[_Open, _Open]] = []  # paragraphs that an element ended, with that element

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Sees a start tag."""
        line, offset = self.getpos()
        start = _Open(tag, line, offset + 1, self.get_starttag_text() or f"<{tag}>")
        given = dict(reversed(attrs))  # of two attributes of one name the first counts
        self._note_links(start, given)
        if (name := given.get("id")) is not None:
            self.page.ids.setdefault(name, []).append((start.line, start.column))
        if tag == "a" and (name := given.get("name")):
            self.page.ids.setdefault(name, [(start.line, start.column)])
        if tag == "base" and not self.page.base:
            self.page.base = given.get("href") or ""
        self._check_alt(start, given)
        if not any(one.tag in _FOREIGN for one in self._open):
            self._close_what_it_ends(start)
            self._check_place(start)
        if tag not in _VOID:
            self._open.append(start)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Sees `<tag/>`, which ends by itself in SVG alone."""
        self.handle_starttag(tag, attrs)
        foreign = any(one.tag in _FOREIGN for one in self._open)
        if foreign and tag not in _VOID and self._open[-1].tag == tag:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Sees an end tag."""
        if tag in _VOID and tag != "br":
            return
        line, offset = self.getpos()
        index = next((at for at in range(len(self._open) - 1, -1, -1) if self._open[at].tag == tag), None)
        if index is None:
            self._stray(tag, line, offset + 1)
            return
        for left in self._open[index + 1 :]:
            if left.tag not in _MAY_STAY_OPEN:
                self._fault(
                    left, "nesting", f"<{left.tag}> is never closed", f"</{tag}> comes first", f"write </{left.tag}>"
                )
        del self._open[index:]

    def end(self) -> None:
        """Ends the page."""
        for left in self._open:
            if left.tag not in _MAY_STAY_OPEN:
                self._fault(left, "nesting", f"<{left.tag}> is never closed", "", f"write </{left.tag}>")

    def _stray(self, tag: str, line: int, column: int) -> None:
        here = _Open(tag, line, column, f"</{tag}>")
        if tag == "p" and self._ended:
            _, ender = self._ended.pop()
            why = "it ends the paragraph, and the </p> behind it closes nothing"
            self._fault(ender, "nesting", f"<{ender.tag}> stands inside <p>", why, "end the paragraph before it")
        else:
            self._fault(here, "nesting", f"</{tag}> closes nothing", f"no <{tag}> is open there", "take it out")

    def _close_what_it_ends(self, start: _Open) -> None:
        tags = [one.tag for one in self._open]
        if start.tag in _ENDS_P and "p" in tags and "button" not in tags[tags.index("p") :]:
            index = len(tags) - 1 - tags[::-1].index("p")
            inline = {
                "a",
                "b",
                "em",
                "i",
                "small",
                "span",
                "strong",
                "abbr",
                "cite",
                "code",
                "q",
                "s",
                "sub",
                "sup",
                "u",
            }
            if all(tag in inline for tag in tags[index + 1 :]):
                self._ended.append((self._open[index], start))
                del self._open[index:]
                tags = [one.tag for one in self._open]
        for at in range(len(tags) - 1, -1, -1):
            enders, walls = _ENDED_BY.get(tags[at], (set(), {tags[at]}))
            if start.tag in enders:
                del self._open[at:]
                tags = tags[:at]
            elif walls == {tags[at]} or start.tag in walls:
                break

    def _check_place(self, start: _Open) -> None:
        parent = self._open[-1].tag if self._open else ""
        wanted = _PARENTS.get(start.tag)
        if wanted is not None and parent not in (*wanted, "template", ""):
            places = " or ".join(f"<{tag}>" for tag in wanted[:2])
            self._fault(start, "nesting", f"<{start.tag}> stands in <{parent}>", "", f"put it into {places}")
        for outer in reversed(self._open):
            if outer.tag in _ALONE.get(start.tag, ()):
                what = f"<{start.tag}> stands inside <{outer.tag}>"
                self._fault(
                    start, "nesting", what, "a browser closes the outer one first", "close the outer one before it"
                )
                break

    def _check_alt(self, start: _Open, given: dict[str, str | None]) -> None:
        needs = start.tag == "img" or (start.tag == "area" and "href" in given)
        if (needs or (start.tag == "input" and given.get("type") == "image")) and "alt" not in given:
            why = "who can't see it gets nothing"
            mend = 'write alt="what it shows", or alt="" where it only decorates'
            self._fault(start, "missing-alt", f"<{start.tag}> has no alt", why, mend)

    def _fault(self, at: _Open, rule: str, what: str, why: str, mend: str) -> None:
        self.page.faults.append(MarkupFault(rule, what, why, mend, at.line, at.column, at.text))

    def _note_links(self, start: _Open, given: dict[str, str | None]) -> None:
        rel = (given.get("rel") or "").lower().split()
        if start.tag == "link" and _NOT_LOADED.intersection(rel):
            return
        for attribute in _LINKS.get(start.tag, ()):
            value = given.get(attribute)
            if value is None or "{{" in value:  # a script fills it in
                continue
            for url in _urls(attribute, value):
                self.page.links.append(Link(start.tag, attribute, url, start.line, start.column))


def _urls(attribute: str, value: str) -> list[str]:
    if not attribute.endswith("srcset"):
        return [value.strip()]
    candidates = re.findall(r"\s*,*\s*(\S*[^\s,])(?:\s+[^,]*)?", value)
    return list(dict.fromkeys(candidates))
