"""`hybridsite build`: what it writes, what it tells, and what it leaves alone when it can't."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from hybridsite.manifest import etag, read_manifest
from tests.e2e.support import (
    COMMAND,
    SECRET,
    Hybridsite,
    MakeSite,
    Server,
    built,
    bytes_below,
    environment,
    page,
    tree,
    wait_until,
    write_files,
)

SHOP = {
    "layouts/base.html": """
        <!doctype html><title><< page.title >></title>{% block main %}{% endblock %}{% include "components/foot.html" %}
        """,
    "layouts/text.html": '{% extends "layouts/base.html" %}{% block main %}<< content >>{% endblock %}',
    "components/foot.html": "<footer>Open since << data.shop.since >></footer>",
    "data/shop.toml": "since = 1998",
    "data/products.json": '[{"slug": "tea", "name": "Tea"}, {"slug": "cup", "name": "Cup"}]',
    "pages/index.html": """
        ---
        title: Home
        ---
        {% extends "layouts/base.html" %}
        {% block main %}<h1>Welcome</h1>{% endblock %}
        """,
    "pages/about.md": """
        ---
        title: About
        layout: layouts/text.html
        ---
        We sell *tea*.
        """,
    "pages/shop/[slug].html": "<h1><< props.name >></h1><p><< params.slug >></p>",
    "pages/shop/[slug].py": """
        def paths(site):
            return [{"params": {"slug": slug}, "props": {"name": slug.title()}} for slug in ("tea", "cup")]
        """,
    "pages/cart.html": """
        ---
        title: Cart
        prerender: false
        ---
        {% extends "layouts/base.html" %}
        {% block main %}<p>Cart: << session.get('cart') | default([], true) | join(', ') >></p>{% endblock %}
        """,
    "pages/cart.py": """
        def POST(context):
            context.session.update("cart", lambda cart: cart + ["tea"], [])
            return context.redirect("/cart/", 303)
        """,
    "pages/clock.html": "---\nprerender: false\n---\nNow: << data.shop.since >>",
    "pages/api/stock.py": "def GET(context):\n    return {'tea': 3}",
    "pages/404.html": "<h1>Nothing here</h1>",
    "pages/robots.txt": "User-agent: *",
    "public/css/site.css": "body { color: teal }",
}


def waiting(marker: Path, go: Path | None) -> Mapping[str, str]:
    """A page whose build tells that it has begun, and goes on when it may (never, without `go`)."""
    return {
        "pages/slow.html": "<< answer >>",
        "pages/slow.py": f"""
            import time
            from pathlib import Path

            def load(context):
                Path({str(marker)!r}).touch()
                while not ({str(go)!r} != "None" and Path({str(go)!r}).exists()):
                    time.sleep(0.01)
                return {{"answer": 42}}
            """,
    }


def begin_build(site: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [*COMMAND, "build", str(site)],
            env=environment({"PYTHONUNBUFFERED": "1"}),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def row(output: str, *words: str) -> str:
    """Gives the one line of the table that has all the words."""
    rows = [
        line for line in output.splitlines() if all(re.search(rf"(?<!\S){re.escape(w)}(?!\S)", line) for w in words)
    ]
    assert len(rows) == 1, (words, output)
    return rows[0]


@pytest.fixture(scope="module")
def shop(make_site: MakeSite) -> tuple[Path, subprocess.CompletedProcess[str]]:
    site = make_site(SHOP)
    return site, built(site)


def test_the_table_tells_kind_reason_source_size_and_time(shop: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    output = shop[1].stdout
    home = row(output, "/", "pages/index.html")
    assert "prerendered" in home
    assert re.search(r"\d ?(B|kB|KB|KiB|bytes)\b", home)
    assert re.search(r"\d ?(s|ms|µs)\b", home)
    assert "prerendered" in row(output, "/about/", "pages/about.md")
    cart = row(output, "/cart/", "pages/cart.html")
    assert re.search(r"on[ -]demand", cart)
    assert "uses session" in cart
    clock = row(output, "/clock/", "pages/clock.html")
    assert re.search(r"on[ -]demand", clock)
    assert "uses session" not in clock
    assert re.search(r"on[ -]demand", row(output, "/api/stock", "pages/api/stock.py"))


def test_a_site_without_faults_prints_no_error(shop: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    assert shop[1].stderr == ""


def test_the_files_for_a_static_host(shop: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    client = shop[0] / "dist" / "client"
    assert {str(path.relative_to(client)) for path in client.rglob("*") if path.is_file()} == {
        "index.html",
        "about/index.html",
        "shop/tea/index.html",
        "shop/cup/index.html",
        "404.html",
        "robots.txt",
        "css/site.css",
    }  # and none for what is rendered on demand
    assert "<title>Home</title>" in page(shop[0], "index.html")
    assert "<h1>Welcome</h1>" in page(shop[0], "index.html")
    assert "<footer>Open since 1998</footer>" in page(shop[0], "index.html")
    assert "<p>We sell <em>tea</em>.</p>" in page(shop[0], "about/index.html")
    assert page(shop[0], "shop/cup/index.html").strip() == "<h1>Cup</h1><p>cup</p>"
    assert page(shop[0], "css/site.css") == "body { color: teal }"


def test_the_manifest_is_json(shop: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    manifest = json.loads((shop[0] / "dist" / "server" / "manifest.json").read_text("utf-8"))
    assert isinstance(manifest, dict)


def test_dist_alone_is_served_elsewhere_when_the_sources_are_gone(make_site: MakeSite, tmp_path: Path) -> None:
    site = make_site(SHOP)
    built(site)
    moved = (site / "dist").rename(tmp_path / "elsewhere")
    shutil.rmtree(site)
    with Server(moved) as server:
        client = server.client()
        assert "<h1>Welcome</h1>" in client.get("/").text
        assert client.get("/css/site.css").text == "body { color: teal }"
        assert client.get("/clock/").text.strip() == "Now: 1998"
        assert client.get("/api/stock").json() == {"tea": 3}
        assert client.get("/nowhere/").status_code == 404
        assert "<h1>Nothing here</h1>" in client.get("/nowhere/").text
        assert client.post("/cart/").status_code == 303
        assert "<p>Cart: tea</p>" in client.get("/cart/").text
        assert (tmp_path / ".hybridsite").is_dir()  # what it keeps lies beside dist/


def test_a_failing_build_leaves_the_old_one(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site(SHOP)
    built(site)
    before = tree(site / "dist")
    write_files(site, {"pages/index.html": "<p>new</p>", "pages/about.html": "<< nobody >>"})
    (site / "pages/about.md").unlink()
    assert hybridsite("build", site).returncode == 1
    assert tree(site / "dist") == before
    assert [path.name for path in site.iterdir() if path.name.startswith("dist")] == ["dist"]


def test_a_killed_build_leaves_the_old_one_and_no_lock(make_site: MakeSite, tmp_path: Path) -> None:
    # case D1, case D2
    site = make_site(SHOP)
    built(site)
    before = tree(site / "dist")
    write_files(site, {"pages/index.html": "<p>new</p>", **waiting(tmp_path / "begun", None)})
    build = begin_build(site, tmp_path / "log")
    wait_until((tmp_path / "begun").exists, "the build to begin")
    os.killpg(build.pid, signal.SIGKILL)
    build.wait(30)
    assert tree(site / "dist") == before
    (site / "pages/slow.py").unlink()
    (site / "pages/slow.html").unlink()
    built(site)
    assert page(site, "index.html").strip() == "<p>new</p>"


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_build_killed_at_any_moment_leaves_a_whole_dist(make_site: MakeSite, tmp_path: Path) -> None:
    # case D1
    def files(version: int) -> Mapping[str, str]:
        return {f"pages/p{n}.html": f"<p>{version}</p>" for n in range(150)}

    site = make_site(files(0))
    began = time.monotonic()
    built(site)
    lasts = time.monotonic() - began
    dice = random.Random(7)
    versions, killed = {0}, 0
    for version in range(1, 51):
        write_files(site, files(version))
        build = begin_build(site, tmp_path / "log")
        try:
            build.wait(dice.uniform(0, lasts * 1.2))
        except subprocess.TimeoutExpired:
            os.killpg(build.pid, signal.SIGKILL)
            build.wait(30)
            killed += 1
        now = {page(site, f"p{n}/index.html").strip() for n in range(150)}
        assert len(now) == 1, now
        assert len(tree(site / "dist/client")) == 150
        manifest = read_manifest(site / "dist")
        assert all(file.etag == etag((site / "dist/client" / file.file).read_bytes()) for file in manifest.files)
        versions.add(int(now.pop()[3:-4]))
    assert killed > 10
    assert len(versions) > 3  # some were killed before the exchange, some after it
    built(site)
    assert page(site, "p149/index.html").strip() == "<p>50</p>"
    assert [path.name for path in site.iterdir() if path.name.startswith(".dist")] == []


@pytest.mark.parametrize("existed", [True, False])
def test_a_write_that_the_system_refuses_is_told_and_leaves_the_old_one(make_site: MakeSite, existed: bool) -> None:
    # case D1: a limit on the size of files stands for a full disk, and is as real
    site = make_site({"pages/index.html": "home", "public/large.bin": b"x" * 300_000})
    if existed:
        built(site)
    before = tree(site)
    write_files(site, {"public/large.bin": b"y" * 300_000})
    done = subprocess.run(
        ["prlimit", "--fsize=100000", *COMMAND, "build", str(site)],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1
    assert "the built site can't be written; File too large; dist/ is as it was" in done.stderr
    assert "Traceback" not in done.stderr
    after = tree(site)
    assert {name: value for name, value in after.items() if name.startswith("dist/")} == {
        name: value for name, value in before.items() if name.startswith("dist/")
    }


def test_a_source_that_vanishes_amid_the_build_is_told_and_leaves_the_old_one(
    make_site: MakeSite, hybridsite: Hybridsite
) -> None:
    # case D1
    site = make_site({"pages/index.html": "home", "pages/other.html": "other", "data/note.toml": "a = 1"})
    built(site)
    before = tree(site / "dist")
    gone = "from pathlib import Path\ndef load(context):\n    Path(context.site.root, 'data/note.toml').unlink()\n"
    write_files(site, {"pages/index.py": gone})
    done = hybridsite("build", site)
    assert (done.returncode, tree(site / "dist")) == (1, before)
    assert "data/note.toml: the file can't be read; No such file or directory" in done.stderr


def test_a_second_build_waits_and_says_so(make_site: MakeSite, tmp_path: Path) -> None:
    # case D2
    site = make_site({"pages/index.html": "home", **waiting(tmp_path / "begun", tmp_path / "go")})
    first = begin_build(site, tmp_path / "first")
    wait_until((tmp_path / "begun").exists, "the first build to begin")
    second = begin_build(site, tmp_path / "second")
    wait_until(lambda: "wait" in (tmp_path / "second").read_text(), "the second build to say that it waits")
    assert first.poll() is None
    assert second.poll() is None
    (tmp_path / "go").touch()
    assert first.wait(30) == 0
    assert second.wait(30) == 0
    assert page(site, "slow/index.html").strip() == "42"


def test_drafts_are_built_when_asked_for(make_site: MakeSite) -> None:
    site = make_site({"pages/index.html": "home", "pages/plan.html": "---\ndraft: true\n---\nsecret plan"})
    built(site)
    assert not (site / "dist/client/plan").exists()
    assert b"secret plan" not in bytes_below(site / "dist")
    built(site, "--drafts")
    assert page(site, "plan/index.html").strip() == "secret plan"
    built(site)
    assert not (site / "dist/client/plan").exists()


def test_what_was_removed_is_gone_from_dist(make_site: MakeSite) -> None:
    site = make_site({"pages/index.html": "home", "pages/old.html": "old", "public/old.txt": "old"})
    built(site)
    assert page(site, "old.txt") == "old"
    (site / "pages/old.html").unlink()
    (site / "public/old.txt").unlink()
    built(site)
    assert sorted(tree(site / "dist/client")) == ["index.html"]


def test_the_same_bytes_everywhere(make_site: MakeSite, tmp_path: Path) -> None:
    # case D6
    one, two = make_site(SHOP), make_site(dict(reversed(SHOP.items())))
    built(one, env={"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "1", "LC_ALL": "C"})
    built(two, env={"TZ": "America/Lima", "PYTHONHASHSEED": "2"})
    assert tree(one / "dist/client") == tree(two / "dist/client")


def test_no_secret_comes_into_dist_or_the_output(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    # case D5
    site = make_site({**SHOP, "site.toml": '[session]\noptions = { path = "env:SHOP_DATABASE" }'})
    env = {"HYBRIDSITE_SECRET": SECRET, "SHOP_DATABASE": "/nowhere/hunter2.db", "PAYMENT_KEY": "sk-live-hunter2"}
    done = hybridsite("build", site, env=env)
    assert done.returncode == 0, done.stderr
    for text in (done.stdout.encode(), done.stderr.encode(), bytes_below(site / "dist")):
        assert SECRET.encode() not in text
        assert b"hunter2" not in text


def test_a_secret_made_by_the_server_stays_out_of_dist(make_site: MakeSite) -> None:
    # case D5
    site = make_site(SHOP)
    with Server(site) as server:
        assert server.client().post("/cart/").status_code == 303
        secrets = [path.read_bytes().strip() for path in (site / ".hybridsite").rglob("*secret*") if path.is_file()]
        assert secrets
        built(site)
        for secret in secrets:
            assert len(secret) >= 32
            assert secret not in bytes_below(site / "dist")
            assert secret not in server.log().encode()
