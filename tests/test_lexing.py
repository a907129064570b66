"""Quickened lexers give Pygments' own tokens."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pygments.lexers import get_all_lexers, get_lexer_by_name

from hybridsite.lexing import quicken

PIECES = (
    *("def f(x):\n    return x", "class A { public int b = 0x1F; }", "<p class='a'>b &amp; c</p>", "/* a */ // b\n"),
    *("# c\n", "let a = `b ${c}`;", '"d\\n"', "'e'", "SELECT * FROM f WHERE g = 'h';", "@media (x) { a:b }", "$i{j}"),
    *("1.5e-3", "0b11", "->", "=>", "::", "<<EOF\na\nEOF\n", "\t", "\n", "\n\n", " ", "{{ x }}", "{% y %}", "<?php ?>"),
    *("naïve", "ſ", "\u212a", "🛒", "\x1c", "\x1f", "\x00", "[a] = b", "-- c\n", "%d", "\\", '"""k"""', "K", "if end"),
)


def tokens(name: str, text: str, *, quick: bool) -> list[tuple[Any, str]]:
    lexer = get_lexer_by_name(name, stripnl=False, ensurenl=False)
    return list((quicken(lexer) if quick else lexer).get_tokens(text))


@pytest.mark.parametrize(
    "name",
    ["python", "javascript", "typescript", "html", "css", "bash", "json", "yaml", "toml", "c", "rust", "go", "sql",
     "jinja", "diff", "php", "ruby", "java", "markdown", "console", "pycon", "nginx", "docker", "perl"],
)  # fmt: skip
@settings(max_examples=40)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=20).map("".join))
def test_the_tokens_are_those_of_pygments(name: str, text: str) -> None:
    assert tokens(name, text, quick=True) == tokens(name, text, quick=False)


@pytest.mark.long
def test_the_tokens_of_every_lexer_are_those_of_pygments() -> None:
    dice = random.Random(5)
    differing = []
    for _, aliases, _, _ in get_all_lexers():
        for _ in range(6 if aliases else 0):
            text = "".join(dice.choices(PIECES, k=25))
            if tokens(aliases[0], text, quick=True) != tokens(aliases[0], text, quick=False):
                differing.append((aliases[0], text))
    assert differing == []


def test_fewer_rules_are_tried() -> None:
    from hybridsite.lexing import _rules

    table = _rules(type(get_lexer_by_name("python")), "root")
    assert len(table[""]) > 30
    assert all(len(table[character]) < len(table[""]) / 2 for character in "x=(1\n #")
