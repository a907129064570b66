"""Pygments' lexers, made to give the same tokens in a part of the time.

Most of the time of a RegexLexer goes into rules that can't match where they are tried: some forty for each token. Here
the syntax tree of a rule's pattern is asked once which ASCII characters a match may begin with; then only the rules
that may begin with the next character are tried, in their order. What the tree doesn't tell counts as possible, so that
the tokens are the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from pygments.lexer import Lexer, RegexLexer
from pygments.token import Error, Whitespace

try:
    from re import _constants as sre  # type: ignore[attr-defined]
    from re import _parser as parser  # type: ignore[attr-defined]
except ImportError:  # a Python that keeps them elsewhere: every rule is tried, as Pygments does
    sre = parser = None

Token = tuple[int, Any, str]
Rule = tuple[Callable[[str, int], "re.Match[str] | None"], Any, Any]
ANYTHING = frozenset(map(chr, range(128)))
"""All ASCII characters. Any other one may begin any match: code has few of them."""


def quicken(lexer: Lexer) -> Lexer:
    """Makes a lexer tokenize by its rules' first characters, where it is a RegexLexer that leaves that to Pygments."""
    is_usual = type(lexer).get_tokens_unprocessed is RegexLexer.get_tokens_unprocessed
    # Some make rules of their own for each lexer, by its options.
    if parser is not None and is_usual and hasattr(type(lexer), "_tokens") and "_tokens" not in vars(lexer):
        lexer.get_tokens_unprocessed = _tokens.__get__(lexer)  # type: ignore[method-assign]
    return lexer


def _tokens(lexer: Any, text: str, stack: Iterable[str] = ("root",)) -> Iterator[Token]:
    """Does what RegexLexer.get_tokens_unprocessed() does, step by step."""
    kind: Any = type(lexer)
    position, end = 0, len(text)
    states = list(stack)
    rules = _rules(kind, states[-1])
    while True:
        for match_at, action, new_state in rules.get(text[position], rules[""]) if position < end else rules[""]:
            match = match_at(text, position)
            if match is None:
                continue
            if action is not None:
                if type(action) is type(Error):
                    yield position, action, match.group()
                else:
                    yield from action(lexer, match)
            position = match.end()
            if new_state is not None:
                _change(states, new_state)
                rules = _rules(kind, states[-1])
            break
        else:
            if position >= end:
                return
            if text[position] == "\n":  # at the end of a line everything begins anew
                states = ["root"]
                rules = _rules(kind, "root")
                yield position, Whitespace, "\n"
            else:
                yield position, Error, text[position]
            position += 1


def _change(states: list[str], new: Any) -> None:
    if isinstance(new, tuple):
        for state in new:
            if state == "#pop":
                if len(states) > 1:
                    states.pop()
            else:
                states.append(states[-1] if state == "#push" else state)
    elif isinstance(new, int):
        del states[1 if abs(new) >= len(states) else new :]
    else:
        assert new == "#push"
        states.append(states[-1])


@lru_cache(maxsize=1024)
def _rules(lexer_class: Any, state: str) -> dict[str, tuple[Rule, ...]]:
    """Gives the rules of a state by the next character: those for "" are all of them."""
    rules: list[Rule] = lexer_class._tokens[state]
    firsts = [_first(match_at) for match_at, _, _ in rules]
    table = {
        character: tuple(rule for rule, first in zip(rules, firsts, strict=True) if character in first)
        for character in ANYTHING
    }
    return {"": tuple(rules), **table}


def _first(match_at: Any) -> frozenset[str]:
    """Gives the ASCII characters that a match may begin with: all of them where that can't be told."""
    pattern = getattr(match_at, "__self__", None)
    return _first_of(pattern.pattern, pattern.flags) if isinstance(pattern, re.Pattern) else ANYTHING


@lru_cache(maxsize=8192)
def _first_of(pattern: str, flags: int) -> frozenset[str]:
    tree = parser.parse(pattern, flags)
    found, may_be_empty = _sequence(tree, bool(tree.state.flags & re.IGNORECASE), bool(tree.state.flags & re.DOTALL))
    return ANYTHING if may_be_empty else found


def _sequence(items: Any, ignore_case: bool, dot_all: bool) -> tuple[frozenset[str], bool]:
    """Gives the characters that some items in a row may begin with, and whether they may match nothing at all."""
    found: frozenset[str] = frozenset()
    for item in items:
        characters, may_be_empty = _item(item, ignore_case, dot_all)
        found |= characters
        if not may_be_empty:
            return found, False
    return found, True


def _item(item: tuple[Any, Any], ignore_case: bool, dot_all: bool) -> tuple[frozenset[str], bool]:
    kind, value = item
    if kind is sre.LITERAL:
        return _literal(value, ignore_case), False
    if kind is sre.NOT_LITERAL:
        return ANYTHING - {chr(value)} if not ignore_case else ANYTHING, False
    if kind is sre.ANY:
        return ANYTHING if dot_all else ANYTHING - {"\n"}, False
    if kind is sre.IN:
        return _class(value, ignore_case), False
    if kind is sre.BRANCH:
        parts = [_sequence(branch, ignore_case, dot_all) for branch in value[1]]
        return frozenset().union(*(part[0] for part in parts)), any(part[1] for part in parts)
    if kind is sre.SUBPATTERN:
        _, added, removed, inner = value
        ignore_case = (ignore_case or bool(added & re.IGNORECASE)) and not removed & re.IGNORECASE
        dot_all = (dot_all or bool(added & re.DOTALL)) and not removed & re.DOTALL
        return _sequence(inner, ignore_case, dot_all)
    if kind is sre.ATOMIC_GROUP:
        return _sequence(value, ignore_case, dot_all)
    if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
        least, _, inner = value
        characters, may_be_empty = _sequence(inner, ignore_case, dot_all)
        return characters, may_be_empty or least == 0
    if kind in (sre.AT, sre.ASSERT, sre.ASSERT_NOT):
        return frozenset(), True  # they take no character: what follows them tells
    return ANYTHING, True


def _literal(code: int, ignore_case: bool) -> frozenset[str]:
    if not ignore_case:
        return frozenset(chr(code)) & ANYTHING
    # The Kelvin sign and the long s are k and s where case doesn't count.
    return frozenset({chr(code).lower(), chr(code).upper()}) if code < 128 else ANYTHING


def _class(items: Any, ignore_case: bool) -> frozenset[str]:
    negated = items[0][0] is sre.NEGATE
    found: frozenset[str] = frozenset()
    for kind, value in items[1:] if negated else items:
        if kind is sre.LITERAL:
            found |= frozenset(chr(value)) & ANYTHING
        elif kind is sre.RANGE:
            found |= frozenset(map(chr, range(value[0], min(value[1], 127) + 1)))
        elif kind is sre.CATEGORY and value in _CATEGORIES:
            at_least, at_most = _CATEGORIES[value]
            found |= at_least if negated else at_most
        else:
            return ANYTHING
    if not ignore_case:
        return ANYTHING - found if negated else found
    if negated or any(_is_beyond(*item) for item in items):
        return ANYTHING
    return frozenset(other for one in found for other in (one.lower(), one.upper()))


def _is_beyond(kind: Any, value: Any) -> bool:
    """Tells whether an item of a class has a character that is no ASCII, and may be the other case of one that is."""
    return (kind is sre.LITERAL and value > 127) or (kind is sre.RANGE and value[1] > 127)


def _categories() -> dict[Any, tuple[frozenset[str], frozenset[str]]]:
    """Gives, for each category, the characters that it has certainly, and those that it may have.

    Whether the separators U+001C to U+001F are spaces is for the pattern's flags to say.
    """
    digits = frozenset("0123456789")
    words = frozenset(character for character in ANYTHING if character.isalnum()) | {"_"}
    spaces = frozenset(" \t\n\r\f\v")
    spaces_at_most = frozenset(character for character in ANYTHING if character.isspace())
    return {
        sre.CATEGORY_DIGIT: (digits, digits),
        sre.CATEGORY_NOT_DIGIT: (ANYTHING - digits, ANYTHING - digits),
        sre.CATEGORY_WORD: (words, words),
        sre.CATEGORY_NOT_WORD: (ANYTHING - words, ANYTHING - words),
        sre.CATEGORY_SPACE: (spaces, spaces_at_most),
        sre.CATEGORY_NOT_SPACE: (ANYTHING - spaces_at_most, ANYTHING - spaces),
    }


_CATEGORIES = _categories() if sre is not None else {}
