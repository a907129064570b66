"""Templates, front matter, data and Markdown, as they come out of a build."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.e2e.support import MakeSite, Server, built, page

EVIL = "<script>alert('x')</script>"
SSTI = "<< 7 * 7 >>{% set x = 1 %}{{ 7 * 7 }}{# gone #}"

# The name of each page is the name of its case: its template, and what it prints.
PRINTED = {
    "output": ("<p><< 1 + 1 >></p>", "<p>2</p>"),
    "vue": ("<p>{{ user.name | upper }} {{ '{{' }}</p>", "<p>{{ user.name | upper }} {{ '{{' }}</p>"),
    "unbalanced": ("a }} b {{ c", "a }} b {{ c"),
    "statement": ("{% for n in [1, 2] %}<< n >>{% endfor %}", "12"),
    "comment": ("a{# << nothing >> #}b", "ab"),
    "raw": ("{% raw %}1 << 2 >> 3 {% if %}{% endraw %}", "1 << 2 >> 3 {% if %}"),
    "none": ("[<< none >>|<< page.empty >>]", "[|]"),
    "title": ("<< page.title >>", "Tea &amp; &lt;Cups&gt;"),
    "nested": ("<< page.list[1].deep >>", "yes"),
    "absent": (
        "[{% if page.subtitle %}no{% endif %}<< page.subtitle | default('none') >><< data.nope is defined >>]",
        "[noneFalse]",
    ),
    "data-toml": ("<< data.shop.name >> << data.shop.open.sunday >>", "Tea &amp; Co False"),
    "data-json": ("<< data.goods[1].name >>", "Cup"),
    "data-yaml": ("<< data.team.ann.role >>", "baker"),
    "do": ("{% set l = [] %}{% do l.append(3) %}<< l[0] >>", "3"),
    "loop-controls": ("{% for n in [1, 2, 3] %}{% if n == 2 %}{% continue %}{% endif %}<< n >>{% endfor %}", "13"),
    "trans": ("{% trans %}Hello{% endtrans %} << _('You') >>", "Hello You"),
    "include": ("{% include 'components/hello.html' %}", "<i>hello Tea &amp; &lt;Cups&gt;</i>"),
    "import": ("{% from 'components/macros.html' import b %}<< b('<') >>", "<b>&lt;</b>"),
    "safe": ("<< '<b>' | safe >>", "<b>"),
    "prerendering": ("<< prerendering >>", "True"),
    "url": ("<< url.path >> << request.url.path >> << request.method >>", "/url/ /url/ GET"),
    "url-for": ("<< url_for('pages/blog/[slug].html', slug='a b?#ü') >>", "/blog/a%20b%3F%23%C3%BC/"),
    "url-for-page": ("<< url_for('pages/title.html') >> << url_for('pages/robots.txt') >>", "/title/ /robots.txt"),
    "url-for-rest": ("<< url_for('pages/docs/[...path].html', path='a b/c') >>", "/docs/a%20b/c/"),
    "evil-attribute": ('<a title="<< page.evil >>">', f'<a title="{EVIL}">'),
    "evil-text": ("<< page.evil >>", EVIL),
    "evil-data": ("<< data.shop.evil >>", EVIL),
    "ssti-page": ("<< page.ssti >>", SSTI),
    "ssti-data": ("<< data.shop.ssti >>", SSTI),
    "ssti-include": ("{% set text = data.shop.ssti %}{% include 'components/text.html' %}", SSTI),
    "module": ("<< price >> << evil >>", "12 " + EVIL),
}
FRONT_MATTER = f"""---
title: Tea & <Cups>
empty:
evil: "{EVIL}"
ssti: "{SSTI}"
list: [1, {{deep: "yes"}}]
---
"""
SITE: dict[str, str | bytes] = {
    **{f"pages/{name}.html": FRONT_MATTER + template for name, (template, _) in PRINTED.items()},
    "pages/module.py": f'async def load(context):\n    return {{"price": 12, "evil": "{EVIL}"}}',
    "pages/blog/[slug].html": "---\nprerender: false\n---\n<< params.slug >> << request.query_params['q'] >>",
    "pages/docs/[...path].html": "---\nprerender: false\n---\n<< params.path >>",
    "pages/robots.txt": "a << 'b & <c>' >>",
    "pages/feed.xml": "<t><< 'b & <c>' >></t>",
    "components/hello.html": "<i>hello << page.title >></i>",
    "components/text.html": "<< text >>",
    "components/macros.html": "{% macro b(x) %}<b><< x >></b>{% endmacro %}",
    "data/shop.toml": f'name = "Tea & Co"\nevil = "{EVIL}"\nssti = "{SSTI}"\nopen = {{ sunday = false }}',
    "data/goods.json": '[{"name": "Tea"}, {"name": "Cup"}]',
    "data/team.yaml": "ann:\n  role: baker\n",
}
ESCAPED = str.maketrans({"<": "&lt;", ">": "&gt;", "&": "&amp;", "'": "&#39;", '"': "&#34;"})

MARKDOWN = """
---
layout: layouts/post.html
title: First
---
# Tea & cake

Some *text*, ~~gone~~, << 1 + 1 >> and {{ user }}.

## The first part

| a | b |
|---|---|
| 1 | 2 |

- [x] done
- [ ] open

```python
def brew(): return "tea"
```

### A closer look

See the note[^1].

## The first part

[^1]: A note.
"""
LAYOUT = """
<title><< page.title >></title>
<nav><< toc >></nav>
<ol>{% for heading in headings %}<li><< heading.level >>|<< heading.id >>|<< heading.text >></li>{% endfor %}</ol>
<main><< content >></main>
"""


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Path:
    site = make_site(SITE)
    assert built(site).stderr == ""
    return site


@pytest.mark.parametrize("name", PRINTED)
def test_a_page_prints(site: Path, name: str) -> None:
    # case X1, case X2
    expected = PRINTED[name][1]
    for unsafe in (EVIL, SSTI):
        expected = expected.replace(unsafe, unsafe.translate(ESCAPED))
    assert page(site, f"{name}/index.html").strip() == expected


def test_text_files_are_not_escaped_and_xml_is(site: Path) -> None:
    assert page(site, "robots.txt") == "a b & <c>"
    assert page(site, "feed.xml") == "<t>b &amp; &lt;c&gt;</t>"


def test_what_a_request_brings_is_printed_never_run(make_site: MakeSite) -> None:
    # case X1, case X2
    show = (
        "---\nprerender: false\n---\n"
        "<p title='<< request.query_params['q'] >>'><< request.query_params['q'] >>|<< request.headers['x-name'] >></p>"
        "<i><< params.slug >></i><b><< session.get('name', '') >></b>"
    )
    save = """
        async def POST(context):
            form = await context.request.form()
            context.session["name"] = form["name"]
            return "ok"
        """
    with Server(make_site({"pages/[slug].html": show, "pages/save.py": save})) as server:
        for text in (EVIL, SSTI):
            client = server.client()
            assert client.post("/save", data={"name": text}).text == "ok"
            slug = text.replace("/", "")
            answer = client.get(f"/{quote(slug)}/", params={"q": text}, headers={"X-Name": text})
            escaped, escaped_slug = text.translate(ESCAPED), slug.translate(ESCAPED)
            expected = f"<p title='{escaped}'>{escaped}|{escaped}</p><i>{escaped_slug}</i><b>{escaped}</b>"
            assert answer.text.strip() == expected


def test_another_pair_for_a_site(make_site: MakeSite) -> None:
    site = make_site(
        {
            "site.toml": '[templates]\nvariable = ["{{", "}}"]',
            "pages/index.html": "{{ 1 + 1 }} << 1 + 1 >> 1 << 2",
        }
    )
    built(site)
    assert page(site, "index.html").strip() == "2 << 1 + 1 >> 1 << 2"


@pytest.mark.parametrize("stem", ["items", "keys", "get", "values", "update"])
def test_a_data_file_may_have_any_name(make_site: MakeSite, stem: str) -> None:
    template = f"<< data['{stem}'][1].name >> << data.{stem}[1].name >>"
    site = make_site({f"data/{stem}.json": '[{"name": "Tea"}, {"name": "Cup"}]', "pages/index.html": template})
    built(site)
    assert page(site, "index.html").strip() == "Cup Cup"


def test_toml_front_matter(make_site: MakeSite) -> None:
    text = '+++\ntitle = "Tea"\nsizes = [1, 2]\n+++\n<< page.title >> << page.sizes[1] >>'
    site = make_site({"pages/index.html": text})
    built(site)
    assert page(site, "index.html").strip() == "Tea 2"


def test_front_matter_leaves_nothing_in_its_place(make_site: MakeSite) -> None:
    feed = "---\ntitle: Tea\n---\n<?xml version='1.0'?><t><< page.title >></t>"
    with Server(make_site({"pages/a.xml": feed, "pages/b.xml": "---\nprerender: false\n" + feed[4:]})) as server:
        for path in ("/a.xml", "/b.xml"):  # a blank line before it, and it would be no XML
            assert server.client().get(path).text == "<?xml version='1.0'?><t>Tea</t>"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_marks_of_other_systems(make_site: MakeSite, end: bytes, mark: bytes) -> None:
    # case D3
    lines = [b"---", b"title: Tea", b"---", b"<p><< page.title >></p>", b""]
    site = make_site({"pages/index.html": mark + end.join(lines)})
    built(site)
    assert page(site, "index.html").strip() == "<p>Tea</p>"


def test_a_key_near_a_reserved_one_may_be_named(make_site: MakeSite) -> None:
    site = make_site(
        {
            "site.toml": '[front_matter]\nkeys = ["header", "drafts"]',
            "pages/index.html": "---\nheader: Hello\ndrafts: 2\n---\n<< page.header >> << page.drafts >>",
        }
    )
    built(site)
    assert page(site, "index.html").strip() == "Hello 2"


@pytest.fixture(scope="module")
def post(make_site: MakeSite) -> str:
    site = make_site({"pages/first.md": MARKDOWN, "layouts/post.html": LAYOUT})
    assert built(site).stderr == ""
    return page(site, "first/index.html")


def test_markdown_in_its_layout(post: str) -> None:
    assert "<title>First</title>" in post
    main = re.sub(r".*<main>", "", post, flags=re.DOTALL)
    assert "<em>text</em>, <del>gone</del>" in main
    assert "&lt;&lt; 1 + 1 &gt;&gt; and {{ user }}" in main
    assert "<td>1</td>" in main
    assert len(re.findall(r'<input[^>]*type="checkbox"', main)) == 2
    assert re.search(r"<sup[^>]*><a href=\"#[^\"]+\" role=\"doc-noteref\">", main)
    assert "A note." in main


def test_markdown_headings_and_toc(post: str) -> None:
    headings = re.findall(r"<li>(\d)\|([^|]+)\|([^<]+)</li>", post)
    assert [(level, text) for level, _, text in headings] == [
        ("1", "Tea &amp; cake"),
        ("2", "The first part"),
        ("3", "A closer look"),
        ("2", "The first part"),
    ]
    names = [name for _, name, _ in headings]
    assert names[1:3] == ["the-first-part", "a-closer-look"]
    assert len(set(names)) == 4
    nav = re.sub(r"</nav>.*", "", post, flags=re.DOTALL)
    for level, name, text in headings:
        assert re.search(rf'<h{level}[^>]* id="{name}"', post)
        if level != "1":
            assert f'href="#{name}"' in nav
            assert text in nav


def test_markdown_code_is_highlighted(post: str) -> None:
    assert re.search(r'<span class="\w+">def</span>', post)
    assert re.search(r'<span class="\w+">brew</span>', post)


def test_markdown_is_a_template_when_it_says_so(make_site: MakeSite) -> None:
    text = """
        ---
        jinja: true
        name: <Tea>
        layout: layouts/post.html
        ---
        # << page.name >>

        {% for n in [1, 2] %}* item << n >>
        {% endfor %}
        """
    site = make_site({"pages/index.md": text, "layouts/post.html": "<< content >>"})
    built(site)
    html = page(site, "index.html")
    assert "&lt;Tea&gt;" in html
    assert "<li>item 1</li>" in html
    assert "<li>item 2</li>" in html


def test_a_markdown_page_may_be_rendered_on_demand(make_site: MakeSite) -> None:
    text = """
        ---
        prerender: false
        jinja: true
        layout: layouts/post.html
        ---
        Hello << session.get('name', 'nobody') >>
        """
    layout = "<b>{% if session %}yes{% endif %}</b><< content >>"
    with Server(make_site({"pages/hello.md": text, "layouts/post.html": layout})) as server:
        assert server.client().get("/hello/").text.split() == ["<b>yes</b><p>Hello", "nobody</p>"]


def test_a_template_may_redirect_and_set_cookies(make_site: MakeSite) -> None:
    on_demand = "---\nprerender: false\n---\n"
    files = {
        "pages/old.html": on_demand + "<p>secret</p><< redirect('/new/?a=1') >><p>more</p>",
        "pages/moved.html": on_demand + "{% do redirect('/new/', status=301) %}",
        "pages/theme.html": on_demand + "[<< cookies.get('theme', 'light') >>]{% do cookies.set('theme', 'dark') %}",
        "pages/forget.html": on_demand + "{% do cookies.delete('theme') %}",
        "pages/part.html": on_demand + "<< render('components/part.html', name='<Ann>') >>",
        "components/part.html": "<i><< name >></i>",
    }
    with Server(make_site(files)) as server:
        client = server.client()
        old = client.get("/old/")
        assert (old.status_code, old.headers["location"]) == (302, "/new/?a=1")
        assert "secret" not in old.text
        assert client.get("/moved/").status_code == 301
        assert client.get("/theme/").text.strip() == "[light]"
        assert client.get("/theme/").text.strip() == "[dark]"
        client.get("/forget/")
        assert client.get("/theme/").text.strip() == "[light]"
        assert client.get("/part/").text.strip() == "<i>&lt;Ann&gt;</i>"
