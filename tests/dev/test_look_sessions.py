"""Sessions below /_dev/: what they hold, and changes by the same ways as a back office's."""

from __future__ import annotations

import re
import sys
from html import unescape
from pathlib import Path

import pytest

from hybridsite.sessions.outage import Budget
from tests.dev.looking import Browser, looked, rows, words
from tests.e2e.support import write_files, write_site
from tests.inprocess import MEMORY, ON_DEMAND

FILL = """
from datetime import UTC, datetime
from decimal import Decimal

def load(context):
    session = context.session
    session["cart"] = [1, Decimal("2.50"), "<script>alert(1)</script>"]
    session["api_token"] = "tok-SECRET"
    session["user"] = {"name": "Ann", "also": [({"passwords": ["hunter2", "hunter3"]},)]}
    session["<b>odd & key</b>"] = datetime(2026, 1, 2, tzinfo=UTC)
    session.set("brief", 1, ttl="1h")
    return {}
"""
SHOW = "def GET(context):\n    return repr(sorted(context.session.items()))\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    files = {
        "site.toml": MEMORY,
        "pages/fill.html": ON_DEMAND + "<p>filled</p>",
        "pages/fill.py": FILL,
        "pages/show.py": SHOW,
    }
    return write_site(tmp_path / "site", files)


async def own(browser: Browser) -> str:
    """Begins a session, and gives its handle as the list tells it."""
    await browser.get("/fill/")
    text = (await browser.get("/_dev/sessions/")).text
    found = re.search(r'<tr class="own">\s*<th scope="row"><a href="/_dev/sessions/\?id=([0-9a-f]{64})">', text)
    assert found is not None
    return found[1]


def test_the_list_marks_ones_own_and_looking_begins_none(site: Path) -> None:
    async def visit(browser: Browser) -> None:
        text = (await browser.get("/_dev/sessions/")).text
        assert "The store holds no session." in text
        assert browser.cookie == ""
        other = Browser(browser.app)
        await own(other)
        await own(browser)
        text = (await browser.get("/_dev/sessions/")).text
        assert len(rows(text)) == 2
        assert text.count("yours") == 1
        assert "tok-SECRET" not in text
        assert "&lt;b&gt;odd &amp; key&lt;/b&gt; api_token brief cart user" in words(text)
        assert "yours" in next(iter(rows(text)))

    looked(site, visit)


def test_values_are_shown_in_full_types_and_secrets_only_when_asked_for(site: Path) -> None:
    async def visit(browser: Browser) -> None:
        text = (await browser.get(f"/_dev/sessions/?id={await own(browser)}")).text
        assert "Decimal(&#39;2.50&#39;)" in text
        assert "datetime.datetime(2026, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)" in unescape(text)
        assert "<script>alert(1)" not in text
        assert "<b>odd" not in text
        folded = re.sub(r"<details.*?</details>", "", text, flags=re.DOTALL)
        assert "tok-SECRET" not in folded
        assert "hunter" not in folded
        assert "hunter3" in text
        assert "Ann" in folded
        assert text.count("Reveal</summary>") == 2
        assert "tok-SECRET" in text

    looked(site, visit)


def test_a_key_is_set_added_and_deleted_and_keeps_its_own_end(site: Path) -> None:
    async def visit(browser: Browser) -> None:
        handle = await own(browser)
        fields = {"id": handle, "do": "set"}
        told = await browser.followed("/_dev/sessions/", {**fields, "key": "cart", "value": "{'a': (1, 2)}"})
        assert "“cart” is set." in told.text
        await browser.followed("/_dev/sessions/", {**fields, "key": "new", "value": 'Decimal("3")'})
        await browser.followed("/_dev/sessions/", {**fields, "key": "brief", "value": "2"})
        told = await browser.followed("/_dev/sessions/", {"id": handle, "do": "delete", "key": "user"})
        assert "“user” is deleted." in told.text
        shown = (await browser.get("/show")).text
        assert "('cart', {'a': (1, 2)})" in shown
        assert "('new', Decimal('3'))" in shown
        assert "user" not in shown
        loaded = browser.app._loaded
        assert loaded is not None
        manager = loaded.site.sessions
        assert manager is not None
        stored = await manager.records.read(handle, Budget())
        assert stored is not None
        assert stored.contents.entries["brief"].expires is not None
        assert stored.contents.entries["cart"].expires is None

    looked(site, visit)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("cart", "woad", "no value"),
        ("cart", "__import__('os')", "none of the types"),
        ("cart", "'\\ud800'", "takes no such value"),
        ("", "1", "has no name"),
    ],
)
def test_what_cant_be_stored_is_told_with_what_was_typed_and_changes_nothing(
    site: Path, key: str, value: str, reason: str
) -> None:
    async def visit(browser: Browser) -> None:
        handle = await own(browser)
        before = (await browser.get("/show")).text
        answer = await browser.post("/_dev/sessions/", {"id": handle, "do": "set", "key": key, "value": value})
        assert answer.status == 422
        assert reason in answer.text
        assert value in unescape(answer.text)
        assert (await browser.get("/show")).text == before

    looked(site, visit)


def test_a_destroyed_session_is_gone_and_an_unknown_one_is_404(site: Path) -> None:
    async def visit(browser: Browser) -> None:
        handle = await own(browser)
        told = await browser.followed("/_dev/sessions/", {"id": handle, "do": "destroy"})
        assert "The session is destroyed." in told.text
        assert (await browser.get("/show")).text == "[]"
        assert (await browser.get(f"/_dev/sessions/?id={handle}")).status == 404
        for do in ("set", "delete", "destroy"):
            answer = await browser.post("/_dev/sessions/", {"id": handle, "do": do, "key": "a", "value": "1"})
            assert answer.status == 404
        assert (await browser.get("/_dev/sessions/?id=<b>")).status == 404

    looked(site, visit)


def test_what_is_said_of_a_change_is_escaped_and_of_a_known_one(site: Path) -> None:
    async def visit(browser: Browser) -> None:
        text = (await browser.get("/_dev/sessions/?done=set&key=%3Cb%3E{}")).text
        assert "“&lt;b&gt;{}” is set." in text
        assert 'role="status"' not in (await browser.get("/_dev/sessions/?done=hello")).text

    looked(site, visit)


def test_a_site_without_sessions_says_so(site: Path) -> None:
    write_files(
        site, {"site.toml": "[session]\ndriver = false\n", "pages/fill.py": "def load(context):\n    return {}\n"}
    )

    async def visit(browser: Browser) -> None:
        answer = await browser.get("/_dev/sessions/")
        assert answer.status == 200
        assert "The site has no sessions" in answer.text
        assert (await browser.post("/_dev/sessions/", {"do": "destroy", "id": "x"})).status == 200

    looked(site, visit)


def test_a_store_that_does_not_answer_or_cant_list_is_told_and_ones_own_is_there(site: Path) -> None:
    store = """
        from hybridsite.errors import DriverError
        from hybridsite.sessions.memory import MemoryStore

        class Store(MemoryStore):
            fails = False

            async def read(self, key):
                if Store.fails:
                    raise OSError("the disk is gone")
                return await super().read(key)

            async def scan(self):
                raise DriverError("the store can't list what it holds")
                yield
    """
    write_files(site, {"site.toml": '[session]\ndriver = "mystore:Store"\n', "mystore.py": store})

    async def visit(browser: Browser) -> None:
        await browser.get("/fill/")
        answer = await browser.get("/_dev/sessions/")
        assert answer.status == 503
        assert "can&#39;t list what it holds" in answer.text
        link = re.search(r'href="([^"]+)">Your own session', answer.text)
        assert link is not None
        assert "api_token" in (await browser.get(link[1])).text
        sys.modules["mystore"].Store.fails = True
        answer = await browser.get(link[1])
        assert answer.status == 503
        assert "The session store does not answer. the disk is gone" in answer.text
        answer = await browser.post("/_dev/sessions/", {"id": link[1].partition("=")[2], "do": "destroy"})
        assert answer.status == 503

    try:
        looked(site, visit)
    finally:
        sys.modules.pop("mystore", None)
