"""The tag `{% island "components/cart-badge.html", product=42, when="visible" %}fallback{% endisland %}`.

It becomes a call of a name that every template's context has, since what it does depends on the request under way: on a
page that all visitors share it leaves a place to be filled, elsewhere the piece itself.
"""

from __future__ import annotations

from typing import NoReturn

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.ext import Extension
from jinja2.parser import Parser

from hybridsite.errors import did_you_mean

# The name that the tag calls: with the component, the props, when it is fetched, and the fallback.
PLACE = "_island"
WHEN = ("load", "visible", "idle")

_EXAMPLE = '{% island "components/cart-badge.html", product=42 %}'


class TagError(TemplateSyntaxError):
    """A tag that is written in another way than its own, with the clause that mends it."""

    def __init__(self, parser: Parser, message: str, mend: str, line: int) -> None:
        super().__init__(message, line, parser.name, parser.filename)
        self.mend = mend


class IslandTag(Extension):
    """Parses the tag. Component and `when` are constants, so that what a page can lead to is known ahead."""

    tags = {"island"}  # noqa: RUF012 - Jinja's own name and type

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Gives an assignment of the fallback, and the call that prints the island. Raises TagError."""
        line = next(parser.stream).lineno
        component = self._component(parser, line)
        when = "load"
        props: list[nodes.Pair] = []
        names: set[str] = set()
        while parser.stream.current.type != "block_end":
            parser.stream.expect("comma")
            if parser.stream.current.type == "block_end":
                break
            name = self._name(parser, names, line)
            value = parser.parse_expression()
            if name == "when":
                when = self._when(parser, value, line)
            else:
                props.append(nodes.Pair(nodes.Const(name), value, lineno=line))
        fallback = parser.free_identifier(lineno=line)
        body = parser.parse_statements(("name:endisland",), drop_needle=True)
        arguments = [nodes.Const(component), nodes.Dict(props), nodes.Const(when), fallback]
        call = nodes.Call(nodes.Name(PLACE, "load"), arguments, [], None, None)
        return [nodes.AssignBlock(fallback, None, body, lineno=line), nodes.Output([call]).set_lineno(line)]

    def _component(self, parser: Parser, line: int) -> str:
        if parser.stream.current.type == "block_end":
            self._fail(parser, "an island names no component", f"name it: {_EXAMPLE}", line)
        match parser.parse_expression():
            case nodes.Const(value=str(name)):
                return name
            case _:
                why = "the component of an island is no text in quotes"
                self._fail(parser, why, f"write its name out, so that it is known ahead: {_EXAMPLE}", line)

    def _name(self, parser: Parser, names: set[str], line: int) -> str:
        if parser.stream.current.type != "name" or parser.stream.look().type != "assign":
            self._fail(parser, "a prop of an island has no name", f"give props by name: {_EXAMPLE}", line)
        name = str(next(parser.stream).value)
        next(parser.stream)
        if name in names:
            self._fail(parser, f'the prop "{name}" is given twice', "take one of them out", line)
        names.add(name)
        return name

    def _when(self, parser: Parser, value: nodes.Expr, line: int) -> str:
        known = " or ".join(f'"{word}"' for word in WHEN)
        match value:
            case nodes.Const(value=str(word)) if word in WHEN:
                return word
            case nodes.Const(value=str(word)):
                mend = did_you_mean(word, WHEN) or f"write {known}"
                self._fail(parser, f'an island has no when="{word}"', mend, line)
            case _:
                self._fail(parser, "`when` of an island is no text in quotes", f"write {known}", line)

    @staticmethod
    def _fail(parser: Parser, why: str, mend: str, line: int) -> NoReturn:
        raise TagError(parser, why, mend, line)
