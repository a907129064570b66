"""What a build would write, made when it is asked for: islands, style sheets and pictures, also after a reload."""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path

from PIL import Image

from hybridsite.dev.app import DevApp
from tests.e2e.support import write_files, write_site
from tests.inprocess import ENVIRON, MEMORY, asked, scope_of

PAGE = "<!doctype html><html><head></head><body>{}</body></html>\n"


def dev_of(root: Path) -> DevApp:
    return DevApp(root, ENVIRON, say=lambda line: None, wrong=lambda line: None)


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(out, "PNG")
    return out.getvalue()


def test_an_island_of_a_shared_page_is_fetched_before_and_after_a_reload(tmp_path: Path) -> None:
    page = PAGE.format('{% island "components/badge.html", number=3 %}none{% endisland %}')
    files = {"site.toml": MEMORY, "pages/index.html": page, "components/badge.html": "<b><< number >></b>"}
    root = write_site(tmp_path / "site", files)

    async def run() -> None:
        app = dev_of(root)
        await app.reload()
        shown = (await asked(app, scope_of("/"))).text
        found = re.search(r'<slot name="([^"]+)" data-island', shown)
        assert found is not None
        target = f"/_islands/{found[1]}.json"
        assert (await asked(app, scope_of(target))).text == f'{{"{found[1]}":"<b>3</b>"}}'
        write_files(root, {"components/badge.html": "<i><< number >></i>"})
        await app.reload(["components/badge.html"])
        assert (await asked(app, scope_of(target))).text == f'{{"{found[1]}":"<i>3</i>"}}'
        script = re.search(r'src="(/_islands/client[^"]+)"', shown)
        assert script is not None
        assert (await asked(app, scope_of(script[1]))).status == 200
        await app.close()

    asyncio.run(run())


def test_an_old_style_sheet_is_answered_by_the_new_one_and_kept_by_nobody(tmp_path: Path) -> None:
    page = PAGE.format('<< asset("a/site.css") >>')
    root = write_site(tmp_path / "site", {"pages/index.html": page, "assets/a/site.css": "p { color: red }"})

    async def run() -> None:
        app = dev_of(root)
        await app.reload()
        found = re.search(r"/assets/a/site\.[0-9a-f]{16}\.css", (await asked(app, scope_of("/"))).text)
        assert found is not None
        fresh = await asked(app, scope_of(found[0]))
        assert "immutable" in fresh.header["cache-control"]
        write_files(root, {"assets/a/site.css": "p { color: #00f }"})
        await app.reload(["assets/a/site.css"])
        stale = await asked(app, scope_of(found[0]))
        assert stale.text != fresh.text
        assert stale.header["cache-control"] == "no-store"
        assert (await asked(app, scope_of("/assets/a/none.0123456789abcdef.css"))).status == 404
        await app.close()

    asyncio.run(run())


def test_a_picture_is_encoded_when_it_is_asked_for_also_by_who_has_the_page_already(tmp_path: Path) -> None:
    page = PAGE.format('<< image("dot.png", widths=[20], alt="dot") >>')
    root = write_site(tmp_path / "site", {"pages/index.html": page, "assets/dot.png": picture()})

    async def run() -> None:
        app = dev_of(root)
        await app.reload()
        text = (await asked(app, scope_of("/"))).text
        urls = re.findall(r"/assets/dot\.20\.[0-9a-f]{16}\.(?:avif|webp|png|jpeg)", text)
        assert len(urls) >= 2
        await app.reload(["pages/index.html"])
        for url in urls:
            answer = await asked(app, scope_of(url))
            assert answer.status == 200, answer.text
            assert answer.header["content-type"].startswith("image/")
            with Image.open(io.BytesIO(answer.body)) as opened:
                assert opened.size == (20, 10)
        wide = re.sub(r"\.20\.", ".9999.", urls[0])
        assert (await asked(app, scope_of(wide))).status in (404, 500)
        await app.close()

    asyncio.run(run())


def test_a_file_of_public_has_ranges(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", {"pages/index.html": "a", "public/film.mp4": b"0123456789"})

    async def run() -> None:
        app = dev_of(root)
        await app.reload()
        answer = await asked(app, scope_of("/film.mp4", headers={"range": "bytes=2-4"}))
        assert (answer.status, answer.body) == (206, b"234")
        assert (await asked(app, scope_of("/../site.toml"))).status in (400, 404)
        await app.close()

    asyncio.run(run())
