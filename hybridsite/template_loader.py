"""Where the templates of a site come from: read by their names, taken apart, analysed, and compiled once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import CodeType
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.exceptions import TemplateNotFound, TemplateSyntaxError

from hybridsite import sources
from hybridsite.analysis import TemplateFacts, analyse
from hybridsite.closures import trace
from hybridsite.compiled import compiled
from hybridsite.errors import Location, TemplateError, did_you_mean
from hybridsite.formats import FILTERS
from hybridsite.island_tag import PLACE
from hybridsite.nonces import HTML, add_nonces

_TAGS = (
    *("block", "call", "filter", "for", "if", "macro", "raw", "set", "trans", "with"),
    *("endblock", "endcall", "endfilter", "endfor", "endif", "endmacro", "endraw", "endset", "endtrans", "endwith"),
    *("break", "continue", "do", "elif", "else", "extends", "from", "import", "include", "island", "endisland"),
)


class SiteLoader(jinja2.BaseLoader):
    """Finds templates in an index, never by joining paths, and analyses each one as it is parsed.

    `page_names` are those that a template gets of the page. Where the loader isn't `is_foreseeable`, no code is kept.
    """

    def __init__(
        self, index: Mapping[str, Path], variable: tuple[str, str], with_nonces: bool, page_names: frozenset[str]
    ) -> None:
        self.index = index
        self._page_names = page_names
        self._with_nonces = with_nonces
        self.facts: dict[str, TemplateFacts] = {}
        self.is_foreseeable = True
        self.variable = variable

    def load(self, environment: jinja2.Environment, name: str, globals: Any = None) -> jinja2.Template:
        path = self.index.get(name)
        if path is None:
            raise TemplateNotFound(name)
        parsed, source = self._parse(environment, name, path)
        self._give_imports_their_context(environment, parsed)
        try:
            code = self._code(environment, parsed, name, source)
        except TemplateSyntaxError as error:
            raise self._syntax_fault(error, name, source) from None
        return environment.template_class.from_code(environment, code, globals)

    def _code(self, environment: jinja2.Environment, parsed: nodes.Template, name: str, source: str) -> CodeType:
        path, kept = str(self.index[name]), compiled() if self.is_foreseeable else None
        if kept is None:
            return environment.compile(parsed, name, path)
        imports = [node.with_context for node in _imports(parsed)]
        parts = (name, path, source, self.variable, self._with_nonces, imports)
        return kept.code(parts, lambda: environment.compile(parsed, name, path))

    def _parse(self, environment: jinja2.Environment, name: str, path: Path) -> tuple[nodes.Template, str]:
        source = _jinja_body(sources.load(path, name))
        try:
            parsed = environment.parse(source, name, str(path))
        except TemplateSyntaxError as error:
            raise self._syntax_fault(error, name, source) from None
        if self._with_nonces and name.endswith(HTML):
            add_nonces(parsed)
        facts = analyse(parsed)
        if any(used.name in FILTERS for used in parsed.find_all(nodes.Filter)):  # they ask for the page's language
            facts = replace(facts, names=facts.names | {"locale"})
        self.facts[name] = facts
        return parsed, source

    def _give_imports_their_context(self, environment: jinja2.Environment, parsed: nodes.Template) -> None:
        """Lets imported macros see the page's names where they use one; others stay as Jinja has them, made once."""
        for node in _imports(parsed):
            name = node.template.value if isinstance(node.template, nodes.Const) else None
            path = self.index.get(str(name))
            if path is None:
                continue
            found = trace(str(name), lambda other: self._facts_of(environment, other))
            needs = bool(found.names & self._page_names) or PLACE in found.names
            node.with_context = node.with_context or found.dynamic or needs

    def _facts_of(self, environment: jinja2.Environment, name: str) -> TemplateFacts | None:
        path = self.index.get(name)
        if path is not None and name not in self.facts:
            self._parse(environment, name, path)
        return self.facts.get(name)

    def _syntax_fault(self, error: TemplateSyntaxError, name: str, source: str) -> TemplateError:
        lines = source.split("\n")
        line = lines[error.lineno - 1] if 0 < error.lineno <= len(lines) else ""
        message = str(error.message or "").rstrip(".")
        mend = getattr(error, "mend", "close what is open, or take the line out")
        if unknown := re.match(r"Encountered unknown tag '(\w+)'", message):
            mend = did_you_mean(unknown[1], _TAGS) or "the tags are those of Jinja"
        elif self.variable[0] in line or "print statement" in message:
            mend = f"where {self.variable[0]} is meant as text, put it between {{% raw %}} and {{% endraw %}}"
        place = Location(error.name or name, error.lineno)
        return TemplateError("the template doesn't parse", why=message, mend=mend, location=place)


def _imports(parsed: nodes.Template) -> list[nodes.Import | nodes.FromImport]:
    return [*parsed.find_all(nodes.Import), *parsed.find_all(nodes.FromImport)]


def _jinja_body(source: sources.Source) -> str:
    """Puts a comment as long as the front matter in its place: lines stay true, and nothing is printed for it."""
    return "{#" + "\n" * (source.body_line - 1) + "#}" + source.body if source.body_line > 1 else source.body
