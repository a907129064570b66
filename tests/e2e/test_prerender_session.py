"""`session` where there is none: undefined in its place, one error for each place, and the guards that ask first."""

from __future__ import annotations

import re

import pytest

from tests.e2e.support import Hybridsite, MakeSite, Serve, built, errors_at, page, write_files

THREE_PAGES = {
    "layouts/base.html": '<header>{% include "components/header.html" %}</header>{% block main %}{% endblock %}',
    "components/header.html": '<nav>{% include "components/badge.html" %}</nav>',
    "components/badge.html": "<p></p>\n<b><< session.get('cart') >></b>",
    "pages/index.html": '{% extends "layouts/base.html" %}',
    "pages/about.html": '{% extends "layouts/base.html" %}',
    "pages/team.html": '{% extends "layouts/base.html" %}',
}
BADGE = "<b><< session.get('cart', 'empty') >></b>"


def session_errors(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if "session" in line]


def test_one_line_with_template_page_chain_count_and_mend(make_site: MakeSite) -> None:
    site = make_site(THREE_PAGES)
    done = built(site)
    for name in ("index.html", "about/index.html", "team/index.html"):
        assert page(site, name).strip().endswith("<b></b></nav></header>")
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert re.match(r"components/badge\.html:2(:\d+)?: ", lines[0])
    assert len(set(re.findall(r"pages/(index|about|team)\.html", lines[0]))) == 1
    chain = [lines[0].find(name) for name in ("layouts/base.html", "components/header.html")]
    assert -1 not in chain, lines[0]
    assert re.search(r"\b2 (more|other|further) pages\b", lines[0])
    assert "prerender: false" in lines[0]


def test_a_place_on_one_page_alone_names_no_more_pages(make_site: MakeSite) -> None:
    done = built(make_site({"pages/index.html": "home", "pages/cart.html": "<p>\n" + BADGE}))
    (line,) = done.stderr.splitlines()
    assert re.match(r"pages/cart\.html:2(:\d+)?: ", line)
    assert not re.search(r"\d (more|other|further)", line)


def test_strict_ends_1(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    done = hybridsite("build", "--strict", make_site(THREE_PAGES))
    assert done.returncode == 1
    assert len(errors_at(done.stderr, "components/badge.html", 2)) == 1


def test_each_place_has_its_line(make_site: MakeSite) -> None:
    site = make_site({"pages/index.html": "<< session.a >>\n<< session['b'] >>\ntext\n<< session.get('c') >>"})
    done = built(site)
    assert [line.split(":")[1] for line in session_errors(done.stderr)] == ["1", "2", "4"]
    assert page(site, "index.html").split() == ["text"]


@pytest.mark.parametrize(
    "template",
    [
        "{% if false %}<< session.get('x') >>{% endif %}",
        "{% if page.cart %}text{% else %}<< session.get('x') >>{% endif %}",
        "<< session.get('x') if false else '' >>",
        "{% for item in [] %}<< session.get('x') >>{% endfor %}",
        "{% if session %}text{% else %}<< session.get('x') >>{% endif %}",
        "{% if session %}text{% endif %}<< session.get('x') >>",
        "{% for session in [] %}<< session >>{% endfor %}<< session.get('x') >>",
        "{% macro badge() %}<< session.get('x') >>{% endmacro %}",
        "{% if false %}{% include 'components/badge.html' %}{% endif %}",
        "{% from 'components/macros.html' import badge %}",
        "{% import 'components/macros.html' as macros %}<< macros.badge() >>",
        "{% from 'components/macros.html' import badge with context %}<< badge() >>",
        "{% if session.get('x') %}{% endif %}",
        "{% set count = session | length %}",
    ],
)
def test_a_use_is_found_even_where_it_is_not_reached(make_site: MakeSite, template: str) -> None:
    done = built(
        make_site(
            {
                "pages/index.html": template,
                "components/badge.html": "<< session.get('x') >>",
                "components/macros.html": "{% macro badge() %}<< session.get('x') >>{% endmacro %}",
            }
        )
    )
    (line,) = session_errors(done.stderr)
    assert re.match(r"(pages/index|components/(badge|macros))\.html:1(:\d+)?: ", line)
    assert "pages/index.html" in line


@pytest.mark.parametrize(
    "template",
    [
        "{% if session %}<< session.get('x') >>{% endif %}",
        "{% if session is defined %}<< session.get('x') >>{% endif %}",
        "{% if session and session.get('x') %}<< session.get('x') | length >>{% endif %}",
        "{% if page.title and session %}<< session.get('x') >>{% endif %}",
        "{% if not session %}none{% else %}<< session.get('x') >>{% endif %}",
        "{% if session is not defined %}none{% else %}<< session.get('x') >>{% endif %}",
        "{% if page.title == 'x' %}{% elif session %}<< session.get('x') >>{% endif %}",
        "{% if session or page.title %}text{% endif %}",
        "<< session.get('x') if session else 'none' >>",
        "<< session.get('x') if session is defined else 'none' >>",
        "{% if session %}{% for key in session.keys() %}<< session[key] >>{% endfor %}{% endif %}",
        "{% if session %}{% include 'components/badge.html' %}{% endif %}",
        "{% for session in page.talks %}<< session.title >>{% endfor %}",
        "{% set session = 'my own' %}<< session >>",
        "{% macro talk(session) %}<< session.title >>{% endmacro %}<< talk({'title': 'x'}) >>",
        "{% raw %}<< session.get('x') >>{% endraw %}{# << session.get('x') >> #}",
        "<p>This session.get('x') is text.</p>",
    ],
)
def test_a_guarded_use_in_a_shared_layout_is_no_error(
    make_site: MakeSite, hybridsite: Hybridsite, template: str
) -> None:
    front_matter = "---\ntitle: Home\ntalks: [{title: One}]\n---\n"
    site = make_site(
        {
            "layouts/base.html": template + "{% block main %}{% endblock %}",
            "components/badge.html": "<< session.get('x') >>",
            "pages/index.html": front_matter + '{% extends "layouts/base.html" %}',
        }
    )
    done = hybridsite("build", "--strict", site)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_local_name_prints_its_own_values(make_site: MakeSite) -> None:
    talks = "---\ntalks: [One, Two]\n---\n{% for session in page.talks %}<i><< session >></i>{% endfor %}"
    site = make_site({"pages/index.html": talks})
    assert built(site).stderr == ""
    assert page(site, "index.html").strip() == "<i>One</i><i>Two</i>"


def test_a_block_is_guarded_where_it_is_written(make_site: MakeSite) -> None:
    site = make_site(
        {
            "layouts/base.html": "{% if session %}{% block badge %}{% endblock %}{% endif %}",
            "pages/index.html": """
                {% extends "layouts/base.html" %}
                {% block badge %}<< session.get("x") >>{% endblock %}
                """,
        }
    )
    done = built(site)
    assert len(errors_at(done.stderr, "pages/index.html", 2)) == 1


def test_on_a_prerendered_page_a_session_is_undefined(make_site: MakeSite) -> None:
    site = make_site(
        {
            "pages/index.html": """
                [<< session is defined >>|<< session.get('cart') is defined >>|<< 'yes' if session else 'no' >>]
                [<< session.get('cart') | default([], true) | length >>|<< session.get('a').b >>|<< session >>]
                """
        }
    )
    assert built(site).stderr != ""
    assert page(site, "index.html").splitlines() == ["[False|False|no]", "[0||]"]


def test_prerender_false_shows_the_cart(make_site: MakeSite, serve: Serve) -> None:
    site = make_site(
        {
            **THREE_PAGES,
            "pages/index.html": '---\nprerender: false\n---\n{% extends "layouts/base.html" %}',
            "pages/add.py": "def POST(context):\n    context.session['cart'] = 'a pot'\n    return 'added'",
        }
    )
    server = serve(site)
    client = server.client()
    assert client.post("/add").text == "added"
    assert "<b>a pot</b>" in client.get("/").text
    assert "<b></b>" in client.get("/about/").text


def test_a_layout_that_guards_serves_both_kinds_of_page(make_site: MakeSite, serve: Serve) -> None:
    base = "{% if session %}<b><< session.get('cart', 'empty') >></b>{% else %}<i>none</i>{% endif %}"
    site = make_site(
        {
            "layouts/base.html": base,
            "pages/index.html": '{% extends "layouts/base.html" %}',
            "pages/cart.html": '---\nprerender: false\n---\n{% extends "layouts/base.html" %}',
        }
    )
    server = serve(site)
    assert "<i>none</i>" in server.client().get("/").text
    assert "<b>empty</b>" in server.client().get("/cart/").text  # a session is truthy even when empty
    assert errors_at(server.log(), "layouts/base.html", 1) == []


def test_without_a_driver_a_page_on_demand_has_no_session_and_one_error(make_site: MakeSite, serve: Serve) -> None:
    site = make_site(
        {
            "site.toml": "[session]\ndriver = false",
            "pages/cart.html": "---\nprerender: false\n---\n[<< session.get('cart') >>|<< session is defined >>]",
            "pages/api.py": "def GET(context):\n    return [context.has_session, context.session is None]",
        }
    )
    assert len(errors_at(built(site).stderr, "pages/cart.html", 4)) == 1
    server = serve(site, "--no-build")
    for client in (server.client(), server.client(), server.client()):
        answer = client.get("/cart/")
        assert answer.text.strip() == "[|False]"
        assert "set-cookie" not in answer.headers
    assert len(errors_at(server.log(), "pages/cart.html", 4)) == 1
    assert server.client().get("/api").json() == [False, True]
    assert server.client().get("/api").json() == [False, True]
    assert len(errors_at(server.log(), "pages/api.py", 2)) == 1
    server.kill()
    server.start()
    assert server.client().get("/cart/").text.strip() == "[|False]"
    assert len(errors_at(server.log(), "pages/cart.html", 4)) == 2  # once by each process


def test_a_module_gets_none_and_the_error_at_build(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site(
        {
            "pages/index.html": "[<< none_there >>|<< asked >>]",
            "pages/index.py": """
                def load(context):
                    asked = context.has_session
                    return {"none_there": context.session is None, "asked": asked}
                """,
            "pages/stats.json.py": """
                prerender = True

                def GET(context):
                    return {"none": context.session is None}
                """,
        }
    )
    done = built(site)
    assert page(site, "index.html").strip() == "[True|False]"
    assert page(site, "stats.json").replace(" ", "") == '{"none":true}'
    assert len(session_errors(done.stderr)) == 2
    (line,) = errors_at(done.stderr, "pages/index.py", 3)
    assert "prerender: false" in line
    assert len(errors_at(done.stderr, "pages/stats.json.py", 4)) == 1
    assert hybridsite("build", "--strict", site).returncode == 1


def test_asking_has_session_is_no_error(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site(
        {
            "pages/index.html": "[<< cart >>]",
            "pages/index.py": """
                def load(context):
                    return {"cart": context.session.get("cart") if context.has_session else "none"}
                """,
        }
    )
    done = hybridsite("build", "--strict", site)
    assert (done.returncode, done.stderr) == (0, "")
    assert page(site, "index.html").strip() == "[none]"


def test_the_mend_mends(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site({"pages/index.html": BADGE})
    assert hybridsite("build", "--strict", site).returncode == 1
    write_files(site, {"pages/index.html": "---\nprerender: false\n---\n" + BADGE})
    done = hybridsite("build", "--strict", site)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (site / "dist/client/index.html").exists()
