"""The adapter for plain hosts: redirects as pages, and an error for all that would need a server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hybridsite.errors import AdapterError
from tests.e2e.support import page, tree, write_site
from tests.inprocess import ON_DEMAND, app_of, ask, built_here

STATIC = '[build]\nadapter = "static"\n'
REDIRECTS = """
[redirects]
"/old" = "/new?a=1&b=%22"
"/old.html" = { to = "/new", status = 302 }
"/away" = "https://other.example/x?y=1"
"""


def test_redirects_are_pages_with_a_refresh_and_a_canonical_link(tmp_path: Path) -> None:
    # case R9
    toml = STATIC + '[site]\nurl = "https://shop.example"\nbase = "/app"\nlanguage = "de"\n' + REDIRECTS
    root = write_site(tmp_path / "site", {"site.toml": toml, "pages/new.html": "new", "public/a.txt": "a"})
    assert built_here(root).warnings == ()
    told = {}
    for name in ("old/index.html", "old.html", "away/index.html"):
        text = page(root, name)
        canonical, refresh, link = re.findall(
            r'canonical" href="([^"]*)|content="0; url=([^"]*)|<a href="([^"]*)', text
        )
        told[name] = (canonical[0], refresh[1], link[2])
        assert '<meta name="robots" content="noindex">' in text
        assert '<html lang="de">' in text
    assert told == {
        "old/index.html": (
            "https://shop.example/app/new/?a=1&amp;b=%22",
            *["/app/new/?a=1&amp;b=%22"] * 2,
        ),
        "old.html": ("https://shop.example/app/new/", *["/app/new/"] * 2),
        "away/index.html": ("https://other.example/x?y=1",) * 3,
    }


def test_the_server_still_answers_with_their_status(tmp_path: Path) -> None:
    # case R9
    root = write_site(tmp_path / "site", {"site.toml": STATIC + REDIRECTS, "pages/new.html": "new"})
    app = app_of(root)
    found = {
        path: (ask(app, path).status, ask(app, path).header["location"]) for path in ("/old.html", "/away", "/old")
    }
    assert found == {
        "/old.html": (302, "/new/"),
        "/away": (301, "https://other.example/x?y=1"),
        "/old": (301, "/new/?a=1&b=%22"),
    }


def test_a_redirect_that_no_page_can_stand_for_is_told(tmp_path: Path) -> None:
    toml = STATIC + '[redirects]\n"/a/[x]" = "/b/[x]"\n"/feed.xml" = "/b"\n'
    root = write_site(tmp_path / "site", {"site.toml": toml, "pages/index.html": ""})
    told = [str(warning) for warning in built_here(root).warnings]
    assert told == [
        'site.toml:4:1: the redirect "/a/[x]" is left out of dist/client/; a page stands for one address; '
        "write it as a rule of the host",
        'site.toml:5:1: the redirect "/feed.xml" is left out of dist/client/; a host goes by the name, '
        "which is no page's; write it as a rule of the host",
    ]


def test_a_page_is_not_written_over(tmp_path: Path) -> None:
    toml = STATIC + '[redirects]\n"/a" = "/"\n'
    root = write_site(tmp_path / "site", {"site.toml": toml, "pages/index.html": "", "public/a/index.html": "mine"})
    (warning,) = built_here(root).warnings
    assert "is never taken, since there is a/index.html" in str(warning)
    assert page(root, "a/index.html") == "mine"


def test_what_would_be_answered_on_demand_is_one_error_that_lists_it(tmp_path: Path) -> None:
    files = {
        "site.toml": STATIC,
        "pages/index.html": "",
        "pages/cart.html": ON_DEMAND,
        "pages/api/cart.py": "def GET(context):\n    return ''",
        "pages/404.html": ON_DEMAND,
        "actions.py": "from hybridsite import action\n@action\ndef go(context):\n    return None",
    }
    root = write_site(tmp_path / "site", files)
    with pytest.raises(AdapterError) as caught:
        built_here(root)
    assert str(caught.value).startswith(
        'site.toml:2:1: the adapter "static" can\'t answer on demand, which 4 routes would have to be; '
        "/404 (pages/404.html), /api/cart (pages/api/cart.py), /cart/ (pages/cart.html), /_actions/go (actions.py); "
    )
    assert not (root / "dist").exists()


def test_every_page_is_on_demand_where_the_output_is_the_server_s(tmp_path: Path) -> None:
    files = {"site.toml": STATIC + 'output = "server"\n', "pages/a.html": "", "pages/b.html": ""}
    with pytest.raises(AdapterError, match="which 2 routes would have to be"):
        built_here(write_site(tmp_path / "site", files))


def test_a_guarded_page_is_an_error(tmp_path: Path) -> None:
    code = "async def on_request(context, call_next):\n    return await call_next(context)"
    files = {"site.toml": STATIC, "middleware.py": code, "pages/a.html": "---\nguard: true\n---\n"}
    with pytest.raises(AdapterError, match="guards nothing, and 1 page would be given to everybody"):
        built_here(write_site(tmp_path / "site", files))


def test_there_are_no_sessions_unless_a_driver_is_named(tmp_path: Path) -> None:
    files = {"site.toml": STATIC, "pages/a.html": "<< session.get('cart') >>"}
    (notice,) = built_here(write_site(tmp_path / "site", files)).notices
    assert "choose a [build] adapter whose host runs the site, or guard the place" in str(notice)
    named = write_site(tmp_path / "named", {"site.toml": STATIC + '[session]\nttl = "1d"\n', "pages/a.html": "a"})
    assert built_here(named).pages == 1


def test_the_standalone_adapter_adds_nothing(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", {"site.toml": REDIRECTS, "pages/new.html": "new"})
    assert built_here(root).warnings == ()
    assert list(tree(root / "dist/client")) == ["new/index.html"]


def test_islands_are_listed_with_what_would_have_to_be_answered(tmp_path: Path) -> None:
    files = {
        "site.toml": STATIC,
        "pages/index.html": '{% island "components/badge.html" %}{% endisland %}',
        "components/badge.html": '{% island "components/inner.html" %}{% endisland %}',
        "components/inner.html": "inner",
    }
    with pytest.raises(AdapterError) as caught:
        built_here(write_site(tmp_path / "site", files))
    assert "1 route would have to be; the island components/badge.html;" in str(caught.value)
