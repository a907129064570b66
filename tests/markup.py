"""What tests of Markdown stand on: a body rendered as a page's, and HTML as a browser reads it."""

from __future__ import annotations

from html.parser import HTMLParser

from hybridsite.markdown import Rendered, render


def md(text: str) -> Rendered:
    """Renders a body as that of pages/a.md."""
    return render(text, file="pages/a.md")


class _Attributes(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(tag, name, value) for name, value in attrs]


def attributes(html: str) -> list[tuple[str, str, str | None]]:
    """Gives the tag, name and value of every attribute."""
    parser = _Attributes()
    parser.feed(html)
    parser.close()
    return parser.found
