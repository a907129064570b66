"""A site with planted faults: `check` finds every one, in its file and on its line, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from hybridsite.check.check import CheckOptions, check_site
from hybridsite.check.finding import is_warning, rule_of
from hybridsite.errors import SiteError
from tests.e2e.support import tree, write_files, write_site
from tests.inprocess import ENVIRON, MEMORY, ON_DEMAND

BASE = """
    <!doctype html>
    <html lang="en">
    <head><meta charset="utf-8"><title>t</title><link rel="stylesheet" href="<< asset("site.css") >>"></head>
    <body>
    <nav><ul><li><a href="/">Home</a></li><li><a href="/about/#team">About</a></li>{{ x }}</ul></nav>
    <main>{% block main %}<< content | default("") >>{% endblock %}</main>
    </body>
    </html>
"""
# A site in which nothing is wrong, though much of it looks as if it were.
GOOD: dict[str, str | bytes] = {
    "site.toml": MEMORY
    + '[site]\nurl = "https://own.example"\n[redirects]\n"/old" = "/about/"\n"/o/[x]" = "/shop/[x]"\n',
    "layouts/base.html": BASE,
    "components/card.html": '<p id="card-<< n >>"><a href="/shop/<< n >>/">Shop</a></p>',
    "pages/index.html": """
        {% extends "layouts/base.html" %}
        {% block main %}
        <p>One<p>Two <a href="#here">three</a></p><div id="here"></div>
        {% for n in ["a", "b"] %}{% include "components/card.html" %}{% endfor %}
        <a href="about">redirected</a> <a href="https://own.example/old">old</a> <a href="/o/x?y">old</a>
        <a href="/now/?q=1#part">on demand</a> <a href="/shop/whatever/">by pattern</a> <a href="/f.txt">file</a>
        <a href="mailto:a@b.example">mail</a> <a href="https://other.example/">other</a> <a href="#">top</a>
        <a href="/a.svg#x">svg</a> <a href="/caf%C3%A9/">é</a> <a href="/café/">é</a> <a href="{{ vue }}">vue</a>
        <img src="/a.svg" alt="" srcset="/a.svg 1x, /a.svg?2 2x"> << image("b.svg", alt="b") >>
        <ul><li>a<li>b</ul><table><tr><td>a<td>b<tr><td>c</table><dl><dt>a<dd>b</dl>
        <svg viewBox="0 0 1 1"><a href="#here"><path d=""/></a></svg>
        <script>if (1 < 2) "</p><p id='here'>"</script><!-- <img> -->
        <form action="<< action("post") >>" method="post"><input name="x"></form>
        {% if session is defined %}<a href="/now/">yours</a>{% endif %}
        {% endblock %}
    """,
    "pages/about.md": "---\nlayout: layouts/base.html\n---\n# Team\n\n"
    "[up](../) [us](#team) ![b](/a.svg) <https://c.example>\n",
    "pages/café.html": '{% extends "layouts/base.html" %}',
    "pages/404.html": "<h1>not here</h1>",
    "pages/now.html": ON_DEMAND
    + '{% extends "layouts/base.html" %}{% block main %}<a href="/thanks/">x</a>{% endblock %}',
    "pages/shop/[slug].html": ON_DEMAND + '<a href="../../about/">x</a><< image("in/" ~ params.slug, alt="") >>',
    "pages/thanks.html": '{% extends "layouts/base.html" %}{% block main %}{% endblock %}',
    "pages/led.html": ON_DEMAND + "led to by code",
    "actions.py": "from hybridsite import action\n\n@action\n"
    "def post(context):\n    return context.redirect('/led/')\n",
    "assets/site.css": '@import "_part.css";\na { background: url(in.svg) }',
    "assets/_part.css": "b { background: url(/a.svg) }",
    "public/p.css": "@import 'p.css'; b { background: url('a.svg') }",
    "assets/in.svg": '<svg viewBox="0 0 4 3"/>',
    "assets/in/x.svg": '<svg viewBox="0 0 4 3"/>',
    "assets/b.svg": '<svg viewBox="0 0 4 3"/>',
    "public/a.svg": "<svg/>",
    "public/f.txt": "f",
    "public/old.html": '<p>old</p><a href="/">home</a>',
}


def found(root: Path, **options: bool) -> tuple[SiteError, ...]:
    return check_site(root, root / ".hybridsite", environ=ENVIRON, options=CheckOptions(**options))


def lines(root: Path) -> list[str]:
    return [f"{fault.location} {rule_of(fault)}: {fault.what}" for fault in found(root)]


def site(root: Path, files: Mapping[str, str | bytes]) -> Path:
    write_site(root, GOOD)
    write_files(root, files)
    return root


def test_a_good_site_has_no_faults(tmp_path: Path) -> None:
    root = site(tmp_path, {})
    assert lines(root) == []
    assert not (root / "dist").exists()
    assert not list(root.glob(".dist-*"))


def test_every_planted_fault_is_found_and_nothing_else(tmp_path: Path) -> None:
    about = str(GOOD["pages/about.md"])
    planted: dict[str, str | bytes] = {
        "site.toml": str(GOOD["site.toml"]) + '"/gone" = "/nowhere/"\n',
        "layouts/base.html": BASE.replace("{{ x }}", '<li><a href="/layout/">x</a></li>'),
        "layouts/unused.html": "",
        "components/unused.html": "",
        "assets/unused.svg": "<svg/>",
        "pages/orphan.html": '{% extends "layouts/base.html" %}',
        "pages/members.html": "---\ntitle: m\n---\n<a href='/orphans-link/'>x</a>",
        "pages/draft.html": "---\ndraft: true\n---\n",
        "pages/data.html": "---\nlink: /from/front-matter/\n---\n"
        "<a href='<< page.link >>'>x</a><a href='<< data.d.link >>'>y</a>",
        "data/d.toml": '# data\nlink = "/from/data/"\n',
        "pages/about.md": about + "\nSee [x](/markdown/) and [y](#nowhere),\n"
        "[z][ref] <img src='/a.svg'>.\n\n[ref]: ../ref/ 'x'\n",
        "pages/p.html": """
            {% extends "layouts/base.html" %}
            {% block main %}
            <a href="/members/">m</a> <a href="/data/">d</a>
            <a href="/abuot/">slip</a>
            <a href="/about/#temm">slip</a>
            <a href="/draft/">draft</a>
            <a href="p/../x">relative</a>
            <img src="/gone.png" alt="">
            <img src="/a.svg"
                 srcset="/a.svg 1x, /two.svg 2x" alt="">
            <img src="/a.svg">
            <p id="twice"></p>
            <p id="twice"></p>
            <p>a <div>b</div></p>
            <li>alone</li>
            <a href="/">a <a href="/">b</a></a>
            <section>
            {% for n in ["é"] %}<a href="/shop/<< n >>/deeper/">x</a>{% endfor %}
            <a href="/_actions/none">x</a>
            {% endblock %}
        """,
        "pages/thanks.html": '{% extends "layouts/base.html" %}{% block main %}<a href="/p/">p</a>{% endblock %}',
        "pages/now.html": ON_DEMAND + '{% extends "layouts/base.html" %}{% block main %}'
        "<a href='/thanks/'>x</a><a href='/on-demand/'>x</a>{% endblock %}",
        "assets/_part.css": "b { c: d }\ne { background: url(/gone.svg) }",
        "public/p.css": "/* url(x) */\nb { background: url('b.svg') }",
        "public/old.html": "<p>old\n<a href='old.htm'>x</a>",
    }
    assert lines(site(tmp_path, planted)) == [
        'assets/_part.css:2:21 broken-link: the file "/gone.svg" leads to nothing',
        'assets/unused.svg unused-file: nothing refers to this asset',
        'components/unused.html unused-file: no page uses this component',
        'data/d.toml:2:9 broken-link: the link "/from/data/" leads to nothing',
        'layouts/base.html:5:93 broken-link: the link "/layout/" leads to nothing',
        'layouts/unused.html unused-file: no page uses this layout',
        'pages/about.md:8:9 broken-link: the link "/markdown/" leads to nothing',
        'pages/about.md:8:29 broken-anchor: the link "#nowhere" leads to no part of the page',
        'pages/about.md:9:10 missing-alt: <img> has no alt',
        'pages/about.md:11:8 broken-link: the link "../ref/" (/ref/) leads to nothing',
        'pages/data.html:2:7 broken-link: the link "/from/front-matter/" leads to nothing',
        'pages/members.html:4:10 broken-link: the link "/orphans-link/" leads to nothing',
        "pages/now.html:4:83 broken-link: the link \"/on-demand/\" leads to nothing",
        'pages/orphan.html orphan-page: no page leads to /orphan/',
        'pages/p.html:4:10 broken-link: the link "/abuot/" leads to nothing',
        'pages/p.html:5:10 broken-anchor: the link "/about/#temm" leads to no part of the page',
        'pages/p.html:6:10 broken-link: the link "/draft/" leads to nothing',
        'pages/p.html:7:10 broken-link: the link "p/../x" (/p/x) leads to nothing',
        'pages/p.html:8:11 broken-link: the file "/gone.png" leads to nothing',
        'pages/p.html:10:25 broken-link: the file "/two.svg" leads to nothing',
        'pages/p.html:11:1 missing-alt: <img> has no alt',
        'pages/p.html:13:8 duplicate-id: the id "twice" stands on the page twice',
        'pages/p.html:14:6 nesting: <div> stands inside <p>',
        'pages/p.html:15:1 nesting: <li> stands in <main>',
        'pages/p.html:16:15 nesting: <a> stands inside <a>',
        'pages/p.html:17:1 nesting: <section> is never closed',
        'pages/p.html:18:30 broken-link: the link "/shop/é/deeper/" leads to nothing',
        'pages/p.html:19:10 broken-link: the link "/_actions/none" leads to nothing',
        'public/old.html:2:1 broken-link: the link "old.htm" (/old.htm) leads to nothing',
        'public/p.css:2:21 broken-link: the file "b.svg" (/b.svg) leads to nothing',
        'site.toml:8:1 broken-link: the redirect "/gone" leads to nothing',
    ]  # fmt: skip


def test_what_a_site_does_not_build_for_is_found_with_what_is_wrong_beside(tmp_path: Path) -> None:
    planted: dict[str, str | bytes] = {
        "pages/bad.html": "<< nothing >>",
        "pages/front.html": "---\nprerendr: false\n---\n",
        "pages/asset.html": '<< asset("sit.css") >>',
        "pages/links.html": '<a href="/bad/#x">x</a><a href="/front/">x</a><a href="/nowhere/">x</a>',
    }
    assert [f"{fault.location} {rule_of(fault)}" for fault in found(site(tmp_path, planted))] == [
        "pages/asset.html:1 asset",
        "pages/bad.html:1:4 template",
        "pages/front.html:2:1 front-matter",
        "pages/links.html:1:56 broken-link",
    ]


def test_an_undefined_session_is_a_fault(tmp_path: Path) -> None:
    [fault] = found(site(tmp_path, {"pages/thanks.html": "<< session >>"}))
    assert (str(fault.location), rule_of(fault), is_warning(fault)) == (
        "pages/thanks.html:1",
        "prerender-session",
        False,
    )


def test_a_fault_of_a_layout_is_told_once_with_a_page_that_met_it(tmp_path: Path) -> None:
    [fault] = found(site(tmp_path, {"layouts/base.html": BASE.replace("{{ x }}", '<li><a href="/x/">x</a></li>')}))
    assert str(fault) == (
        'layouts/base.html:5:93: the link "/x/" leads to nothing; nothing answers there; '
        "met by pages/index.html and 4 more pages; mend it, or take it out"
    )


@pytest.mark.parametrize(("href", "mend"), [("/about/", 'write "/docs/about/", or use url_for()'), ("/docs/abot/", "")])
def test_links_count_with_the_base(tmp_path: Path, href: str, mend: str) -> None:
    files = {
        "site.toml": '[site]\nbase = "/docs"\n',
        "pages/index.html": f'<a href="/docs/about/">x</a><a href="{href}">x</a>',
        "pages/about.html": '<a href="../">x</a> <a href="/docs">x</a>',
    }
    [fault] = found(write_site(tmp_path, files))
    assert str(fault.location) == "pages/index.html:1:38"
    assert fault.mend == (mend or 'did you mean "/docs/about/"?')


def test_a_check_changes_nothing_of_the_built_site(tmp_path: Path) -> None:
    from tests.inprocess import built_here

    root = site(tmp_path, {})
    built_here(root)
    before = tree(root / "dist")
    write_files(root, {"pages/index.html": "another"})
    found(root)
    assert tree(root / "dist") == before


def test_what_an_entry_holds_is_told_with_the_entry(tmp_path: Path) -> None:
    files = {
        "collections.py": "from hybridsite.collections import Collection\n\nblog = Collection('content/blog')\n",
        "content/blog/a.md": "---\ntitle: A\n---\nText\n\n[x](/nowhere/) <img src='/a.svg'>\n",
        "pages/blog/[slug].html": "---\npaths: blog\n---\n<< entry.html >>",
        "pages/index.html": "<a href='/blog/a/'>a</a>",
        "public/a.svg": "<svg/>",
    }
    assert lines(write_site(tmp_path, files)) == [
        'content/blog/a.md:6:5 broken-link: the link "/nowhere/" leads to nothing',
        "content/blog/a.md:6:16 missing-alt: <img> has no alt",
    ]
