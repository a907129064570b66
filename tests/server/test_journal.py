"""The journal: a line for each request that tells how it went, and nothing of its visitor's secrets."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Scope

from hybridsite.server.deployment import Deployment
from hybridsite.server.journal import Journal, JsonFormatter, Seldom
from tests.e2e.support import write_site
from tests.inprocess import MEMORY, ON_DEMAND, Answer, app_of, asked, scope_of

FILES = {
    "site.toml": MEMORY,
    "pages/index.html": "home",
    "pages/kept.html": ON_DEMAND.replace("false\n", "false\ncache: {max_age: 600}\n") + "kept",
    "pages/seen.html": ON_DEMAND + "<< session.get('count', 0) >>",
    "pages/written.py": "def GET(context):\n    context.session['word'] = 'geheim'\n    return 'x'\n",
    "pages/unused.html": ON_DEMAND + "{% if false %}<< session.get('a') >>{% endif %}",
    "pages/bad.py": "def GET(context):\n    raise RuntimeError('broken')\n",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return app_of(write_site(tmp_path_factory.mktemp("journal") / "site", FILES))


def noted(
    app: Deployment, caplog: pytest.LogCaptureFixture, *scopes: Scope, form: str = "json"
) -> tuple[list[Any], list[Answer]]:
    """Gives what is written of some requests, and their answers."""
    journal = app.journal = Journal("json" if form == "json" else "text", ("127.0.0.1",))

    async def story() -> list[Answer]:
        return [await asked(app, {"http_version": "1.1", **scope}) for scope in scopes]

    try:
        with caplog.at_level(logging.INFO, "hybridsite.access"):
            answers = asyncio.run(story())
            journal.write()
    finally:
        app.journal = None
    lines = "\n".join(record.getMessage() for record in caplog.records if record.name == "hybridsite.access")
    return ([json.loads(line) for line in lines.splitlines()] if form == "json" else lines.splitlines()), answers


def test_a_request_is_an_object_in_one_line(app: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    scope = {**scope_of("/seen/?token=geheim", headers={"Cookie": "a=geheim"}), "client": ("6.6.6.6", 1)}
    (line,), (answer,) = noted(app, caplog, scope)
    assert line.pop("ms") >= 0
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "hybridsite.access",
        "id": answer.header["x-request-id"],
        "client": "6.6.6.6",
        "method": "GET",
        "path": "/seen/",
        "status": 200,
        "size": 1,
        "session": True,
        "cache": None,
    }


def test_it_tells_who_touched_a_session_and_what_the_cache_did(
    app: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    paths = ("/", "/kept/", "/kept/", "/kept/", "/written", "/unused/", "/nowhere/")
    lines, _ = noted(app, caplog, *map(scope_of, paths))
    assert [(line["path"], line["status"], line["session"], line["cache"]) for line in lines] == [
        ("/", 200, False, None),
        ("/kept/", 200, False, "MISS"),
        ("/kept/", 200, False, "HIT"),
        ("/kept/", 200, False, "HIT"),
        ("/written", 200, True, None),
        ("/unused/", 200, False, None),
        ("/nowhere/", 404, False, None),
    ]


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_cookie_no_query_and_nothing_of_a_session_is_written(
    app: Deployment, caplog: pytest.LogCaptureFixture, form: str
) -> None:
    # case S13, case S17
    _, (first,) = noted(app, caplog, scope_of("/written"), form=form)
    cookie = first.header["set-cookie"].partition(";")[0]
    lines, _ = noted(app, caplog, scope_of("/written?q=geheim", headers={"Cookie": cookie}), form=form)
    assert lines
    assert "geheim" not in caplog.text
    assert cookie.partition("=")[2] not in caplog.text


@pytest.mark.parametrize(
    ("peer", "sent", "kept"),
    [
        ("127.0.0.1", "abc-123", True),
        ("6.6.6.6", "abc-123", False),
        ("127.0.0.1", "a b", False),
        ("127.0.0.1", "a\nb", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "x" * 200, False),
    ],
)
def test_the_name_of_a_request_is_the_proxys_or_a_new_one(
    app: Deployment, caplog: pytest.LogCaptureFixture, peer: str, sent: str, kept: bool
) -> None:
    (line,), (answer,) = noted(app, caplog, {**scope_of("/", headers={"X-Request-ID": sent}), "client": (peer, 1)})
    assert (line["id"] == sent) == kept
    assert answer.header["x-request-id"] == line["id"]
    assert kept or len(line["id"]) == 16


def test_a_fault_is_told_with_the_name_of_its_request(app: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    scope = scope_of("/bad", headers={"X-Request-ID": "abc-123"})
    (line,), (answer,) = noted(app, caplog, {**scope, "client": ("127.0.0.1", 1)})
    assert (line["status"], answer.status) == (500, 500)
    assert "pages/bad.py:2: RuntimeError: broken (request abc-123)" in caplog.messages


def test_a_line_for_people(app: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    path = '/a"b\x1b[31m'
    lines, _ = noted(app, caplog, {**scope_of("/kept/"), "path": path, "client": ("6.6.6.6", 1)}, form="text")
    assert len(lines) == 1
    assert '6.6.6.6 "GET /a\\x22b\\x1b[31m HTTP/1.1" 200 4 ' in lines[0]
    assert "\x1b" not in lines[0]


def test_all_of_the_log_is_objects(tmp_path: Path) -> None:
    record = logging.LogRecord("hybridsite", logging.ERROR, "", 1, "went %s\nwrong", ("quite",), None)
    told = json.loads(JsonFormatter().format(record))
    assert told.pop("time")
    assert told == {"level": "error", "logger": "hybridsite", "message": "went quite\nwrong"}
    try:
        raise ValueError("inside")
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    assert "ValueError: inside" in json.loads(JsonFormatter().format(record))["trace"]


def test_what_is_too_much_is_counted(
    app: Deployment, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hybridsite.server.journal._MOST", 2)
    lines, _ = noted(app, caplog, *map(scope_of, ["/"] * 5))
    assert len(lines) == 2
    assert "3 requests were left out of the log" in caplog.messages


def test_what_anybody_can_cause_is_told_once_a_minute_with_its_number() -> None:
    seldom = Seldom()

    def told(second: float, message: str, level: int = logging.WARNING) -> str | None:
        record = logging.LogRecord("uvicorn.error", level, __file__, 1, message, (), None)
        record.created = 1_800_000_000 + second
        return record.getMessage() if seldom.filter(record) else None

    assert told(0, "invalid") == "invalid"
    assert [told(second, "invalid") for second in range(1, 60)] == [None] * 59
    assert told(30, "another") == "another"
    assert told(60, "invalid") == "invalid (59 more since that was last told)"
    assert told(61, "invalid") is None
    assert [told(62, "broken", logging.ERROR) for _ in range(3)] == ["broken"] * 3  # a fault of the site's
    assert all(told(63, str(number)) for number in range(500))
    assert len(seldom._told) <= Seldom.MOST
