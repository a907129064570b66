"""Actions below /_dev/: a form made from the model of each, which runs it for real and shows what it answers."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest

from tests.dev.looking import OWN, Browser, looked, words
from tests.e2e.support import write_site
from tests.inprocess import MEMORY, Answer, asked, scope_of

ACTIONS = '''
from datetime import date
from enum import Enum
from typing import Literal

from pydantic import BaseModel, Field, SecretStr
from starlette.responses import Response

from hybridsite import ActionError, UploadFile, action


class Size(Enum):
    small = "small"
    large = "large"


class Order(BaseModel):
    product: str = Field(description="What is <ordered>.", max_length=40)
    quantity: int = Field(1, ge=1, le=99)
    price: float = 1.5
    size: Size = Size.small
    kind: Literal["a", "b"] = "a"
    gift: bool = False
    tags: list[str] = []
    sizes: list[Size] = []
    day: date | None = None
    password: SecretStr = SecretStr("")
    note: str = Field("", max_length=1000)
    where: dict[str, str] = {}


class Photo(BaseModel):
    photo: UploadFile
    names: list[str] = []


@action
def order(context, form: Order):
    """Orders something.

    At once.
    """
    if form.product == "none":
        raise ActionError("conflict", "It is gone.")
    context.session["ordered"] = form.product
    return form.model_dump(mode="json", exclude={"password"})


@action
def photo(context, form: Photo):
    return {"size": form.photo.size, "names": form.names}


@action
def fail(context):
    raise ValueError("it broke")


@action
def refuse(context):
    return Response("no", 500)


@action
def leave(context):
    return context.redirect("/elsewhere/")
'''


@pytest.fixture
def site(tmp_path: Path) -> Path:
    show = "def GET(context):\n    return context.session.get('ordered', '')\n"
    return write_site(tmp_path / "site", {"site.toml": MEMORY, "actions.py": ACTIONS, "pages/show.py": show})


def told(answer: Answer, name: str) -> str:
    """Gives what the page shows of the try of an action, as text."""
    section = re.search(rf'<section class="trial" id="{name}".*?</section>', answer.text, re.DOTALL)
    assert section is not None
    found = re.search(r'role="status">(.*?)</div>', section[0], re.DOTALL)
    return unescape(re.sub(r"<[^>]*>", " ", found[1])) if found else ""


def test_the_form_has_a_field_for_each_of_the_model(site: Path) -> None:
    async def visit(browser: Browser) -> str:
        return (await browser.get("/_dev/actions/")).text

    text = looked(site, visit)

    def tag(name: str) -> str:
        found = re.search(rf'<(?:input|select|textarea)[^>]*name="{name}"[^>]*>', text)
        return found[0] if found else ""

    assert 'type="text"' in tag("product")
    assert 'maxlength="40"' in tag("product")
    assert "What is &lt;ordered&gt;." in text
    assert 'type="number"' in tag("quantity")
    assert 'value="1"' in tag("quantity")
    assert 'min="1"' in tag("quantity")
    assert 'max="99"' in tag("quantity")
    assert 'step="any"' in tag("price")
    assert 'type="date"' in tag("day")
    assert 'type="password"' in tag("password")
    assert 'type="file"' in tag("photo")
    assert tag("sizes").startswith("<select")
    assert "multiple" in tag("sizes")
    assert all(tag(name).startswith("<select") for name in ("size", "kind", "gift"))
    assert all(tag(name).startswith("<textarea") for name in ("tags", "note"))
    assert tag("where") == ""
    assert "Orders something." in text
    assert "At once." not in text
    assert f"vscode://file{site}/actions.py:36" in text
    sample = re.search(r'name="_json"[^>]*>\n(.*?)</textarea>', text, re.DOTALL)
    assert sample is not None
    values = json.loads(unescape(sample[1]))
    assert (values["product"], values["quantity"], values["sizes"], values["day"]) == ("", 1, [], None)


def test_a_form_is_sent_as_a_browser_would_and_what_it_changes_is_changed(site: Path) -> None:
    async def visit(browser: Browser) -> None:
        fields = {
            "product": "<b>tea</b>",
            "quantity": "3",
            "size": "large",
            "gift": "true",
            "tags": "one\r\n\r\ntwo\r\n",
        }
        answer = await browser.followed("/_dev/actions/?name=order", {**fields, "password": "hunter2"})
        shown = told(answer, "order")
        assert shown.strip().startswith("200")
        data = json.loads(shown[shown.index("{") :])["data"]
        assert (data["product"], data["quantity"], data["size"], data["gift"]) == ("<b>tea</b>", 3, "large", True)
        assert data["tags"] == ["one", "two"]
        assert "<b>tea" not in answer.text
        assert 'value="&lt;b&gt;tea&lt;/b&gt;"' in answer.text  # what was typed is there to be sent again
        assert "hunter2" not in answer.text
        assert (await browser.get("/show")).text == "<b>tea</b>"
        assert "yours" in (await browser.get("/_dev/sessions/")).text

    looked(site, visit)


def test_json_is_sent_as_it_is(site: Path) -> None:
    async def visit(browser: Browser) -> None:
        sent = {"product": "tea", "where": {"town": "Ulm"}}
        answer = await browser.followed("/_dev/actions/?name=order", {"_json": json.dumps(sent)})
        assert '"town": "Ulm"' in told(answer, "order")
        assert re.search(r"<details open>\s*<summary>Send JSON", answer.text)
        answer = await browser.followed("/_dev/actions/?name=order", {"_json": "{"})
        assert told(answer, "order").strip().startswith("400")

    looked(site, visit)


def test_refusals_faults_and_redirects_are_shown_and_run_once(site: Path) -> None:
    async def visit(browser: Browser) -> None:
        answer = await browser.followed("/_dev/actions/?name=order", {"quantity": "100"})
        assert "Field required" in told(answer, "order")
        assert told(answer, "order").strip().startswith("400")
        answer = await browser.followed("/_dev/actions/?name=order", {"product": "none"})
        assert "It is gone." in told(answer, "order")
        answer = await browser.followed("/_dev/actions/?name=leave", {})
        assert '"redirect": "/elsewhere/"' in told(answer, "leave")
        answer = await browser.followed("/_dev/actions/?name=fail", {})
        assert "500" in told(answer, "fail")
        number = re.search(r'/_dev/errors/\?id=(\d+)">what went wrong', answer.text)
        assert number is not None
        assert "it broke" in (await browser.get(f"/_dev/errors/?id={number[1]}")).text
        answer = await browser.followed("/_dev/actions/?name=refuse", {})
        assert told(answer, "refuse").split() == ["500", "in", *told(answer, "refuse").split()[2:4], "no"]
        assert "what went wrong" not in answer.text
        await browser.get("/_dev/actions/?try=4")
        errors = words((await browser.get("/_dev/errors/")).text)
        assert "ValueError: it broke" in errors
        assert "2×" not in errors
        assert (await browser.get("/_dev/actions/?try=99")).status == 200

    looked(site, visit)


def test_a_file_is_sent(site: Path) -> None:
    lines = [
        *("--b", 'Content-Disposition: form-data; name="photo"; filename="a.txt"', "", "hello"),
        *("--b", 'Content-Disposition: form-data; name="names"', "", "one", "--b--", ""),
    ]

    async def visit(browser: Browser) -> None:
        headers = {"origin": OWN, "content-type": "multipart/form-data; boundary=b"}
        scope = scope_of("/_dev/actions/?name=photo", "POST", headers)
        led = await asked(browser.app, scope, "\r\n".join(lines).encode())
        answer = await browser.get(led.header["location"].partition("#")[0])
        assert '"size": 5' in told(answer, "photo")
        assert '"names": [' in told(answer, "photo")

    looked(site, visit)


def test_a_form_from_elsewhere_runs_nothing(site: Path) -> None:
    # case H3
    async def visit(browser: Browser) -> None:
        for headers in ({"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "same-site"}):
            kind = {"content-type": "application/x-www-form-urlencoded", **headers}
            scope = scope_of("/_dev/actions/?name=order", "POST", kind)
            assert (await asked(browser.app, scope, b"product=tea")).status == 403
        assert "×" not in (await browser.get("/_dev/")).text

    looked(site, visit)
