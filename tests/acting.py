"""What the tests of actions stand on: a site with some, and a browser that posts to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.types import ASGIApp

from tests.inprocess import MEMORY, ON_DEMAND, Answer, ask

OWN = "http://127.0.0.1"
FORM = "application/x-www-form-urlencoded"
CODE = """
from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field, SecretStr, model_validator
from starlette.exceptions import HTTPException

from hybridsite import ActionError, NotFound, action

if TYPE_CHECKING:
    from hybridsite.context import Context


class Letter(BaseModel):
    name: str = Field(min_length=2)
    copies: int = Field(1, ge=1, le=9)
    topics: list[str] = []
    password: SecretStr | None = None

    @model_validator(mode="after")
    def _together(self) -> Letter:
        if self.name == "nobody" and self.copies > 1:
            raise ValueError("Nobody takes one copy.")
        return self


ran = []


@action
async def write(context: Context, form: Letter):
    ran.append(form.name)
    context.session and context.session.set("wrote", form.name)
    if form.name == "taken":
        raise ActionError("conflict", "That name is taken.", fields={"name": "is taken"})
    if form.name == "teapot":
        raise HTTPException(418, "short and stout")
    if form.name == "missing":
        raise NotFound
    if form.name == "boom":
        raise RuntimeError("the card 4242 was refused")
    if form.name == "moves":
        return context.redirect("/thanks/?for=" + form.name)
    if form.name == "leaves":
        return context.redirect("https://pay.example/")
    if form.name == "odd":
        return {"odd": object()}
    return {"name": form.name, "copies": form.copies, "topics": form.topics, "price": Decimal("1.50")}


@action
def count(context):
    assert threading.current_thread() is not threading.main_thread()
    return len(ran)


@action
def sign_out(context):
    context.session.destroy()


@action
def give_model(context):
    return Letter(name="Ann")


@action
def name_of_it(context):
    return context.action, context.action_result, context.route
"""
PAGE = """
{% if action_result %}<< action_result.name >>:<< action_result.ok >>:<< action_result.error >>:\
{% if action_result.error %}<< action_result.error.code >>{% endif %}
<< action_result.data >>{% endif %}
<input value="<< action_result.values.name >>">
{% for message in action_result.fields.name %}<b><< message >></b>{% endfor %}
{% if "a" in action_result.values.topics %}topic a{% endif %}
values << action_result.values >>
"""
FILES = {
    "site.toml": MEMORY + "[security]\nmax_body = 2000\nmax_fields = 10\nmax_parts = 3\n",
    "actions.py": CODE,
    "pages/letter.html": ON_DEMAND + "<form action=\"<< action('write') >>\">" + PAGE,
    "pages/thanks.html": ON_DEMAND + PAGE,
    "pages/other.html": ON_DEMAND + "other " + PAGE,
    "pages/untaken.html": ON_DEMAND + "{% if false %}<< action_result >>{% endif %}",
    "pages/seen.py": "def GET(context):\n    result = context.action_result\n    return repr(result and result.data)",
    "pages/wrote.py": "def GET(context):\n    return str(context.session.get('wrote'))",
    "pages/[...rest].html": ON_DEMAND + "rest",
}


class Browser:
    """Keeps the cookie, as a browser would."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.cookie = ""

    def _kept(self, answer: Answer) -> Answer:
        if "set-cookie" in answer.header:
            self.cookie = answer.header["set-cookie"].partition(";")[0]
        return answer

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        return {**({"cookie": self.cookie} if self.cookie else {}), **more}

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._kept(ask(self.app, path, method, headers=self._headers(names)))

    def post(self, name: str, body: Mapping[str, object] | bytes, sender: str | None = f"{OWN}/letter/") -> Answer:
        data = body if isinstance(body, bytes) else urlencode(body, doseq=True).encode()
        headers = {"origin": OWN, "content-type": FORM, **({"referer": sender} if sender else {})}
        return self._kept(ask(self.app, f"/_actions/{name}", "POST", headers=self._headers(headers), body=data))

    def ask(self, name: str, body: object, kind: str = "application/json") -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._kept(
            ask(self.app, f"/_actions/{name}", "POST", headers=self._headers({"content-type": kind}), body=data)
        )
