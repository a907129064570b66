"""What a script is answered by an action, and what is refused before it runs."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from starlette.types import ASGIApp

from tests.acting import FILES, FORM, OWN, Browser
from tests.e2e.support import write_site
from tests.inprocess import app_of, ask


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> ASGIApp:
    return app_of(write_site(tmp_path_factory.mktemp("actions") / "site", FILES))


@pytest.fixture
def browser(app: ASGIApp) -> Browser:
    return Browser(app)


# JSON.


def test_json_in_gives_json_out(browser: Browser) -> None:
    answer = browser.ask("write", {"name": "Ann"})
    assert (answer.status, answer.header["content-type"]) == (200, "application/json")
    assert json.loads(answer.text) == {"data": {"name": "Ann", "copies": 1, "topics": [], "price": "1.50"}}
    answer = browser.ask("write", {"name": "x", "copies": 12, "topics": [1]})
    assert answer.status == 400
    assert json.loads(answer.text)["error"] == {
        "code": "invalid",
        "message": "Something is missing, or not as it should be.",
        "fields": {
            "name": ["String should have at least 2 characters"],
            "copies": ["Input should be less than or equal to 9"],
            "topics.0": ["Input should be a valid string"],
        },
    }
    answer = browser.ask("write", {"name": "taken"})
    told = {"code": "conflict", "message": "That name is taken.", "fields": {"name": ["is taken"]}}
    assert (answer.status, json.loads(answer.text)) == (409, {"error": told})
    assert json.loads(browser.ask("write", {"name": "moves"}).text) == {"data": None, "redirect": "/thanks/?for=moves"}
    assert json.loads(browser.ask("give_model", b"").text)["data"]["name"] == "Ann"
    assert "write:" not in browser.get("/letter/").text


def test_a_script_may_send_a_form_and_take_json(app: ASGIApp) -> None:
    headers = {"origin": OWN, "content-type": FORM, "accept": "application/json"}
    answer = ask(app, "/_actions/write", "POST", headers=headers, body=b"name=Ann")
    assert (answer.status, json.loads(answer.text)["data"]["name"]) == (200, "Ann")


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"[" * 1900, "application/json", "nested over 100 levels"),
        (b'{"name":' * 101 + b"1" + b"}" * 101, "application/json", "nested over 100 levels"),
        (b'{"name":"a","name":"b"}', "application/json", "a key stands twice"),
        (b'{"a":[{"b":1,"b":1}]}', "application/json", "a key stands twice"),
        (b'{"copies":NaN}', "application/json", "NaN is no JSON"),
        (b'{"copies":-Infinity}', "application/json", "-Infinity is no JSON"),
        (b"\xef\xbb\xbf{}", "application/json", "byte order mark"),
        (b"{}", "application/json; charset=utf-16", "UTF-8"),
        ('{"name":"ü"}'.encode("latin-1"), "application/json", "not UTF-8"),
        (b"{", "application/json", "no JSON"),
        (b"", "application/json", "EOF"),
        (b"[]", "application/json", "object"),
        (b'{"copies":' + b"9" * 1900 + b"}", "application/json", ""),
    ],
)
def test_json_that_can_be_read_in_two_ways_is_refused(browser: Browser, body: bytes, kind: str, reason: str) -> None:
    # case B3
    answer = browser.ask("write", body, kind)
    assert answer.status == 400
    assert reason in json.loads(answer.text)["error"]["message"]


def test_types_of_json_in_any_case_and_with_parameters(browser: Browser) -> None:
    assert browser.ask("write", {"name": "Ann"}, 'Application/JSON ; Charset="UTF-8"').status == 200


# What is refused.


@pytest.mark.parametrize(
    "name", ["nowhere", "__init__", "WRITE", "write/", "../x", "write.html", "", "count/write", "Letter"]
)
def test_the_name_is_looked_up_exactly(browser: Browser, name: str) -> None:
    # case X9, case B5
    assert browser.post(name, {"name": "Ann"}).status == 404
    assert browser.get(f"/_actions/{name}").status == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_told_which_there_is(app: ASGIApp, method: str) -> None:
    # case B5
    answer = ask(app, "/_actions/write", method, headers={"origin": OWN})
    assert (answer.status, answer.header["allow"]) == (405, "POST, OPTIONS")
    answer = ask(app, "/_actions/write", "OPTIONS")
    assert (answer.status, answer.header["allow"]) == (204, "POST, OPTIONS")


def test_a_method_is_the_one_that_was_sent(app: ASGIApp) -> None:
    # case H6
    headers = {"origin": OWN, "content-type": FORM, "x-http-method-override": "POST"}
    assert ask(app, "/_actions/write?_method=POST", headers=headers).status == 405


@pytest.mark.parametrize("kind", [FORM, "multipart/form-data; boundary=x", "text/plain", "TEXT/plain; a=b", None])
@pytest.mark.parametrize(
    "origin", ["null", "http://127.0.0.1:81", "https://127.0.0.1", "http://127.0.0.1.evil.example"]
)
def test_forms_of_other_sites_are_refused(app: ASGIApp, kind: str | None, origin: str) -> None:
    # case H3, case H4
    headers = {"origin": origin, **({"content-type": kind} if kind else {})}
    assert ask(app, "/_actions/count", "POST", headers=headers).status == 403
    answer = ask(app, "/_actions/count", "POST", headers=headers | {"accept": "application/json"})
    assert (answer.status, json.loads(answer.text)["error"]["code"]) == (403, "forbidden")


def test_what_is_neither_form_nor_json(app: ASGIApp) -> None:
    for kind in ("text/plain", "application/xml", "application/problem+json"):
        answer = ask(app, "/_actions/count", "POST", headers={"origin": OWN, "content-type": kind}, body=b"{}")
        assert answer.status == 415
    assert ask(app, "/_actions/count", "POST", headers={"origin": OWN}, body=b"{}").status == 415
    assert ask(app, "/_actions/count", "POST", headers={"origin": OWN, "referer": f"{OWN}/letter/"}).status == 303


def multipart(*parts: tuple[str, bytes]) -> bytes:
    return b"".join(f"--x\r\n{head}\r\n\r\n".encode() + body + b"\r\n" for head, body in parts) + b"--x--\r\n"


def part(name: str, file: str | None = None) -> str:
    return f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{file}"' if file is not None else "")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (urlencode({f"a{number}": 1 for number in range(11)}).encode(), FORM, 400),
        (b"&".join([b"a=1"] * 11), FORM, 400),
        (b"name=" + b"a" * 2000, FORM, 413),
        (multipart(*[(part("a"), b"")] * 11), "multipart/form-data; boundary=x", 400),
        (multipart(*[(part("a", "f"), b"1")] * 4), "multipart/form-data; boundary=x", 400),
        (multipart((part("a", "f"), b"1" * 2000)), "multipart/form-data; boundary=x", 413),
        (b"--x\r\nContent-Disposition: " + b"a" * 1900, "multipart/form-data; boundary=x", 400),
        (multipart(("Content-Type: text/plain", b"")), "multipart/form-data; boundary=x", 400),
        (multipart((part("a"), b"")), "multipart/form-data", 400),
        (multipart((part("a"), b"")), "multipart/form-data; boundary=" + "y" * 1000, 400),
        (b"no parts", "multipart/form-data; boundary=x", 400),
    ],
)
def test_more_than_a_form_may_have(app: ASGIApp, body: bytes, kind: str, status: int) -> None:
    # case B1, case B2
    headers = {"origin": OWN, "content-type": kind}
    assert ask(app, "/_actions/write", "POST", headers=headers, body=body).status == status
    answer = ask(app, "/_actions/write", "POST", headers=headers | {"accept": "application/json"}, body=body)
    assert answer.status == status
    assert json.loads(answer.text)["error"]["message"]


@pytest.mark.parametrize("charset", ["unicode_escape", "punycode", "utf-16", '"utf-7"'])
def test_a_form_in_another_charset_is_refused(app: ASGIApp, charset: str) -> None:
    # case B2
    body = multipart((part("name"), b"\\ud800"))
    headers = {"origin": OWN, "content-type": f"multipart/form-data; boundary=x; charset={charset}"}
    assert ask(app, "/_actions/write", "POST", headers=headers, body=body).status == 400
    headers["content-type"] = "multipart/form-data; charset=UTF-8; boundary=x"
    assert ask(app, "/_actions/write", "POST", headers=headers, body=body).status == 303


def test_a_compressed_body_is_refused(app: ASGIApp) -> None:
    # case B1
    headers = {"origin": OWN, "content-type": FORM, "content-encoding": "gzip"}
    assert ask(app, "/_actions/write", "POST", headers=headers, body=b"\x1f\x8b").status == 400
