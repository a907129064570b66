"""Nonces for the scripts and styles that a template itself writes, put in as it is compiled.

Only what stands in the template's own text gets one: a script that comes out of a printed value never does, so that
what somebody managed to print is not run. The text is read as HTML over the whole template, expressions left out, for a
`<script` inside of a comment, an attribute or another script is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from jinja2 import nodes

NAME = "csp_nonce"
HTML = (".html", ".htm")

_OPENS = re.compile(r"<!--|<(script|style|textarea|title)(?=[\s/>]|\Z)|</?[a-z]", re.IGNORECASE)
_IN_TAG = re.compile(r"[\"'>]")
_HAS_ITS_OWN = re.compile(r"[^>]*[\s\"'](?:src|nonce)\s*=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a piece of HTML ends: `inside` a tag, a comment or a raw element, in the `quote` of an attribute."""

    inside: str = ""
    quote: str = ""
    element: str = ""  # whose start tag it is, where its content is raw


def add_nonces(template: nodes.Template) -> None:
    """Has each script and style tag of the template's text print `nonce="…"`, where the page has one."""
    _visit(template, _Place())


def _visit(node: nodes.Node, place: _Place) -> _Place:
    match node:
        case nodes.Output():
            return _rewrite(node, place)
        case nodes.If():
            after = _each(node.body, place)
            for branch in node.elif_:
                _each(branch.body, place)
            _each(node.else_, place)
            return after
        case nodes.Block() | nodes.Macro():
            _each(node.body, _Place())
            return place
        case _:
            return _each(list(node.iter_child_nodes()), place)


def _each(several: list[nodes.Node], place: _Place) -> _Place:
    for node in several:
        place = _visit(node, place)
    return place


def _rewrite(output: nodes.Output, place: _Place) -> _Place:
    parts: list[nodes.Expr] = []
    for part in output.nodes:
        if not isinstance(part, nodes.TemplateData):
            parts.append(part)
            continue
        ends, place = _read(part.data, place)
        begin = 0
        for end in ends:
            parts += [nodes.TemplateData(part.data[begin:end], lineno=part.lineno), _attribute(part.lineno)]
            begin = end
        parts.append(nodes.TemplateData(part.data[begin:], lineno=part.lineno))
    output.nodes = parts
    return place


def _attribute(line: int) -> nodes.Expr:
    """Gives the expression that prints ` nonce="…"`, or nothing where the page has none."""
    nonce = nodes.Name(NAME, "load", lineno=line)
    texts: list[nodes.Expr] = [nodes.Const(' nonce="', lineno=line), nonce, nodes.Const('"', lineno=line)]
    told = nodes.Concat(texts, lineno=line)
    return nodes.MarkSafe(nodes.CondExpr(nonce, told, nodes.Const("", lineno=line), lineno=line), lineno=line)


def _read(text: str, place: _Place) -> tuple[list[int], _Place]:
    """Reads a piece of HTML on from `place`. Gives where nonces belong, behind names of tags, and the new place."""
    found: list[int] = []
    at = 0
    while True:
        if place.quote:
            at = text.find(place.quote, at) + 1
            place = replace(place, quote="") if at else place
        elif place.inside == "comment":
            at = text.find("-->", at) + 3
            place = _Place() if at > 2 else place
        elif place.inside == "tag":
            if (mark := _IN_TAG.search(text, at)) is None:
                return found, place
            at = mark.end()
            place = _Place(place.element) if mark[0] == ">" else replace(place, quote=mark[0])
            continue
        else:
            raw = rf"</{place.inside}(?=[\s/>]|\Z)"
            opens = re.compile(raw, re.IGNORECASE) if place.inside else _OPENS
            if (mark := opens.search(text, at)) is None:
                return found, place
            at, element = mark.end(), "" if place.inside else (mark[1] or "").lower()
            if element in ("script", "style") and not _HAS_ITS_OWN.match(text, at):
                found.append(at)
            place = _Place("comment") if mark[0] == "<!--" else _Place("tag", element=element)
            continue
        if place.quote or place.inside == "comment":
            return found, place
