"""HTML from a source that isn't trusted, made harmless: what stays is what Markdown itself could have written.

The parsing is a browser's (html5ever by way of nh3), so what is kept reads the same to every one of them.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nh3 import Cleaner

PREFIX: Final = "user-content-"
"""What stands before each id, so that none takes the place of one of the page's own."""

_TAGS = {
    *(
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "cite",
        "code",
        "dd",
        "del",
        "details",
        "dfn",
        "div",
        "dl",
        "dt",
    ),
    *("em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "input", "ins", "kbd", "li"),
    *("mark", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "summary", "sup", "table", "tbody"),
    *("td", "tfoot", "th", "thead", "tr", "u", "ul", "var"),
}
_ATTRIBUTES = {
    "*": {"lang", "dir", "title"},
    "a": {"href"},
    "blockquote": {"class", "cite"},
    "code": {"class"},
    "del": {"cite", "datetime"},
    "details": {"open"},
    "div": {"class", "id"},
    "figure": {"class"},
    "img": {"src", "alt", "width", "height"},
    "ins": {"cite", "datetime"},
    "ol": {"start"},
    "pre": {"class", "data-language"},
    "q": {"cite"},
    "span": {"class"},
    "sup": {"class"},
    "td": {"style", "colspan", "rowspan"},
    "th": {"style", "colspan", "rowspan", "scope"},
}
# The classes that rendering gives: with others, text could dress up as a part of the page.
_CLASSES = {
    "blockquote": re.compile(r"markdown-alert-[a-z]+"),
    "code": re.compile(r"language-\S+"),
    "div": re.compile(r"footnote-definition"),
    "figure": re.compile(r"code"),
    "pre": re.compile(r"highlight"),
    "span": re.compile(r"[a-z][a-z0-9]{0,2}|g-[A-Z][a-z]+"),
    "sup": re.compile(r"footnote-(?:reference|definition-label)"),
}
_STYLE = re.compile(r"text-align: ?(?:left|center|right);?")


def cleaned(html: str) -> str:
    """Gives the HTML without scripts, handlers, styles, forms, frames, and URLs other than http, https and mailto.

    Ids begin with PREFIX, and links to them follow.
    """
    return _cleaner().clean(html)


@cache
def _cleaner() -> Cleaner:
    import nh3  # few sites have text that isn't their own

    return nh3.Cleaner(
        tags=_TAGS,
        clean_content_tags={"script", "style", "template", "noscript", "iframe", "object", "math", "svg", "title"},
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute,
        # A task list's box is the only field that may be there. One attribute is set: the order of two is a hash's.
        tag_attribute_values={"input": {"type": {"checkbox"}, "checked": {""}}},
        set_tag_attribute_values={"input": {"disabled": ""}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow ugc noopener noreferrer",
        id_prefix=PREFIX,
        strip_comments=True,
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "class":
        return value if tag in _CLASSES and _CLASSES[tag].fullmatch(value) else None
    if name == "style":
        return value if _STYLE.fullmatch(value) else None
    if name == "href" and value.startswith("#"):
        return f"#{PREFIX}{value[1:]}"
    return value
