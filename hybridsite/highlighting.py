"""Code blocks of Markdown: what their info strings say, highlighted code, marked lines, titles, and the stylesheet."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Final

from hybridsite.errors import MarkdownError, did_you_mean

if TYPE_CHECKING:
    from pygments.formatter import Formatter
    from pygments.lexer import Lexer

_REMEMBERED = 20_000
"""The length in characters up to which a highlighted block is remembered."""
_NAMES: Final = ("title",)
_LANGUAGE = re.compile(r"\s*([^\s,{:]*)[^\s{]*")
_OPTION = re.compile(
    r"""\s*(?:\{(?P<lines>[^{}]*)\}|(?P<name>[^\s={}"']+)(?:=(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'"""
    r"""|(?P<bare>[^\s"'{}]+)))?|(?P<rest>\S.*))""",
    re.DOTALL,
)
_RANGE = re.compile(r"\s*([0-9]{1,9})\s*(?:-\s*([0-9]{1,9})\s*)?")
_FORM: Final = 'write ```python {2,4-6} title="app.py"'


@dataclass(frozen=True, slots=True)
class Info:
    """What the info string of a code block says: its language, ranges of lines to mark (from 1), and its title."""

    language: str = ""
    marked: tuple[tuple[int, int], ...] = ()
    title: str = ""


def read_info(text: str, lines: int, *, strict: bool = True) -> Info:
    """Reads the info string of a block of so many lines.

    Raises MarkdownError, without a place, for what it can't be; where `strict` is false, that is left out.
    """
    language = _LANGUAGE.match(text)
    assert language is not None
    marked: tuple[tuple[int, int], ...] = ()
    title = ""
    for option in _OPTION.finditer(text, language.end()):
        try:
            if option["lines"] is not None:
                marked = (*marked, *_ranges(option["lines"], lines))
            elif option["name"] in _NAMES and "=" in option[0]:
                title = option["double"] or option["single"] or option["bare"] or ""
            else:
                raise _unknown_option(option)
        except MarkdownError:
            if strict:
                raise
    return Info(language[1].lower(), marked, title)


def _ranges(text: str, lines: int) -> tuple[tuple[int, int], ...]:
    ranges = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise MarkdownError(f'"{{{text}}}" behind a code block\'s language names no lines', mend=_FORM)
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last:
            raise MarkdownError(f'"{part.strip()}" is no range of lines', mend=_FORM)
        if last > lines:
            told = f"{lines} line{'' if lines == 1 else 's'}"
            raise MarkdownError(f"line {last} of a code block is marked, which has {told}", mend=_FORM)
        ranges.append((first, last))
    return tuple(ranges)


def _unknown_option(option: re.Match[str]) -> MarkdownError:
    if option["name"] is None:
        return MarkdownError(
            "the info string of a code block can't be read", why=f"it has {option[0].strip()}", mend=_FORM
        )
    mend = did_you_mean(option["name"], _NAMES) or f"take it out; {_FORM}"
    if option["name"] in _NAMES:
        mend = f'write {option["name"]}="…"'
    return MarkdownError(f'a code block has no option "{option["name"]}"', mend=mend)


class CodeBlocks:
    """Gives the HTML of the code blocks of one text, in their order: what pyromark calls for each."""

    def __init__(self, infos: Iterable[Info]) -> None:
        self._infos = iter(infos)

    def __call__(self, language: str | None, code: str) -> str | None:
        """Gives the HTML of the next block; None leaves it as pyromark writes it."""
        return block_html(next(self._infos), code)


def code_block(language: str | None, code: str) -> str | None:
    """Gives the HTML of a code block whose info string is one word.

    None, for no language or an unknown one, leaves it as pyromark writes it.
    """
    return block_html(Info(re.split(r"[,{:]", language, maxsplit=1)[0].lower()), code) if language else None


def block_html(info: Info, code: str) -> str | None:
    """Gives the HTML of a code block, or None where it is as plain as pyromark would write it."""
    marked = info.marked
    spans = None
    if info.language:
        spans = (_highlighted if len(code) <= _REMEMBERED else _highlighted.__wrapped__)(info.language, code, marked)
    if spans is not None:
        html = f'<pre class="highlight" data-language="{escape(info.language)}"><code>{spans}</code></pre>\n'
    elif marked or info.title:
        word = f' class="language-{escape(info.language)}"' if info.language else ""
        html = f'<pre class="highlight"><code{word}>{_plain(code, marked)}</code></pre>\n'
    else:
        return None
    if info.title:
        return f'<figure class="code">\n<figcaption>{escape(info.title)}</figcaption>\n{html}</figure>\n'
    return html


def _plain(code: str, marked: tuple[tuple[int, int], ...]) -> str:
    """Escapes code of no known language, with the lines marked that are to be."""
    lines = escape(code, quote=False).split("\n")
    for number in _numbers(marked):
        lines[number - 1] = f'<span class="hll">{lines[number - 1]}</span>'
    return "\n".join(lines)


def _numbers(marked: tuple[tuple[int, int], ...]) -> list[int]:
    return sorted({number for first, last in marked for number in range(first, last + 1)})


@lru_cache(maxsize=2048)
def _highlighted(language: str, code: str, marked: tuple[tuple[int, int], ...] = ()) -> str | None:
    lexer_class = _lexer_class(language)
    if lexer_class is None:
        return None
    from pygments import highlight

    from hybridsite.lexing import quicken

    formatter = _formatter(tuple(_numbers(marked))) if marked else _formatter()
    return highlight(code, quicken(lexer_class(stripnl=False, ensurenl=False)), formatter)


@lru_cache(maxsize=16)  # making one builds the rules of its style, which nobody reads here
def _formatter(marked: tuple[int, ...] = ()) -> Formatter[str]:
    from pygments.formatters.html import HtmlFormatter

    return HtmlFormatter(nowrap=True, hl_lines=marked)


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
