"""Actions in a real server: forms, JSON, files, limits, and the outcome that is shown once."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.acting import CODE, FILES
from tests.e2e.support import MakeSite, Serve, Server, is_private, session_cookie, wait_until
from tests.inprocess import ON_DEMAND

UPLOADS = """

import resource
from hybridsite import UploadFile


class Picture(BaseModel):
    title: str
    files: list[UploadFile]
    cover: UploadFile | None = None


@action
async def send_pictures(context, form: Picture):
    return {"title": form.title, "files": [(one.filename, len(await one.read())) for one in form.files]}


@action
def memory(context):
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
"""
SITE = FILES | {
    "site.toml": "",
    "actions.py": CODE + UPLOADS,
    "pages/pictures.html": ON_DEMAND + "[<< action_result.data >>]",
}
ASKS = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def server(make_site: MakeSite) -> Iterator[Server]:
    with Server(make_site(SITE)) as server:
        yield server


@pytest.fixture
def client(server: Server) -> httpx.Client:
    client = server.client()
    client.headers["Referer"] = f"{server.url}/letter/"
    return client


def test_a_form_its_redirect_and_its_outcome(client: httpx.Client) -> None:
    form = client.get("/letter/")
    assert 'action="/_actions/write"' in form.text
    assert session_cookie(form) is None
    answer = client.post("/_actions/write", data={"name": "x", "password": "hunter2"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/letter/")
    assert is_private(answer)
    assert session_cookie(answer) is not None
    page = client.get("/letter/")
    assert is_private(page)
    assert "<b>String should have at least 2 characters</b>" in page.text
    assert 'value="x"' in page.text
    assert "hunter2" not in page.text
    assert "<b>" not in client.get("/letter/").text  # a reload posts nothing, and shows nothing twice
    answer = client.post("/_actions/write", data={"name": "Ann", "topics": ["a", "b"]})
    assert answer.status_code == 303
    client.head("/letter/")
    client.get("/letter/", headers={"Sec-Purpose": "prefetch"})
    client.get("/thanks/")
    assert "write:True" in client.get("/letter/").text
    assert "write:" not in client.get("/letter/").text


def test_an_outcome_outlives_the_server(make_site: MakeSite) -> None:
    with Server(make_site(SITE)) as server:
        client = server.client()
        client.post("/_actions/write", data={"name": "Ann"}, headers={"Referer": f"{server.url}/letter/"})
        server.restart()
        assert "write:True" in client.get("/letter/").text


def test_json(client: httpx.Client) -> None:
    answer = client.post("/_actions/write", json={"name": "Ann", "copies": 2})
    assert (answer.status_code, answer.json()["data"]["copies"]) == (200, 2)
    assert is_private(answer)
    answer = client.post("/_actions/write", json={"name": "Ann", "copies": 99})
    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, ["copies"])
    assert client.get("/wrote").text == "Ann"
    answer = client.post("/_actions/write", json={"name": "boom"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "4242" not in answer.text
    assert client.get("/wrote").text == "Ann"


def test_json_of_a_server_needs_no_origin_and_another_sites_form_is_refused(server: Server) -> None:
    # case H3, case H4
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        assert client.post("/_actions/write", json={"name": "Ann"}).status_code == 200
        for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", None):
            headers = {"Origin": "https://evil.example", **({"Content-Type": kind} if kind else {})}
            assert client.post("/_actions/write", content=b"name=Ann", headers=headers).status_code == 403
            headers["Origin"] = "null"
            assert client.post("/_actions/write", content=b"name=Ann", headers=headers).status_code == 403


def test_files(client: httpx.Client) -> None:
    files = [("files", ("ü.txt", b"abc")), ("files", ("big", b"x" * 400_000)), ("cover", ("", b""))]
    answer = client.post("/_actions/send_pictures", data={"title": "Two"}, files=files, headers=ASKS)
    assert answer.json() == {"data": {"title": "Two", "files": [["ü.txt", 3], ["big", 400_000]]}}
    headers = {"Referer": str(client.base_url.join("/pictures/"))}
    client.post("/_actions/send_pictures", data={"title": "Two"}, files=files[:1], headers=headers)
    assert "&#39;ü.txt&#39;, 3" in client.get("/pictures/").text
    answer = client.post("/_actions/send_pictures", data={"title": "None"}, files=[("files", ("", b""))], headers=ASKS)
    assert answer.json() == {"data": {"title": "None", "files": []}}


def test_too_much_is_refused_and_memory_stays(client: httpx.Client) -> None:
    # case B1, case B2
    def pieces() -> Iterator[bytes]:
        yield b"name="
        for _ in range(32):
            yield b"a" * 65_536

    form = {"Content-Type": "application/x-www-form-urlencoded", **ASKS}
    parts = {"Content-Type": "multipart/form-data; boundary=x", **ASKS}
    part = b'--x\r\nContent-Disposition: form-data; name="a"'
    before = client.post("/_actions/memory", headers=ASKS).json()["data"]
    for _ in range(20):
        assert client.post("/_actions/write", content=b"name=" + b"a" * 2**21, headers=form).status_code == 413
        assert client.post("/_actions/write", content=b"&".join([b"a=1"] * 10_000), headers=form).status_code == 400
        assert (
            client.post("/_actions/write", content=(part + b"\r\n\r\n1\r\n") * 10_000, headers=parts).status_code == 400
        )
        files = (part + b'; filename="f"\r\n\r\n1\r\n') * 10_000
        assert client.post("/_actions/write", content=files, headers=parts).status_code == 400
        endless = b"--x\r\nX: " + b"a" * 900_000
        assert client.post("/_actions/write", content=endless, headers=parts).status_code == 400
        deep = client.post("/_actions/write", content=b"[" * 100_000, headers={"Content-Type": "application/json"})
        assert (deep.status_code, deep.json()["error"]["message"]) == (400, "the JSON is nested over 100 levels deep")
    after = client.post("/_actions/memory", headers=ASKS).json()["data"]
    assert after - before < 40_000  # KiB; what was sent is over 100 MB
    with httpx.Client(base_url=client.base_url, trust_env=False) as other:
        headers = {**form, "Origin": str(client.base_url).rstrip("/")}
        assert other.post("/_actions/write", content=pieces(), headers=headers).status_code == 413


def test_what_there_is_not(client: httpx.Client, server: Server) -> None:
    # case B5, case X9
    for name in ("nowhere", "__init__", "write/", "%77rite/x"):
        assert client.post(f"/_actions/{name}", data={"name": "Ann"}).status_code == 404
    assert client.get("/_actions/write").status_code == 405
    assert client.get("/_actions/write").headers["allow"] == "POST, OPTIONS"
    answer = server.raw("/_actions/write", "X-HTTP-Method-Override: POST")  # case H6
    assert answer.status == 405


def test_who_goes_away_amid_a_form_leaves_nothing(server: Server, client: httpx.Client) -> None:
    # case C8
    ran = client.post("/_actions/count", headers=ASKS).json()["data"]
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        head = f"POST /_actions/write HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nOrigin: {server.url}\r\n"
        head += "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nname=Ann"
        connection.sendall(head.encode())
    wait_until(lambda: client.get("/wrote").status_code == 200, "the next answer")
    assert client.post("/_actions/count", headers=ASKS).json()["data"] == ran


def test_below_a_base_and_without_sessions(make_site: MakeSite, serve: Serve) -> None:
    toml = '[site]\nbase = "/app"\n[session]\ndriver = false\n'
    server = serve(make_site(SITE | {"site.toml": toml}))
    client = server.client()
    assert 'action="/app/_actions/write"' in client.get("/app/letter/").text
    headers = {"Referer": f"{server.url}/app/letter/"}
    answer = client.post("/app/_actions/write", data={"name": "x"}, headers=headers)
    assert (answer.status_code, 'value="x"' in answer.text) == (400, True)
    answer = client.post("/app/_actions/write", data={"name": "Ann"}, headers=headers)
    assert (answer.status_code, "write:True" in answer.text) == (200, True)
    assert session_cookie(answer) is None
    assert client.post("/_actions/write", json={"name": "Ann"}).status_code == 404
    answer = client.post(
        "/app/_actions/write", content=json.dumps({"name": "Ann"}), headers={"Content-Type": "application/json"}
    )
    assert answer.json()["data"]["name"] == "Ann"
    assert "letter.html:" not in server.log()
