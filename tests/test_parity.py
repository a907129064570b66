"""One function renders: what the build wrote, what the server gives and what is rendered now are the same bytes."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path

import pytest
from starlette.types import ASGIApp

from hybridsite.build.islands import with_island_key
from hybridsite.build.plan import PlannedPage, plan
from hybridsite.dev.app import DevApp
from hybridsite.errors import Faults
from hybridsite.manifest import BuiltFile, Manifest, read_manifest
from hybridsite.rendering import render
from hybridsite.server.deployment import create_app
from hybridsite.site import BUILD, Site, load_site
from tests.e2e.support import write_files
from tests.inprocess import ENVIRON, Answer, ask, asked, built_here, request, scope_of

EXAMPLE = Path(__file__).parent.parent / "example-site"
PUBLIC = {"humans.txt": b"us", "old/a b.svg": b"<svg/>", ".well-known/security.txt": b"Contact: us"}
DEV_TAG = re.compile(rb'<script type="module" src="/_dev/client.js"[^>]*></script>')
LEFT_OUT = shutil.ignore_patterns("dist", ".hybridsite", "__pycache__", ".dist-*")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, built in this process."""
    root = tmp_path_factory.mktemp("parity") / "site"
    shutil.copytree(EXAMPLE, root, ignore=LEFT_OUT)
    write_files(root / "public", PUBLIC)
    built_here(root)
    return root


@pytest.fixture(scope="module")
def manifest(example: Path) -> Manifest:
    return read_manifest(example / "dist")


@pytest.fixture(scope="module")
def app(example: Path) -> ASGIApp:
    return create_app(example, environ=ENVIRON)


def written(example: Path, file: BuiltFile) -> bytes:
    return (example / "dist" / file.place).read_bytes()


def planned(site: Site) -> list[PlannedPage]:
    faults = Faults()
    pages = asyncio.run(plan(site, faults))
    faults.raise_any()
    return pages


def test_the_server_gives_what_was_built(example: Path, manifest: Manifest, app: ASGIApp) -> None:
    files = [file for file in manifest.files if file.file not in manifest.error_pages and not file.guard]
    assert len(files) > 20
    for file in files:
        answer = ask(app, file.url)
        assert (answer.status, answer.header["content-type"]) == (200, file.type), file.url
        assert answer.body == written(example, file), file.url
        assert answer.header["etag"] == file.etag


def test_an_error_page_is_what_was_built(example: Path, manifest: Manifest, app: ASGIApp) -> None:
    answer = ask(app, "/nowhere/")
    assert answer.body == (example / "dist/client" / manifest.errors[""][404]).read_bytes()


def test_a_page_rendered_now_is_what_was_built(example: Path, manifest: Manifest) -> None:
    site = with_island_key(load_site(example, BUILD, environ=ENVIRON), example / ".hybridsite", ENVIRON)
    files = {file.file: file for file in manifest.files}
    pages = planned(site)
    assert len(pages) > 8
    for page in pages:
        answer = asyncio.run(render(site, request(page.url), planned=page.match))
        assert answer.body == written(example, files[page.output]), page.url


async def from_dev(example: Path, urls: list[str]) -> dict[str, Answer]:
    """Asks dev for some URLs, and for those of the files that these refer to by names with hashes."""
    app = DevApp(example, ENVIRON, say=lambda line: None)
    await app.reload()
    try:
        return {url: await asked(app, scope_of(url)) for url in urls}
    finally:
        await app.close()


def test_dev_gives_what_was_built_but_for_its_own_script(example: Path, manifest: Manifest) -> None:
    errors = manifest.error_pages
    files = [file for file in manifest.files if file.file not in errors and not file.guard and not is_an_index(file)]
    assert {"sitemap.xml", "pagefind/pagefind.js", "journal/feed.xml"} <= {file.file for file in files}
    answers = asyncio.run(from_dev(example, [file.url for file in files]))
    assert len(files) > 20
    for file in files:
        answer = answers[file.url]
        assert (answer.status, answer.header["content-type"]) == (200, file.type), file.url
        assert DEV_TAG.sub(b"", answer.body) == written(example, file), file.url
        assert (DEV_TAG.search(answer.body) is not None) == file.type.startswith("text/html"), file.url


def test_dev_makes_an_index_of_the_same_pages_as_a_build(example: Path) -> None:
    url = "/pagefind/pagefind-entry.json"
    made = json.loads(asyncio.run(from_dev(example, [url]))[url].body)
    built = json.loads((example / f"dist/client{url}").read_bytes())
    counts = [{name: each["page_count"] for name, each in one["languages"].items()} for one in (made, built)]
    assert counts[0] == counts[1]
    assert sum(counts[0].values()) > 8


def is_an_index(file: BuiltFile) -> bool:
    """Tells of a file of the search index, whose bytes and names Pagefind makes in another order each time."""
    return file.file.startswith("pagefind/") and not file.file.endswith(".js")


def test_dev_gives_the_error_page_that_was_built(example: Path, manifest: Manifest) -> None:
    answer = asyncio.run(from_dev(example, ["/nowhere/"]))["/nowhere/"]
    assert answer.status == 404
    assert DEV_TAG.sub(b"", answer.body) == (example / "dist/client" / manifest.errors[""][404]).read_bytes()


def test_a_page_on_demand_is_the_same_from_dev_and_from_the_server(example: Path, app: ASGIApp) -> None:
    urls = ["/cart/", "/login/", "/ask/"]
    answers = asyncio.run(from_dev(example, urls))
    for url in urls:
        assert DEV_TAG.sub(b"", answers[url].body) == ask(app, url).body, url


def test_public_files_are_copied_as_they_are(example: Path) -> None:
    for name, body in PUBLIC.items():
        assert (example / "dist/client" / name).read_bytes() == body


def test_every_file_of_the_client_is_in_the_manifest(example: Path, manifest: Manifest) -> None:
    client = example / "dist/client"
    found = {path.relative_to(client).as_posix() for path in client.rglob("*") if path.is_file()}
    assert {file.file for file in manifest.files if not file.guard} == found
