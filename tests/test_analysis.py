"""What a template names is read off its syntax: uses of the session, guards before them, and what leads there."""

from __future__ import annotations

import jinja2
import pytest

from hybridsite.analysis import TemplateFacts, analyse
from hybridsite.closures import Closure, Step, trace
from hybridsite.island_tag import PLACE, IslandTag

ENVIRONMENT = jinja2.Environment(
    variable_start_string="<<",
    variable_end_string=">>",
    extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols", "jinja2.ext.i18n", IslandTag],
)


def facts(source: str) -> TemplateFacts:
    return analyse(ENVIRONMENT.parse(source))


def closure(templates: dict[str, str], start: str = "page", *, in_place: bool = False) -> Closure:
    return trace(start, lambda name: facts(templates[name]) if name in templates else None, in_place=in_place)


def unguarded(source: str) -> list[int]:
    """Gives the lines that use the session without a guard."""
    return [use.line for use in facts(source).uses if not use.asks and not use.guarded]


@pytest.mark.parametrize(
    "source",
    [
        "<< session >>",
        "<< session.get('x') >>",
        "<< session['x'] >>",
        "<< 'x' in session >>",
        "<< session | length >>",
        "<< session | default({}) >>",
        "<< page[session.id] >>",
        "<< f(a=session) >>",
        "<< f(*session) >>",
        "<< f(**session) >>",
        "<< render('x.html', **session) >>",
        "<< render('x.html', a=session) >>",
        "<< [1, {'a': session}] >>",
        "<< 'a' ~ session ~ 'b' >>",
        "<< session[1:2] >>",
        "<< 1 < session < 3 >>",
        "<< session is none >>",
        "<< 1 is sameas(session) >>",
        "<< x.session(session) >>",
        "{% do session.set('a', 1) %}",
        "{% set a = session %}",
        "{% set a %}<< session >>{% endset %}",
        "{% with a = session %}{% endwith %}",
        "{% for a in session %}{% endfor %}",
        "{% for a in b if session.x %}{% endfor %}",
        "{% for a in b %}{% else %}<< session >>{% endfor %}",
        "{% macro m(a=session) %}{% endmacro %}",
        "{% call(a) m(session) %}{% endcall %}",
        "{% call m() %}<< session >>{% endcall %}",
        "{% filter upper %}<< session >>{% endfilter %}",
        "{% autoescape false %}<< session >>{% endautoescape %}",
        "{% trans a=session %}<< a >>{% endtrans %}",
        "{% block b %}<< session >>{% endblock %}",
        "{% include session.x %}",
        "{% if session.x %}{% endif %}",
        "{% if a %}{% elif session.x %}{% endif %}",
        "<< a if session.x else b >>",
        "<< flashes() >>",
        "<< action_result.error >>",
    ],
)
def test_a_use_is_found(source: str) -> None:
    assert unguarded(source) == [1]


@pytest.mark.parametrize(
    "source",
    [
        "session",
        "<< x.session >>",
        "<< x['session'] >>",
        "<< f(session=1) >>",
        "<< {'session': 1} >>",
        "<< 'session' >>",
        "<< sessions >>",
        "{# << session >> #}",
        "{% raw %}<< session >>{% endraw %}",
        "{% for session in talks %}<< session >>{% endfor %}",
        "{% for key, session in talks %}<< session >>{% endfor %}",
        "{% set session = 1 %}<< session >>",
        "{% set session %}a{% endset %}<< session >>",
        "{% with session = 1 %}<< session >>{% endwith %}",
        "{% macro m(session) %}<< session >>{% endmacro %}",
        "{% call(session) m() %}<< session >>{% endcall %}",
        "{% import 'a' as session %}<< session.x >>",
        "{% from 'a' import session %}<< session >>",
        "{% from 'a' import x as session %}<< session >>",
        "{% macro session() %}{% endmacro %}<< session() >>",
        "{% for session in talks %}{% if session %}<< session.title >>{% endif %}{% endfor %}",
        "{% set flashes = [] %}<< flashes >>",
        "{% for session in talks %}{% block b scoped %}<< session >>{% endblock %}{% endfor %}",
    ],
)
def test_a_local_or_another_name_is_no_use(source: str) -> None:
    assert facts(source).uses == ()


@pytest.mark.parametrize(
    "source",
    [
        "{% for session in talks %}{% endfor %}\n<< session >>",
        "{% for session in session.talks %}\n{% endfor %}{% set a = session %}",
        "{% with session = session %}\n{% endwith %}<< session >>",
        "{% macro m(session) %}{% endmacro %}\n<< session >>",
        "{% call(session) m() %}{% endcall %}\n<< session >>",
        "{% for session in talks %}{% block b %}\n<< session >>{% endblock %}{% endfor %}",
    ],
)
def test_a_local_name_ends_with_its_scope(source: str) -> None:
    assert unguarded(source)[-1] == 2


@pytest.mark.parametrize(
    "source",
    [
        "{% if session %}<< session.x >>{% endif %}",
        "{% if session is defined %}<< session.x >>{% endif %}",
        "{% if session is not undefined %}<< session.x >>{% endif %}",
        "{% if not session is undefined %}<< session.x >>{% endif %}",
        "{% if session and a %}<< session.x >>{% endif %}",
        "{% if a and session %}<< session.x >>{% endif %}",
        "{% if a and (b and session is defined) %}<< session.x >>{% endif %}",
        "{% if (session and a) or (session and b) %}<< session.x >>{% endif %}",
        "{% if session and session.x %}<< session.x >>{% endif %}",
        "{% if session is defined and session.x == 1 %}{% endif %}",
        "{% if not session or session.x %}{% endif %}",
        "{% if not session %}{% else %}<< session.x >>{% endif %}",
        "{% if session is not defined %}{% else %}<< session.x >>{% endif %}",
        "{% if not session or a %}{% else %}<< session.x >>{% endif %}",
        "{% if a or not session %}{% elif b %}<< session.x >>{% else %}<< session.y >>{% endif %}",
        "{% if not session %}{% elif session.x %}<< session.y >>{% endif %}",
        "{% if a %}{% elif session %}<< session.x >>{% endif %}",
        "{% if not (a and not session) %}{% endif %}",
        "{% if session %}{% if a %}<< session.x >>{% else %}<< session.y >>{% endif %}{% endif %}",
        "{% if session %}{% for a in session.x %}<< session.y >>{% else %}<< session.z >>{% endfor %}{% endif %}",
        "{% if session %}{% block b %}<< session.x >>{% endblock %}{% endif %}",
        "{% if session %}{% set a = session.x %}{% endif %}",
        "{% if session %}{% macro m() %}<< session.x >>{% endmacro %}{% endif %}",
        "{% if session %}<< flashes() >>{% endif %}",
        "{% for a in b if session %}<< session.x >>{% endfor %}",
        "<< session.x if session >>",
        "<< session.x if session else '' >>",
        "<< session.x if session is defined else '' >>",
        "<< '' if not session else session.x >>",
        "<< session and session.x >>",
        "<< (session and session.x) or 'none' >>",
        "<< session is defined and session.x >>",
        "{% set a = session.x if session else none %}",
        "{% if session %}{% endif %}",
        "<< session is defined >>",
        "<< not session >>",
    ],
)
def test_a_guard_holds(source: str) -> None:
    found = facts(source)
    assert unguarded(source) == []
    assert found.uses


@pytest.mark.parametrize(
    "source",
    [
        "{% if session %}{% else %}<< session.x >>{% endif %}",
        "{% if session %}{% elif a %}<< session.x >>{% endif %}",
        "{% if not session %}<< session.x >>{% endif %}",
        "{% if session is undefined %}<< session.x >>{% endif %}",
        "{% if session or a %}<< session.x >>{% endif %}",
        "{% if not (session and a) %}<< session.x >>{% endif %}",
        "{% if not (a and session) %}{% else %}{% endif %}<< session.x >>",
        "{% if session and a %}{% else %}<< session.x >>{% endif %}",
        "{% if session %}{% endif %}<< session.x >>",
        "{% if a.session %}<< session.x >>{% endif %}",
        "{% if flashes is defined %}<< session.x >>{% endif %}",
        "{% for a in b if not session %}<< session.x >>{% endfor %}",
        "{% for a in b if session %}{% else %}<< session.x >>{% endfor %}",
        "<< '' if session else session.x >>",
        "<< session.x or session >>",
        "<< session or session.x >>",
        "<< session.x and session >>",
        "{% set session = 1 %}{% if session %}{% block b %}<< flashes() >>{% endblock %}{% endif %}",
        "{% for session in talks %}{% if session %}<< flashes() >>{% endif %}{% endfor %}",
        "{% extends 'a' %}{% if session %}{% block b %}<< session.x >>{% endblock %}{% endif %}",
    ],
)
def test_what_is_no_guard(source: str) -> None:
    assert unguarded(source)


def test_each_use_has_its_line() -> None:
    assert unguarded("\n<< session >>\n\n{% if a %}\n<< session.x\n~ session.y >>{% endif %}") == [2, 5, 6]


@pytest.mark.parametrize(
    ("source", "names", "dynamic", "optional"),
    [
        ("{% extends 'a' %}", ["a"], False, False),
        ("{% include 'a' %}", ["a"], False, False),
        ("{% include 'a' ignore missing %}", ["a"], False, True),
        ("{% include ['a', 'b'] %}", ["a", "b"], False, True),
        ("{% include ('a', 'b') %}", ["a", "b"], False, True),
        ("{% import 'a' as m %}", ["a"], False, False),
        ("{% from 'a' import m %}", ["a"], False, False),
        ("{% extends 'a' if x else 'b' %}", ["a", "b"], False, False),
        ("<< render('a') >>", ["a"], False, False),
        ("<< render('a', x=1) | upper >>", ["a"], False, False),
        ("{% include name %}", [], True, False),
        ("{% include 'a' ~ b %}", [], True, False),
        ("{% include ['a', name] %}", ["a"], True, True),
        ("{% include 'a' if x %}", [], True, False),
        ("{% extends page.layout %}", [], True, False),
        ("<< render(name) >>", [], True, False),
        ("<< render(template='a') >>", [], True, False),
        ("<< render(*names) >>", [], True, False),
        ("{% set draw = render %}<< draw('a') >>", [], True, False),
        ("{% macro render(x) %}{% endmacro %}<< render('a') >>", [], False, False),
    ],
)
def test_references(source: str, names: list[str], dynamic: bool, optional: bool) -> None:
    found = facts(source)
    assert [reference.template for reference in found.references] == names
    assert found.dynamic == dynamic
    assert all(reference.optional == optional for reference in found.references)


def test_names_are_the_free_ones() -> None:
    found = facts("<< a >>{% set b = c.d %}<< b >>{% for e in f %}<< e >><< loop.index >>{% endfor %}<< render('x') >>")
    assert found.names == {"a", "c", "f", "render"}


def test_the_way_to_a_place_is_shown() -> None:
    found = closure(
        {
            "page": "{% extends 'layout' %}\n{% block b %}{% include 'one' %}{% endblock %}",
            "layout": "\n{% include 'one' %}",
            "one": "{% include 'two' %}",
            "two": "\n\n<< session.x >>",
        }
    )
    assert found.templates == ("page", "layout", "one", "two")
    assert found.uses_session
    assert found.unguarded == ((Step("page", 2), Step("one", 1), Step("two", 3)),)


def test_a_place_is_told_once_by_the_shortest_way() -> None:
    found = closure(
        {
            "page": "{% include 'a' %}\n{% include 'b' %}",
            "a": "{% include 'c' %}",
            "c": "{% include 'b' %}",
            "b": "<<session>>",
        }
    )
    assert found.unguarded == ((Step("page", 2), Step("b", 1)),)


def test_what_is_included_behind_a_guard_is_guarded() -> None:
    found = closure(
        {"page": "{% if session %}{% include 'a' %}{% endif %}", "a": "{% include 'b' %}", "b": "<<session>>"}
    )
    assert (found.uses_session, found.unguarded) == (True, ())


def test_an_unguarded_way_counts_beside_a_guarded_one() -> None:
    found = closure({"page": "{% if session %}{% include 'a' %}{% endif %}\n{% include 'a' %}", "a": "<<session>>"})
    assert found.unguarded == ((Step("page", 2), Step("a", 1)),)


@pytest.mark.parametrize(
    "page",
    [
        "{% for session in talks %}{% include 'a' %}{% endfor %}",
        "{% for session in talks %}{% include ['none', 'a'] %}{% endfor %}",
        "{% for session in talks %}{% include 'a' if x else 'b' %}{% endfor %}",
        "{% with session = 1 %}{% include 'b' %}{% endwith %}",
        "{% macro card(session) %}{% include 'a' %}{% endmacro %}",
        "{% set session = 1 %}{% extends 'a' %}",
    ],
)
def test_an_included_template_sees_the_local_name(page: str) -> None:
    found = closure({"page": page, "a": "<< session.title >>", "b": "{% include 'a' %}"})
    assert (found.uses_session, found.unguarded) == (False, ())
    assert "session" in found.names


@pytest.mark.parametrize(
    "page",
    [
        "{% for session in talks %}{% include 'a' without context %}{% endfor %}",
        "{% for session in talks %}{% from 'a' import m %}{% endfor %}",
        "{% for session in talks %}{% include 'a' %}{% endfor %}{% include 'a' %}",
        "{% for session in talks %}{% include 'flash' %}{% endfor %}",
        "{% for session in talks %}<< render('a') >>{% endfor %}",
    ],
)
def test_a_template_that_does_not_see_the_local_name(page: str) -> None:
    found = closure({"page": page, "a": "<< session.title >>", "flash": "<< flashes() >>"})
    assert found.uses_session
    assert len(found.unguarded) == 1


def test_templates_that_lead_in_circles_or_nowhere() -> None:
    # case D4
    found = closure(
        {"page": "{% include 'a' %}", "a": "{% extends 'page' %}{% include 'gone' ignore missing %}<< flashes() >>"}
    )
    assert found.templates == ("page", "a")
    assert found.unguarded == ((Step("page", 1), Step("a", 1)),)


def test_dynamic_is_inherited() -> None:
    assert closure({"page": "{% include 'a' %}", "a": "{% include name %}"}).dynamic
    assert not closure({"page": "{% include 'a' %}", "a": "a"}).dynamic


ISLAND = "{% island 'badge', product=page.title %}<< site.title >>{% endisland %}"


def test_what_a_component_uses_is_no_use_of_a_page_that_fetches_it() -> None:
    found = closure(
        {"page": ISLAND, "badge": "\n<< session.x >>{% island 'inner' %}{% endisland %}", "inner": "<< url >>"}
    )
    assert (found.uses_session, found.unguarded, found.templates) == (False, (), ("page",))
    assert found.names == {PLACE, "page", "site"}
    assert found.islands == ("badge",)


def test_what_a_component_uses_is_the_pages_own_use_where_it_is_rendered_in_place() -> None:
    templates = {"page": ISLAND, "badge": "{% island 'inner' %}{% endisland %}", "inner": "\n<< session.x >>"}
    found = closure(templates, in_place=True)
    assert found.uses_session
    assert found.templates == ("page", "badge", "inner")
    assert found.unguarded == ((Step("page", 1), Step("badge", 1), Step("inner", 2)),)
    assert found.islands == ("badge", "inner")


@pytest.mark.parametrize(
    "page",
    [
        "\n{% island 'badge' %}<< session.x >>{% endisland %}",
        "\n{% island 'badge', product=session.x %}{% endisland %}",
        "{% island 'badge' %}\n{% include 'uses' %}{% endisland %}",
    ],
)
def test_fallback_and_props_are_the_pages_own(page: str) -> None:
    found = closure({"page": page, "badge": "x", "uses": "<< session.x >>"})
    assert [way[0] for way in found.unguarded] == [Step("page", 2)]


def test_no_local_name_of_the_page_hides_the_session_from_a_component() -> None:
    page = "{% for session in talks %}{% include 'row' %}{% endfor %}"
    found = closure({"page": page, "row": "<< session >>" + ISLAND, "badge": "\n<< session.x >>"}, in_place=True)
    assert found.unguarded == ((Step("page", 1), Step("row", 1), Step("badge", 2)),)


def test_an_island_behind_a_guard_is_guarded() -> None:
    templates = {"page": "{% if session %}" + ISLAND + "{% endif %}", "badge": "<< session.x >>"}
    assert closure(templates, in_place=True).unguarded == ()
