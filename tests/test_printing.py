"""Printed values: the same HTML as Jinja's own, but for None, which prints nothing."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup, escape

from hybridsite.printing import PrintingCodeGenerator, print_escaped, print_plain
from hybridsite.templating import Templates

VALUES = st.one_of(
    st.text(), st.integers(), st.floats(), st.booleans(), st.binary(), st.lists(st.text()), st.text().map(Markup)
)


class Shy(str):
    """A str that writes itself otherwise."""

    def __str__(self) -> str:
        return "<shy>"


@given(VALUES)
def test_a_value_is_printed_as_markupsafe_escapes_it(value: object) -> None:
    assert print_escaped(value) == str(escape(value))
    assert print_plain(value) == str(value)


def test_none_prints_nothing_and_kinds_of_str_print_as_they_say() -> None:
    assert (print_escaped(None), print_plain(None)) == ("", "")
    assert (print_escaped(Shy("<")), print_plain(Shy("<"))) == ("&lt;shy&gt;", "<shy>")


SOURCES = [
    "{{ v }}",
    "{{ '<' }}{{ none }}{{ 1 + 1 }}{{ '<b>' | safe }}",
    "{% autoescape false %}{{ v }}{{ '<' }}{{ none }}{% endautoescape %}",
    "{% autoescape flag %}<i>{{ v }}{{ none }}{{ '<' }}{% endautoescape %}",
    "{% set x %}<b>{{ v }}</b>{% endset %}{{ x }}",
    "{% macro m(a) %}[{{ a }}{{ caller() }}]{% endmacro %}{% call m(v) %}{{ v }}{% endcall %}",
    "{% filter upper %}{{ v }}<i>{% endfilter %}",
    "{% for a in [v, none, '<'] %}{{ loop.index }}{{ a }}{% else %}{{ v }}{% endfor %}",
    "{{ v if flag }}{{ v ~ '<' }}{{ [v] | join('<') }}",
]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("autoescape", [True, False])
@pytest.mark.parametrize("v", ["<&'\">", Markup("<b>"), 7, Decimal("1.5"), None, ""])
def test_templates_print_as_jinja_does(source: str, flag: bool, autoescape: bool, v: Any) -> None:
    class Printing(jinja2.Environment):
        code_generator_class = PrintingCodeGenerator
        print_escaped = staticmethod(print_escaped)
        print_plain = staticmethod(print_plain)

    def finalize(value: object) -> object:
        return "" if value is None else value

    # Jinja writes a constant None down before `finalize` sees it; from a variable it doesn't.
    theirs = jinja2.Environment(autoescape=autoescape, finalize=finalize).from_string(source.replace("none", "no"))
    ours = Printing(autoescape=autoescape).from_string(source)
    assert ours.render(v=v, flag=flag) == theirs.render(v=v, flag=flag, no=None)


def test_the_templates_of_a_site_print_so(tmp_path: Path) -> None:
    path = tmp_path / "pages/index.html"
    path.parent.mkdir()
    path.write_text("<< none >>|<< v >>|<< '<' >>|{{ v }}")
    templates = Templates(tmp_path, {"pages/index.html": path})
    assert templates.render(templates.get("pages/index.html"), {"v": "<"}) == "|&lt;|&lt;|{{ v }}"
