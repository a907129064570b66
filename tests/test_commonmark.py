"""The examples of the CommonMark specification, and those of GitHub's extensions, through the whole Markdown path.

docs/markdown.md lists each difference with its reason; this holds the list, so that neither a new difference nor one
that is gone goes unseen. scripts/fetch-texts brings the specifications.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hybridsite.errors import SiteError, SiteErrors
from hybridsite.markdown import render

ROOT = Path(__file__).resolve().parent.parent
TEXTS = ROOT / ".cache/texts"
FENCE = "`" * 32
VOID = frozenset({"br", "hr", "img", "input"})


@dataclass(frozen=True)
class Example:
    """One example: what is written, and what it should become."""

    number: int
    kind: str
    markdown: str
    html: str


def examples(name: str) -> list[Example]:
    """Reads the examples of a specification. Tabs are written as arrows there."""
    path = TEXTS / name
    if not path.exists():
        pytest.skip("scripts/fetch-texts brings the specifications")
    text = path.read_text("utf-8").partition("<!-- END TESTS -->")[0]
    found = re.findall(rf"^{FENCE} example ?([^\n]*)\n(.*?)^\.\n(.*?)^{FENCE}$", text, re.MULTILINE | re.DOTALL)
    return [
        Example(number, kind.strip(), markdown.replace("→", "\t"), html.replace("→", "\t"))
        for number, (kind, markdown, html) in enumerate(found, 1)
    ]


class _Normal(HTMLParser):
    """HTML in one form: attributes in order, white space between blocks gone, what hybridsite adds left out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._pre = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if re.fullmatch("h[1-6]", tag):
            given.pop("id", None)
        if tag == "pre":
            self._pre += 1
            given.pop("class", None)
            given.pop("data-language", None)
        if tag == "code" and self._pre:
            given.pop("class", None)
        if tag == "span" and self._pre:
            return
        self.parts.append(f"<{tag}{''.join(f' {name}={value!r}' for name, value in sorted(given.items()))}>")

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre":
            self._pre -= 1
        if (tag != "span" or not self._pre) and tag not in VOID:
            self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.parts.append(escape(data, quote=False) if self._pre else escape(re.sub(r"\s+", " ", data), quote=False))

    def handle_comment(self, data: str) -> None:
        self.parts.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.parts.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.parts.append(f"<?{data}>")

    def unknown_decl(self, data: str) -> None:
        self.parts.append(f"<![{data}]>")


def normal(html: str) -> str:
    """Gives HTML in one form."""
    parser = _Normal()
    parser.feed(html)
    parser.close()
    text = "".join(parser.parts)
    block = r"</?(?:blockquote|div|h[1-6]|hr|li|ol|p|pre|table|tbody|td|th|thead|tr|ul)\b[^>]*>"
    return re.sub(rf"\s*({block})\s*", r"\1", text).strip()


def rendered(markdown: str) -> str:
    """Gives what becomes of an example, in one form: HTML, or the fault that it is told for."""
    try:
        return normal(render(markdown, file="spec.md").html)
    except (SiteError, SiteErrors) as fault:
        return str(fault)


def differences(several: list[Example]) -> list[int]:
    """Gives the numbers of the examples that come out otherwise, and prints how many there are."""
    found = [example.number for example in several if rendered(example.markdown) != normal(example.html)]
    print(f"{len(several) - len(found)} of {len(several)} examples as the specification has them; others: {found}")
    return found


def listed(heading: str) -> list[int]:
    """Gives the numbers that docs/markdown.md lists in a section."""
    text = (ROOT / "docs/markdown.md").read_text("utf-8").partition(f"### {heading}\n")[2].partition("\n## ")[0]
    return [int(number) for number in re.findall(r"^\| (\d+) \|", text.partition("\n### ")[0], re.MULTILINE)]


def test_the_examples_of_commonmark() -> None:
    several = examples("commonmark.txt")
    assert len(several) == 652
    assert differences(several) == listed("CommonMark 0.31.2")


def test_the_examples_of_githubs_extensions() -> None:
    several = [example for example in examples("gfm.txt") if example.kind in ("table", "strikethrough", "disabled")]
    assert len(several) == 12
    assert differences(several) == listed("GitHub Flavored Markdown 0.29")
