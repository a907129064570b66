"""Languages: what a path's language is, where the same page is in another one, and what stands in for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.errors import SiteError, SiteErrors
from hybridsite.languages import Languages
from hybridsite.routes import Match, Part, Route
from hybridsite.routing import Router
from hybridsite.urls import TrailingSlash, UrlPolicy
from tests.e2e.support import write_site
from tests.inprocess import MEMORY, ON_DEMAND, app_of, ask, built_here, loaded

TOML = '[site]\nurl = "https://e.example"\n[i18n]\nlocales = ["en", "de", "pt-BR"]\n'
SHOWN = "{% for each in alternates %}<< each.locale >>=<< each.url >> {% endfor %}"
FALLBACK = TOML + 'fallback = { de = "en", pt-BR = "de" }\n'
RENDERED = FALLBACK + 'fallback_type = "render"\n'


def texts(folder: Path, files: dict[str, str], *paths: str, toml: str = TOML) -> list[str]:
    """Builds a site and gives what its paths answer."""
    app = app_of(write_site(folder, {"site.toml": toml + MEMORY, **files}))
    return [ask(app, path).text.strip() for path in paths]


def test_the_first_segment_of_a_path_says_the_language(tmp_path: Path) -> None:
    page = "<< locale >>"
    files = {f"pages/{name}.html": page for name in ("a", "de/a", "pt-BR/a", "fr/a")} | {"pages/[lang]/x.html": page}
    files["pages/[lang]/x.html"] = ON_DEMAND + page
    paths = ("/a/", "/de/a/", "/pt-BR/a/", "/fr/a/", "/de/x/", "/fr/x/")
    assert texts(tmp_path, files, *paths) == ["en", "de", "pt-BR", "en", "de", "en"]


def test_without_i18n_the_language_is_the_sites(tmp_path: Path) -> None:
    files = {"pages/de/a.html": f"<< locale >>{SHOWN}"}
    assert texts(tmp_path, files, "/de/a/", toml='[site]\nlanguage = "en-GB"\n') == ["en-GB"]


@pytest.mark.parametrize("base", ["", "/docs"])
@pytest.mark.parametrize("slash", ["always", "never", "ignore"])
def test_url_for_and_alternates_go_by_base_and_trailing_slash(tmp_path: Path, base: str, slash: TrailingSlash) -> None:
    page = "<< url_for('pages/a.html', locale='de') >> << url_for('pages/de/a.html', locale='en') >> " + SHOWN
    page += " << url_for('pages/index.html', locale='de') >>"
    toml = TOML.replace("[i18n]", f'base = "{base}"\n[routing]\ntrailing_slash = "{slash}"\n[i18n]')
    files = {f"pages/{name}.html": page for name in ("a", "de/a", "index", "de/index")}
    app = app_of(write_site(tmp_path, {"site.toml": toml + MEMORY, **files}))
    end = "" if slash == "never" else "/"
    for locale in ("", "/de"):
        text = ask(app, f"{base}{locale}/a{end}").text
        german, english = f"{base}/de/a{end}", f"{base}/a{end}"
        home = UrlPolicy(base, slash).url("page", ("de",))
        assert text == f"{german} {english} en={english} de={german}  {home}"


def test_alternates_are_pages_whose_routes_differ_in_the_language_alone(tmp_path: Path) -> None:
    files = {
        "pages/a.html": SHOWN,
        "pages/de/a.html": SHOWN,
        "pages/pt-BR/b.html": SHOWN,
        "pages/b.html": ON_DEMAND + SHOWN,
        "pages/alone.html": SHOWN,
        "pages/de/[...path].html": ON_DEMAND + SHOWN,
    }
    paths = ("/a/", "/de/a/", "/b/", "/pt-BR/b/", "/alone/")
    a, b = "en=/a/ de=/de/a/", "en=/b/ pt-BR=/pt-BR/b/"
    assert texts(tmp_path, files, *paths) == [a, a, b, b, ""]


def test_dynamic_pages_are_alternates_where_both_languages_give_the_path(tmp_path: Path) -> None:
    def paths(*slugs: str) -> str:
        return f"def paths(site):\n    return [{{'params': {{'slug': slug}}}} for slug in {slugs!r}]\n"

    files = {
        "pages/blog/[slug].html": SHOWN,
        "pages/blog/[slug].py": paths("a", "b"),
        "pages/de/blog/[slug].html": SHOWN,
        "pages/de/blog/[slug].py": paths("a", "c"),
        "pages/live.html": ON_DEMAND + "<< url_for('pages/blog/[slug].html', slug='a', locale='de') >>",
    }
    a = "en=/blog/a/ de=/de/blog/a/"
    got = texts(tmp_path, files, "/blog/a/", "/de/blog/a/", "/blog/b/", "/de/blog/c/", "/live/")
    assert got == [a, a, "", "", "/de/blog/a/"]


def test_entries_have_their_language_as_a_field(tmp_path: Path) -> None:
    files = {
        "pages/[lang]/[slug].html": f"---\npaths: blog\n---\n{SHOWN}",
        "content/blog/a.md": "---\nlang: en\nslug: hello\n---\n",
        "content/blog/b.md": "---\nlang: de\nslug: hallo\n---\n",
        "pages/index.html": "{% for each in collection('blog') if each.data.lang == locale %}"
        "<< each.url >>{% endfor %}",
    }
    assert texts(tmp_path, files, "/", "/de/hallo/") == ["/en/hello/", ""]


def test_url_for_gives_the_language_to_a_route_whose_first_segment_it_is(tmp_path: Path) -> None:
    page = "<< url_for('pages/[lang]/a.html', locale='de') >> " + SHOWN
    got = texts(tmp_path, {"pages/[lang]/a.html": ON_DEMAND + page}, "/en/a/")
    assert got == ["/de/a/ en=/a/ de=/de/a/ pt-BR=/pt-BR/a/".replace("en=/a/", "en=/en/a/")]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("'pages/a.html', locale='de'", ("pages/a.html has no page", "there is no pages/de/a.html", "fallback")),
        ("'pages/de/b.html', locale='en'", ("pages/de/b.html has no page", "there is no pages/b.html")),
        ("'pages/a.html', locale='pt-Br'", ('there is no language "pt-Br"', 'did you mean "pt-BR"?')),
    ],
)
def test_a_page_that_a_language_lacks_is_told_with_both_files(
    tmp_path: Path, call: str, words: tuple[str, ...]
) -> None:
    files = {"site.toml": TOML, "pages/a.html": f"<< url_for({call}) >>", "pages/de/b.html": "b"}
    with pytest.raises(SiteError) as caught:
        built_here(write_site(tmp_path, files))
    assert str(caught.value).startswith("pages/a.html:1")
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_page_of_the_default_language_stands_in_one_place(tmp_path: Path) -> None:
    files = {"site.toml": TOML, "pages/a.html": "a", "pages/en/a.html": "a"}
    with pytest.raises((SiteError, SiteErrors), match=r'pages/a\.html and pages/en/a.html are both .* "en"'):
        built_here(write_site(tmp_path, files))


def test_without_a_fallback_nothing_stands_in(tmp_path: Path) -> None:
    app = app_of(write_site(tmp_path, {"site.toml": TOML + MEMORY, "pages/a.html": "a"}))
    assert ask(app, "/de/a/").status == 404


def test_a_page_that_a_language_lacks_leads_to_the_one_that_stands_in(tmp_path: Path) -> None:
    files = {
        "site.toml": FALLBACK + MEMORY,
        "pages/a.html": "<< url_for('pages/a.html', locale='de') >> << url_for('pages/b.html', locale='pt-BR') >>",
        "pages/b.html": "b",
        "pages/de/b.html": "b",
        "pages/live.html": ON_DEMAND + "live",
        "pages/robots.txt": "x",
    }
    app = app_of(write_site(tmp_path, files))
    assert ask(app, "/a/").text == "/a/ /de/b/"
    told = {path: ask(app, path).header.get("location") for path in ("/de/a/", "/pt-BR/b/?q=1", "/de/live/", "/fr/a/")}
    assert told == {"/de/a/": "/a/", "/pt-BR/b/?q=1": "/de/b/?q=1", "/de/live/": "/live/", "/fr/a/": None}
    assert [ask(app, path).status for path in ("/de/a/", "/de/robots.txt", "/de/nothing/")] == [302, 404, 404]


def test_a_page_that_a_language_lacks_is_rendered_in_its_frame(tmp_path: Path) -> None:
    files = {
        "site.toml": RENDERED + MEMORY + "[sitemap]\n",
        "pages/a.html": f"<html lang=<< locale >>><< url_for('pages/a.html', locale='de') >> {SHOWN}<< seo() >>",
        "pages/de/b.html": "b << locale >>",
        "pages/b.html": "b << locale >>",
        "pages/live.html": ON_DEMAND + "<< url_for('pages/live.html', locale='de') >>",
    }
    app = app_of(write_site(tmp_path, files))
    text = ask(app, "/de/a/").text
    assert text.startswith("<html lang=de>/de/a/ <title>")
    assert '<link rel="canonical" href="https://e.example/a/">' in text
    assert [ask(app, path).text for path in ("/pt-BR/b/", "/de/b/", "/b/")] == ["b pt-BR", "b de", "b en"]
    listed = re.findall("<loc>(.*?)</loc>", ask(app, "/sitemap.xml").text)
    assert listed == ["https://e.example/a/", "https://e.example/b/", "https://e.example/de/b/"]
    assert ask(app, "/sitemap.xml").text.count('hreflang="de" href="https://e.example/de/b/"') == 2


def test_what_middleware_guards_by_its_path_is_never_rendered_at_another_one(tmp_path: Path) -> None:
    guard = """
from starlette.responses import Response
async def on_request(context, call_next):
    if context.url.path in ("/live/", "/members/"):
        return Response("no", 403)
    return await call_next()
"""
    files = {
        "site.toml": RENDERED + MEMORY,
        "middleware.py": guard,
        "pages/live.html": ON_DEMAND + "secret << url_for('pages/live.html', locale='de') >>",
        "pages/members.html": "---\nguard: true\n---\nsecret",
        "pages/a.html": "<< url_for('pages/live.html', locale='de') >> "
        "<< url_for('pages/members.html', locale='de') >>",
    }
    app = app_of(write_site(tmp_path, files))
    for page in ("live", "members"):
        assert (ask(app, f"/de/{page}/").status, ask(app, f"/de/{page}/").header["location"]) == (302, f"/{page}/")
        assert ask(app, f"/{page}/").status == 403
    assert ask(app, "/a/").text == "/live/ /members/"


def test_on_a_host_of_files_a_page_leads_on(tmp_path: Path) -> None:
    toml = FALLBACK + '[build]\nadapter = "static"\n'
    built_here(root := write_site(tmp_path, {"site.toml": toml, "pages/a.html": "a"}))
    assert 'content="0; url=/a/"' in (root / "dist/client/de/a/index.html").read_text()


def test_an_island_has_the_language_of_its_page(tmp_path: Path) -> None:
    files = {
        "site.toml": TOML + MEMORY,
        "components/c.html": "<b><< locale >></b>",
        "pages/a.html": '{% island "components/c.html" %}{% endisland %}',
        "pages/de/a.html": '{% island "components/c.html" %}{% endisland %}',
        "pages/de/live.html": ON_DEMAND + '{% island "components/c.html" %}{% endisland %}',
    }
    app = app_of(write_site(tmp_path, files))
    got = []
    for path in ("/a/", "/de/a/"):
        found = re.search('<slot name="([^"]+)"', ask(app, path).text)
        assert found is not None
        got.append(ask(app, f"/_islands/{found[1]}").text)
    assert [*got, ask(app, "/de/live/").text] == ["<b>en</b>", "<b>de</b>", "<b>de</b>"]


def test_a_build_that_keeps_pages_knows_what_languages_they_came_to_have(tmp_path: Path) -> None:
    root = write_site(
        tmp_path,
        {
            "site.toml": FALLBACK,
            "pages/a.html": SHOWN,
            "pages/b.html": "<< url_for('pages/a.html', locale='de') >>",
            "pages/c.html": "<< _('Hello') >>",
            "pages/de/c.html": "{% include 'pages/c.html' %}",
        },
    )

    def built() -> list[str]:
        built_here(root)
        files = ("a", "b", "de/c")
        return [(root / f"dist/client/{file}/index.html").read_text().strip() for file in files]

    assert built() == ["", "/a/", "Hello"]
    (root / "pages/de/a.html").write_text("a")
    (root / "locales/de/LC_MESSAGES").mkdir(parents=True)
    (root / "locales/de/LC_MESSAGES/messages.po").write_text('msgid "Hello"\nmsgstr "Hallo"\n')
    assert built() == ["en=/a/ de=/de/a/", "/de/a/", "Hallo"]
    (root / "pages/de/a.html").unlink()
    assert built() == ["", "/a/", "Hallo"]


NAMES = st.sampled_from(["a", "b", "c"])
STEMS = st.lists(NAMES, max_size=3).map(tuple)
ROUTES = st.sets(st.tuples(st.sampled_from(["en", "de", "fr"]), STEMS), min_size=1, max_size=12)
THREE = Languages("en", ("en", "de", "fr"))


def there(match: Match, path: tuple[str, ...]) -> bool:
    """Tells that a page is there."""
    return True


@given(ROUTES)
def test_alternates_are_symmetric_and_url_for_gives_the_same(pages: set[tuple[str, tuple[str, ...]]]) -> None:
    """Whatever pages there are: who is an alternate of another has it as its own, and url_for() leads to each."""
    paths = [stem if locale == "en" else (locale, *stem) for locale, stem in sorted(pages)]
    routes = [
        Route(tuple((Part(text, "text"),) for text in path), "page", template=f"pages/{number}.html")
        for number, path in enumerate(paths)
    ]
    router = Router(routes, UrlPolicy())
    for route, path in zip(routes, paths, strict=True):
        found = THREE.alternates(router, route, path, "", there)
        locale, stem = THREE.locale(path), path if THREE.locale(path) == "en" else path[1:]
        others = {each for each, own in pages if own == stem}
        assert {each.locale for each in found} == (others if len(others) > 1 else set())
        for each in found:
            assert THREE.url_for(router, route.source, {"locale": each.locale}, there, lambda route: False) == each.url
            other = next(one for one in routes if router.policy.url("page", router.fill(one, {})) == each.url)
            back = THREE.alternates(router, other, router.fill(other, {}), "", there)
            assert back == found
        assert THREE.counterpart(router, route, path, locale, there) == (Match(route, {}), path)


def test_error_pages_are_in_the_language_of_the_path(tmp_path: Path) -> None:
    files = {
        "site.toml": '[i18n]\nlocales = ["en", "de", "at", "fr"]\nfallback = { at = "de" }\n[sitemap]\n'
        '[site]\nurl = "https://x.example"\n',
        "pages/index.html": "home",
        "pages/404.html": "<p>nothing in << locale >></p>",
        "pages/de/404.html": "<p>nichts auf << locale >></p>",
        "pages/fr/404.html": "---\nprerender: false\n---\n<p>rien en << locale >> à << url.path >></p>",
        "pages/de/500.html": "kaputt",
        "pages/de/boom.py": "def GET(context):\n    raise ValueError\n",
    }
    root = write_site(tmp_path / "site", files)
    app = app_of(root)
    told = {path: ask(app, path).text for path in ("/x/", "/de/x/", "/at/x/", "/fr/x/", "/de", "/dex/", "/de/404/")}
    assert told == {
        "/x/": "<p>nothing in en</p>",
        "/de/x/": "<p>nichts auf de</p>",
        "/at/x/": "<p>nichts auf de</p>",
        "/fr/x/": "<p>rien en fr à /fr/x/</p>",
        "/de": "<p>nichts auf de</p>",
        "/dex/": "<p>nothing in en</p>",
        "/de/404/": "<p>nichts auf de</p>",
    }
    assert [ask(app, path).status for path in ("/de/x/", "/de/404.html", "/fr/404/")] == [404, 404, 404]
    assert (ask(app, "/de/boom").status, ask(app, "/de/boom").text) == (500, "kaputt")
    assert "404" not in (root / "dist/client/sitemap.xml").read_text("utf-8")
    assert (root / "dist/client/de/404.html").is_file()
    assert not (root / "dist/client/fr").exists()


def test_without_languages_a_folder_is_no_language(tmp_path: Path) -> None:
    app = app_of(write_site(tmp_path / "site", {"pages/404.html": "none", "pages/de/404.html": "a page"}))
    assert (ask(app, "/de/404/").text, ask(app, "/de/x/").text) == ("a page", "none")


def test_two_error_pages_of_one_language_are_an_error(tmp_path: Path) -> None:
    toml = '[i18n]\nlocales = ["en", "de"]\n'
    with pytest.raises(SiteError, match=r"pages/de/404\.(html|md) and pages/de/404\.(html|md) both answer /de/404"):
        loaded(tmp_path, {"site.toml": toml, "pages/de/404.html": "a", "pages/de/404.md": "b"})
