"""What a build renders: every prerendered path once, and a fault for each path that can't be one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from textwrap import indent

import pytest

from hybridsite.build import plan as plan_module
from hybridsite.build.plan import PlannedPage, plan
from hybridsite.errors import Faults, SiteError, SiteErrors
from tests.inprocess import ON_DEMAND, loaded


def planned(root: Path, files: dict[str, str | bytes]) -> list[PlannedPage]:
    faults = Faults()
    pages = asyncio.run(plan(loaded(root, files, prerendering=True), faults))
    faults.raise_any()
    return pages


def paths(body: str, page: str = "[slug]") -> dict[str, str | bytes]:
    """Gives a site whose one page has its `paths`."""
    head = "def" if "await" not in body else "async def"
    return {
        "site.toml": "",
        f"pages/{page}.html": "<< params >>",
        f"pages/{page}.py": f"{head} paths(site):\n{indent(body, '    ')}\n",
    }


def test_each_prerendered_path_in_the_order_of_routes(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "site.toml": '[site]\nbase = "/app"\n',
        "pages/b.html": "",
        "pages/a/index.md": "",
        "pages/now.html": ON_DEMAND,
        "pages/api.py": "def GET(context): ...",
        "pages/stats.json.py": "prerender = True\ndef GET(context): ...",
        "pages/robots.txt": "",
        "pages/404.html": "",
    }
    found = [(page.url, page.output) for page in planned(tmp_path / "site", files)]
    assert found == [
        ("/app", "404.html"),
        ("/app/a/", "a/index.html"),
        ("/app/b/", "b/index.html"),
        ("/app/robots.txt", "robots.txt"),
        ("/app/stats.json", "stats.json"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        "return [{'params': {'slug': 'a'}}, {'params': {'slug': 7}, 'props': {'x': 1}}]",
        "yield {'params': {'slug': 'a'}}\nyield {'params': {'slug': 7}, 'props': {'x': 1}}",
        "import asyncio\nawait asyncio.sleep(0)\n"
        "return ({'params': {'slug': 'a'}}, {'params': {'slug': 7}, 'props': {'x': 1}})",
        "import asyncio\nawait asyncio.sleep(0)\nyield {'params': {'slug': 'a'}}\n"
        "yield {'params': {'slug': 7}, 'props': {'x': 1}}",
    ],
)
def test_paths_in_every_form(tmp_path: Path, body: str) -> None:
    one, two = planned(tmp_path / "site", paths(body))
    assert (one.url, dict(one.match.params), dict(one.match.props)) == ("/a/", {"slug": "a"}, {})
    assert (two.url, dict(two.match.params), dict(two.match.props)) == ("/7/", {"slug": "7"}, {"x": 1})


def test_a_rest_parameter_may_take_nothing(tmp_path: Path) -> None:
    body = "return [{'params': {}}, {'params': {'path': 'a/b c'}}]"
    found = planned(tmp_path / "site", paths(body, "docs/[...path]"))
    assert [(page.url, page.output) for page in found] == [
        ("/docs/", "docs/index.html"),
        ("/docs/a/b%20c/", "docs/a/b c/index.html"),
    ]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return {'params': {}}", "paths() gave dict"),
        ("return 'abc'", "paths() gave str"),
        ("return None", "paths() gave NoneType"),
        ("return ['a']", "'a', which is no mapping"),
        ("return [{'parms': {}}]", 'did you mean "params"?'),
        ("return [{'params': 1}]", "no mapping"),
        ("return [{}]", "no mapping"),
        ("return [{'params': {}}]", 'needs the parameter "slug"'),
        ("return [{'params': {'slug': 'a', 'x': 'b'}}]", 'has no parameter "x"'),
        ("return [{'params': {'slug': 'a/b'}}]", "one segment"),
        ("return [{'params': {'slug': '..'}}]", "no URL can hold it"),
        ("return [{'params': {'slug': None}}]", "is NoneType"),
        ("return [{'params': {'slug': 'a'}}, {'params': {'slug': 'a'}}]", "writes a/index.html twice"),
        ("return [{'params': {'slug': 'a'}}, {'params': {'slug': 'A'}}]", "are one file on many disks"),
        ("return [{'params': {'slug': 'e\\u0301'}}, {'params': {'slug': '\\u00e9'}}]", "twice"),
        (
            "return [{'params': {'slug': 'stra\\u00dfe'}}, {'params': {'slug': 'STRASSE'}}]",
            "are one file on many disks",
        ),
    ],
)
def test_a_path_that_can_not_be_one(tmp_path: Path, body: str, told: str) -> None:
    # case P5, case P7
    with pytest.raises((SiteError, SiteErrors)) as caught:
        planned(tmp_path / "site", paths(body))
    assert told in str(caught.value)
    assert str(caught.value).startswith("pages/[slug]")


@pytest.mark.parametrize(
    "files",
    [
        {"pages/About.html": "", "pages/about.html": ""},
        {"pages/a.html": "", "pages/[x].html": "", "pages/[x].py": "def paths(s): return [{'params': {'x': 'A'}}]"},
        {"pages/index.html": "", "pages/index.html.py": "prerender = True\ndef GET(context): ..."},
    ],
)
def test_two_files_that_are_one_once_built(tmp_path: Path, files: dict[str, str | bytes]) -> None:
    # case P7
    with pytest.raises(SiteError) as caught:
        planned(tmp_path / "site", files)
    assert all(file.removesuffix(".py") in str(caught.value) for file in files)


def test_paths_without_an_end_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # case D4
    monkeypatch.setattr(plan_module, "MOST_PATHS", 100)
    body = "import itertools\nfor n in itertools.count(): yield {'params': {'slug': n}}"
    with pytest.raises(SiteError, match=r"^pages/\[slug\]\.py:1: paths\(\) gave over 100 paths"):
        planned(tmp_path / "site", paths(body))


def test_the_faults_of_all_routes_are_told(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"pages/a/[x].html": "", "pages/b/[y].html": "", "pages/c.html": ""}
    with pytest.raises(SiteErrors) as caught:
        planned(tmp_path / "site", files)
    assert [str(fault.location) for fault in caught.value.faults] == ["pages/a/[x].html:1", "pages/b/[y].html:1"]


# case D4
def test_endless_paths_are_read_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "MOST_PATHS", 50)
    body = "number = 0\nwhile True:\n    number += 1\n    yield {'params': {'slug': number}}"
    with pytest.raises(SiteError, match="over 50 paths") as caught:
        planned(tmp_path / "site", paths(body))
    assert str(caught.value.location) == "pages/[slug].py:1"


@pytest.mark.parametrize("body", ["raise ValueError('no stock')", "yield 1 / 0", "yield {}\nawait None"])
def test_what_paths_raises_has_its_line(tmp_path: Path, body: str) -> None:
    with pytest.raises(SiteError) as caught:
        planned(tmp_path / "site", paths(body))
    assert caught.value.location is not None
    assert caught.value.location.file == "pages/[slug].py"
    assert caught.value.location.line >= (2 if "raise" in body or "/" in body else 1)


def test_paths_may_be_decorated(tmp_path: Path) -> None:
    files = paths("return [{'params': {'slug': 'a'}}]")
    for head in ("import functools\n\n@functools.cache\n", "import functools\n\n@functools.wraps(print)\n"):
        module = {"pages/[slug].py": head + str(files["pages/[slug].py"])}
        assert [page.url for page in planned(tmp_path / str(len(head)), {**files, **module})] == ["/a/"]


def test_the_values_are_those_that_a_server_would_read(tmp_path: Path) -> None:
    body = "return [{'params': {'rest': '/a b/'}}, {'params': {'rest': None}}, {'params': {'rest': 'e\u0301'}}]"
    pages = planned(tmp_path / "site", paths(body, "[...rest]"))
    assert [page.match.params for page in pages] == [{"rest": "a b"}, {"rest": ""}, {"rest": "\u00e9"}]
