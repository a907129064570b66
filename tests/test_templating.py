"""Templates of a site: strict names with a way to ask, true places in faults, and imports that see the page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from hybridsite.errors import Location, NotFound, SiteErrors, TemplateError
from hybridsite.templating import Templates
from hybridsite.undefined import UndefinedSession
from tests.e2e.support import write_files


def templates(folder: Path, files: Mapping[str, str]) -> Templates:
    write_files(folder, {name: text.encode() for name, text in files.items()})
    return Templates(folder, {name: folder / name for name in files})


def rendered(folder: Path, source: str, values: Mapping[str, object] = MappingProxyType({}), **others: str) -> str:
    """Renders one page; other templates are given by names whose `__` stands for a slash and `_` for a dot."""
    named = {name.replace("__", "/").replace("_", "."): text for name, text in others.items()}
    site = templates(folder, {"pages/a.html": source, **named})
    return site.render(site.get("pages/a.html"), values)


def fault(
    folder: Path, source: str, values: Mapping[str, object] = MappingProxyType({}), **others: str
) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        rendered(folder, source, values, **others)
    return caught.value


PAGE = {"page": MappingProxyType({"title": "Tea", "items": [1], "none": None})}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<< page.title >>", "Tea"),
        ("<< page.items[0] >><< page['items'] | length >>", "11"),  # a key goes before a method
        ("{% if page.nope %}a{% else %}b{% endif %}", "b"),
        ("<< page.nope | default('d') >><< page.nope is defined >>", "dFalse"),
        ("<< page.nope == 1 >><< page.nope != 1 >><< page.nope == page.nada >>", "FalseTrueTrue"),
        ("<< page.none >>[<< none >>]<< page.none | default('d', true) >>", "[]d"),
        ("<< nope is defined >><< nope | default('d') >>", "Falsed"),
        ("{{ page.title }} {# gone #}", "{{ page.title }} "),
        ("<< '<b>' >><< '<b>' | safe >>", "&lt;b&gt;<b>"),
    ],
)
def test_what_a_template_prints(tmp_path: Path, source: str, text: str) -> None:
    assert rendered(tmp_path, source, PAGE) == text


@pytest.mark.parametrize(
    ("source", "place", "words"),
    [
        ("\n  << nope >>", "2:6", ('"nope" is not defined', "{% raw %}")),
        ("<< pag.title >>", "1:4", ('did you mean "page"?',)),
        ("{% if nope %}{% endif %}", "1:7", ('"nope" is not defined',)),
        ("{% for a in nope %}{% endfor %}", "1:13", ('"nope" is not defined',)),
        ("<< nope.a.b >>", "1:4", ('"nope" is not defined',)),
        ("<< page.titel >>", "1:9", ('no key "titel"', 'did you mean "title"?')),
        ("<< page.wholly >>", "1:9", ('no key "wholly"', "test it first")),
        ("<< page.nope.deep >>", "1:9", ('no key "nope"',)),
        ("<< page.nope + 1 >>", "1:9", ('no key "nope"',)),
        ("<< page.title.nope >>", "1:15", ('no attribute of str "nope"',)),
        ("{% for a in page.nope %}{% endfor %}", "1:18", ('no key "nope"',)),
        ("<< page.items[7] >>", "1:", ('no attribute of list "7"',)),
        ("\n<< 1 // 0 >>", "2", ("ZeroDivisionError",)),
        ("{% set a = 1 %}<< b >>", "1:19", ('"b" is not defined',)),
        ("{% set colour = 1 %}<< color >>", "1:24", ('did you mean "colour"?',)),
    ],
)
def test_what_is_missing_is_told_with_its_place(
    tmp_path: Path, source: str, place: str, words: tuple[str, ...]
) -> None:
    error = fault(tmp_path, source, PAGE)
    assert str(error.location).startswith(f"pages/a.html:{place}")
    for word in words:
        assert word in str(error)


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("a\n{% if %}", 2, ("Expected an expression",)),
        ("{% fr a in b %}", 1, ("unknown tag", 'did you mean "for"?')),
        ("---\ntitle: a\n---\n{% endif %}", 4, ("unknown tag",)),
        (
            "{% for a in b %}{% endfor %}\n{% for a in b %}\n{% for c in d %}\n{% endfor %}\n{% endblock %}",
            5,
            ("write {% endfor %} for the {% for %} of line 2",),
        ),
        (
            "---\ntitle: a\n---\n{% if a %}\n{% if b %}{% endif %}\nx",
            5,
            ("write {% endif %} for the {% if %} of line 4",),
        ),
        ("<p>\n<< a.b </p>", 2, ("close it: write >> behind what << opens",)),
        ("<h1{% if x>T</h1>", 1, ("close it: write %} behind what {% opens",)),
        ("<script>\nif (1 << 2) {}\n</script>", 2, ("{% raw %}",)),
        ("{% block a %}{% endblock %}\n{% block a %}{% endblock %}", 2, ("defined twice",)),
        ("<< 'a' | nope >>", 1, ("No filter named 'nope'",)),
        ("{% include 'components/nope.html' %}", 1, ('no template "components/nope.html"',)),
    ],
)
def test_what_does_not_parse_is_told_with_its_line(
    tmp_path: Path, source: str, line: int, words: tuple[str, ...]
) -> None:
    error = fault(tmp_path, source)
    assert error.location is not None
    assert (error.location.file, error.location.line) == ("pages/a.html", line)
    for word in words:
        assert word in str(error)


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("base.html", "layouts/base.html"),
        ("layout/base.html", "layouts/base.html"),
        ("layouts/bse.html", "layouts/base.html"),
        ("components/bse.html", None),  # nothing near in that folder
    ],
)
def test_a_missing_template_has_its_nearest(tmp_path: Path, asked: str, near: str | None) -> None:
    error = fault(tmp_path, f"{{% include '{asked}' %}}", layouts__base_html="", components__cart_html="")
    assert (f'did you mean "{near}"?' in str(error)) == (near is not None)


def test_front_matter_prints_nothing_and_counts_as_lines(tmp_path: Path) -> None:
    assert rendered(tmp_path, "---\ntitle: a\n---\n<!doctype html>") == "<!doctype html>"
    assert rendered(tmp_path, "+++\ntitle = 'a'\n+++\n\nb") == "\nb"
    error = fault(tmp_path, "---\ntitle: a\n---\n<p>\n<< nope >>")
    assert str(error.location) == "pages/a.html:5:4"


def test_an_include_and_a_layout_have_their_own_places(tmp_path: Path) -> None:
    error = fault(tmp_path, "{% include 'components/b.html' %}", components__b_html="\n\n<< nope >>")
    assert str(error.location) == "components/b.html:3:4"
    error = fault(tmp_path, "{% extends 'layouts/b.html' %}{% block x %}{% endblock %}", layouts__b_html="\n<< nope >>")
    assert str(error.location) == "layouts/b.html:2:4"


def test_an_imported_macro_sees_the_page_where_its_file_asks_for_it(tmp_path: Path) -> None:
    source = "{% from 'components/m.html' import m %}{% import 'components/n.html' as n %}<< m() >><< n.n(1) >>"
    macros = {"components__m_html": "{% macro m() %}<< page.title >>{% endmacro %}"}
    others = {"components__n_html": "{% macro n(a) %}<< a >>{% endmacro %}"}
    assert rendered(tmp_path, source, PAGE, **macros, **others) == "Tea1"


# case D4
def test_a_circle_shows_its_way(tmp_path: Path) -> None:
    error = fault(
        tmp_path,
        "{% include 'components/b.html' %}",
        components__b_html="\n{% include 'components/c.html' %}",
        components__c_html="{% include 'components/b.html' %}",
    )
    assert "without end" in error.what
    assert error.why in (
        "components/b.html:2 → components/c.html:1 → components/b.html:2",
        "components/c.html:1 → components/b.html:2 → components/c.html:1",
    )


def test_what_a_template_calls_keeps_its_own_fault(tmp_path: Path) -> None:
    def raises(error: Exception) -> Any:
        def call() -> None:
            raise error

        return {"call": call}

    with pytest.raises(NotFound):
        rendered(tmp_path, "<< call() >>", raises(NotFound()))
    error = fault(tmp_path, "\n<< call() >>", raises(TemplateError("mine", mend="so")))
    assert (error.what, error.location) == ("mine", Location("pages/a.html", 2))
    with pytest.raises(SiteErrors):
        rendered(tmp_path, "<< call() >>", raises(SiteErrors([TemplateError("a"), TemplateError("b")])))


def test_an_undefined_session_is_false_prints_nothing_and_tells_where(tmp_path: Path) -> None:
    told: list[Location] = []
    source = (
        "[<< session is defined >><< 'a' if session else 'b' >>]\n"
        "[<< session >>]\n[<< session.get('cart').x['y']() >>]\n"
        "[{% for a in session %}a{% endfor %}<< 'a' in session >>]\n[<< session.cart | length >>]"
    )
    text = rendered(tmp_path, source, {"session": UndefinedSession(told.append)})
    assert text == "[Falseb]\n[]\n[]\n[False]\n[0]"
    assert {place.line for place in told} == {2, 3, 4, 5}
    assert {place.file for place in told} == {"pages/a.html"}


def test_a_template_is_loaded_once(tmp_path: Path) -> None:
    site = templates(tmp_path, {"pages/a.html": "a"})
    assert site.get("pages/a.html") is site.get("pages/a.html") is site.environment.get_template("pages/a.html")
    assert list(site.names()) == ["pages/a.html"]
    assert site.facts("pages/none.html") is None


def test_context_reaches_through_imports_of_imports_and_their_includes(tmp_path: Path) -> None:
    macros = {
        "components__b_html": "{% from 'components/c.html' import c %}{% macro b() %}<< c() >>{% endmacro %}",
        "components__c_html": "{% macro c() %}<< page.title >>{% include 'components/d.html' %}{% endmacro %}",
        "components__d_html": "<< params.slug >>",
    }
    values = {**PAGE, "params": {"slug": "x"}}
    assert rendered(tmp_path, "{% import 'components/b.html' as m %}<< m.b() >>", values, **macros) == "Teax"


def test_what_holds_the_missing_key_is_named(tmp_path: Path) -> None:
    error = fault(tmp_path, "<< page.wholly >>", PAGE)
    assert error.what == 'there is no key "wholly" in page'
    assert "give the page its wholly in front matter" in error.mend
