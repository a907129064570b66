"""Where the templates of a site come from: read by their names, taken apart, analysed, and compiled once."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.exceptions import TemplateNotFound, TemplateSyntaxError

from hybridsite import sources
from hybridsite.analysis import TemplateFacts, analyse, imports
from hybridsite.closures import trace
from hybridsite.compiled import compiled
from hybridsite.errors import Location, TemplateError, did_you_mean
from hybridsite.formats import FILTERS
from hybridsite.inheritance import code_state, inherited
from hybridsite.island_tag import PLACE
from hybridsite.nonces import HTML, add_nonces
from hybridsite.unclosed import left_open

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
        self._imports: dict[str, tuple[str, ...]] = {}
        # What was read, and what was parsed, and is not yet compiled.
        self._sources: dict[str, sources.Source] = {}
        self._trees: dict[str, nodes.Template] = {}
        self._options = (*variable, with_nonces)
        self.is_foreseeable = True
        self.variable = variable

    def load(self, environment: jinja2.Environment, name: str, globals: Any = None) -> jinja2.Template:
        path = self.index.get(name)
        if path is None:
            raise TemplateNotFound(name)
        self._facts_of(environment, name)
        needing = tuple(each for each in self._imports[name] if self._needs_context(environment, each))
        source = self._sources.pop(name, None) or sources.load(path, name)
        rests_on = (source, self._options, needing, code_state())
        code = inherited("code", name, rests_on, partial(self._compiled, environment, name, source, needing))
        return environment.template_class.from_code(environment, code, globals)

    def _compiled(
        self, environment: jinja2.Environment, name: str, source: sources.Source, needing: Collection[str]
    ) -> CodeType:
        """Compiles a template. Imported macros see the page's names where they use one; others are made once."""
        parsed = self._trees.pop(name, None) or self._parse(environment, name, source)
        for node, imported in imports(parsed):
            node.with_context = node.with_context or imported in needing
        path, kept = str(self.index[name]), compiled() if self.is_foreseeable else None
        try:
            if kept is None:
                return environment.compile(parsed, name, path)
            contexts = [node.with_context for node, _ in imports(parsed)]
            parts = (name, path, _jinja_body(source), self.variable, self._with_nonces, contexts)
            return kept.code(parts, lambda: environment.compile(parsed, name, path))
        except TemplateSyntaxError as error:
            raise self._syntax_fault(error, name, source) from None

    def _parse(self, environment: jinja2.Environment, name: str, source: sources.Source) -> nodes.Template:
        try:
            parsed = environment.parse(_jinja_body(source), name, str(self.index[name]))
        except TemplateSyntaxError as error:
            raise self._syntax_fault(error, name, source) from None
        if self._with_nonces and name.endswith(HTML):
            add_nonces(parsed)
        return parsed

    def _analysed(
        self, environment: jinja2.Environment, name: str, source: sources.Source
    ) -> tuple[tuple[str, ...], TemplateFacts]:
        """Gives the templates that a template imports, and what is known of it."""
        parsed = self._trees[name] = self._parse(environment, name, source)
        facts = analyse(parsed)
        if any(used.name in FILTERS for used in parsed.find_all(nodes.Filter)):  # they ask for the page's language
            facts = replace(facts, names=facts.names | {"locale"})
        return tuple(dict.fromkeys(name for _, name in imports(parsed) if name)), facts

    def _needs_context(self, environment: jinja2.Environment, name: str) -> bool:
        """Tells whether an imported template uses names of the page that imports it."""
        if name not in self.index:
            return False
        found = trace(name, lambda other: self._facts_of(environment, other))
        return found.dynamic or bool(found.names & self._page_names) or PLACE in found.names

    def _facts_of(self, environment: jinja2.Environment, name: str) -> TemplateFacts | None:
        path = self.index.get(name)
        if path is not None and name not in self.facts:
            source = self._sources[name] = sources.load(path, name)
            analysed = partial(self._analysed, environment, name, source)
            rests_on = (source, self._options, code_state())
            # The facts last: whoever finds them, in another thread, finds the rest.
            self._imports[name], self.facts[name] = inherited("facts", name, rests_on, analysed)
        return self.facts.get(name)

    def _syntax_fault(self, error: TemplateSyntaxError, name: str, source: sources.Source) -> TemplateError:
        text, message = _jinja_body(source), str(error.message or "").rstrip(".")
        lines = text.split("\n")
        line = lines[error.lineno - 1] if 0 < error.lineno <= len(lines) else ""
        mend = getattr(error, "mend", "close what is open, or take the line out")
        unknown = re.match(r"Encountered unknown tag '(\w+)'", message)
        if unknown and unknown[1] not in _TAGS:
            mend = did_you_mean(unknown[1], _TAGS) or "the tags are those of Jinja"
        elif left := left_open(message, text, error.lineno, self.variable):
            mend = left
        elif self.variable[0] in line or "print statement" in message:
            mend = f"where {self.variable[0]} is meant as text, put it between {{% raw %}} and {{% endraw %}}"
        place = Location(error.name or name, error.lineno)
        return TemplateError("the template doesn't parse", why=message, mend=mend, location=place)


def _jinja_body(source: sources.Source) -> str:
    """Puts a comment as long as the front matter in its place: lines stay true, and nothing is printed for it."""
    return "{#" + "\n" * (source.body_line - 1) + "#}" + source.body if source.body_line > 1 else source.body
