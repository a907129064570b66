"""The example shop, as a visitor with a browser and no JavaScript walks through it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

import pytest

from tests.e2e.support import COOKIE, Hybridsite, Server, built, is_private, post_at_once, session_cookie, tree

EXAMPLE = Path(__file__).parents[2] / "example-site"
VOID = {"input", "img", "br", "hr", "meta", "link", "source", "wbr", "area", "base", "col", "embed", "track"}


@dataclass
class Form:
    """A form of a page: where it goes, its fields with their values, and its buttons."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Page(HTMLParser):
    """What a visitor finds on a page: text, links, forms; tags that don't match are a failure."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append(tag)
        if tag in ("a", "link", "img", "script"):
            self.links += [given[name] for name in ("href", "src") if name in given]
        elif tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif tag == "button" and "form" in self._open:
            self.forms[-1].buttons.append((given.get("name", ""), given.get("value", "")))
        elif tag in ("input", "textarea", "select") and "name" in given and "form" in self._open:
            self.forms[-1].fields[given["name"]] = given.get("value", "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert tag in VOID or self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


class Visitor:
    """A browser without JavaScript: it follows redirects after a form, and keeps its cookies."""

    def __init__(self, server: Server) -> None:
        self.client = server.client()
        self.path = "/"
        self.page = Page("")

    def open(self, path: str, status: int = 200) -> Page:
        answer = self.client.get(path)
        for _ in range(5):
            if not answer.is_redirect:
                break
            path = urljoin(path, answer.headers["location"])
            answer = self.client.get(path)
        assert answer.status_code == status, (path, answer.status_code)
        self.path, self.page = path, Page(answer.text)
        return self.page

    def submit(self, form: Form, button: str = "", **values: str) -> Page:
        """Fills in a form, presses the button of that value (or the first), and follows to the next page."""
        assert form.method == "post"
        assert set(values) <= set(form.fields), form
        name, value = next(pair for pair in form.buttons if button in ("", pair[1]))
        data = form.fields | values | ({name: value} if name else {})
        path = urljoin(self.path, form.action)
        answer = self.client.post(path, data=data)
        assert answer.status_code == 303, (path, data, answer.status_code)
        return self.open(urljoin(path, answer.headers["location"]))

    def form(self, field_name: str) -> Form:
        """Gives the first form of the page that asks for a field."""
        return next(form for form in self.page.forms if field_name in form.fields)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies the example, so that nothing is built where the sources are."""
    copy = tmp_path_factory.mktemp("example") / "site"
    return shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("dist", ".hybridsite", "__pycache__"))


@pytest.fixture(scope="module")
def building(example: Path) -> subprocess.CompletedProcess[str]:
    return built(example)


@pytest.fixture(scope="module")
def server(example: Path, building: subprocess.CompletedProcess[str]) -> Iterator[Server]:
    with Server(example, "--no-build") as server:
        yield server


@pytest.fixture
def visitor(server: Server) -> Visitor:
    return Visitor(server)


def products(server: Server) -> list[str]:
    """Gives the paths of the product pages that the shop links to."""
    links = Visitor(server).open("/shop/").links
    return sorted({link for link in links if re.fullmatch(r"/shop/[^/]+/", link)})


def test_it_builds_without_a_warning(example: Path, building: subprocess.CompletedProcess[str]) -> None:
    assert building.stderr == ""
    kinds = [line for line in building.stdout.splitlines() if re.search(r"(^|\s)/\S*", line)]
    assert sum("prerendered" in line for line in kinds) >= 8
    assert sum(bool(re.search(r"on[ -]demand", line)) for line in kinds) >= 5
    assert sum("uses session" in line for line in kinds) >= 4
    written = set(tree(example / "dist/client"))
    assert {"index.html", "404.html", "robots.txt", "about/index.html"} <= written
    assert not {name for name in written if name.startswith(("cart", "checkout", "account", "login", "api"))}
    assert (example / "dist/server/manifest.json").is_file()


def test_strict_has_no_objection(example: Path, tmp_path: Path, hybridsite: Hybridsite) -> None:
    copy = shutil.copytree(example, tmp_path / "site", ignore=shutil.ignore_patterns("dist", ".hybridsite"))
    done = hybridsite("build", "--strict", copy)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_served_is_what_was_built(example: Path, server: Server) -> None:
    client = server.client()
    client_files = example / "dist/client"
    for name in sorted(set(tree(client_files)) - {"404.html", "500.html"}):
        answer = client.get("/" + quote(name.removesuffix("index.html")))
        assert answer.status_code == 200, name
        assert "set-cookie" not in answer.headers
        assert not is_private(answer)
        assert answer.content == (client_files / name).read_bytes(), name
    answer = client.get("/nowhere/")
    assert (answer.status_code, answer.content) == (404, (client_files / "404.html").read_bytes())


def test_every_link_leads_somewhere(visitor: Visitor) -> None:
    seen, queue = set[str](), ["/"]
    while queue:
        path = queue.pop()
        if path in seen or urlsplit(path).netloc:
            continue
        seen.add(path)
        answer = visitor.client.get(path)
        assert answer.status_code in (200, 302), path
        if answer.headers.get("content-type", "").startswith("text/html") and answer.status_code == 200:
            queue += [urljoin(path, link).partition("#")[0] for link in Page(answer.text).links]
    assert len(seen) >= 20


def test_the_json_endpoint_and_robots(visitor: Visitor) -> None:
    answer = visitor.client.get("/api/cart")
    assert answer.json()["count"] == 0
    assert answer.headers["content-type"].startswith("application/json")
    assert visitor.client.get("/robots.txt").headers["content-type"].startswith("text/plain")


def test_a_looker_gets_no_cookie(server: Server, visitor: Visitor) -> None:
    # case S1
    for path in ("/", "/shop/", *products(server), "/cart/", "/login/", "/ask/", "/api/cart"):
        assert "set-cookie" not in visitor.client.get(path).headers, path


def test_shopping(server: Server, visitor: Visitor) -> None:
    first, second = products(server)[:2]
    visitor.open(first)
    cart = visitor.submit(visitor.form("quantity"), quantity="2")
    assert visitor.path == "/cart/"
    name = first.strip("/").split("/")[1]
    assert f"/shop/{name}/" in cart.links
    visitor.open(second)
    visitor.submit(visitor.form("quantity"))
    assert visitor.client.get("/api/cart").json()["count"] == 3
    server.kill()
    server.start()
    cart = visitor.open("/cart/")
    assert {first, second} <= set(cart.links)
    assert visitor.client.get("/api/cart").json()["count"] == 3
    form = next(form for form in cart.forms if form.fields.get("product") == name)
    visitor.submit(form, "change", quantity="5")
    assert visitor.client.get("/api/cart").json()["count"] == 6
    before = [form.fields["product"] for form in visitor.page.forms if "product" in form.fields]
    visitor.submit(visitor.page.forms[0], "remove")
    left = [form.fields["product"] for form in visitor.page.forms if "product" in form.fields]
    assert left == before[1:]


def test_checking_out(server: Server, visitor: Visitor) -> None:
    visitor.open("/checkout/")
    assert visitor.path == "/cart/"  # there is nothing to pay for
    visitor.open(products(server)[0])
    visitor.submit(visitor.form("quantity"), quantity="3")
    visitor.open("/checkout/")
    assert visitor.client.post("/checkout/", data={"name": " "}).status_code == 400
    thanks = visitor.submit(visitor.form("name"), name="Ann <Inkwell>", note="<script>alert(1)</script>")
    assert visitor.path.startswith("/orders/")
    assert "Ann <Inkwell>" in thanks.text
    assert "<script>alert(1)</script>" in thanks.text  # as text
    assert visitor.client.get("/api/cart").json()["count"] == 0
    Visitor(server).open(visitor.path, status=404)  # nobody else's order


def test_signing_in_and_out(server: Server, visitor: Visitor) -> None:
    # case S5, case S6
    visitor.open("/account/")
    assert visitor.path == "/login/"
    visitor.open(products(server)[0])
    visitor.submit(visitor.form("quantity"))
    stranger = visitor.client.cookies[COOKIE]
    visitor.open("/login/")
    visitor.submit(visitor.form("name"), name="Ann Inkwell")
    assert visitor.path == "/account/"
    assert "Ann Inkwell" in visitor.page.text
    assert visitor.client.get("/api/cart").json()["count"] == 1  # kept
    signed_in = visitor.client.cookies[COOKIE]
    assert signed_in != stranger
    assert server.client(stranger).get("/api/cart").json()["count"] == 0
    assert "Ann Inkwell" in visitor.open("/cart/").text
    visitor.open("/account/")
    out = next(form for form in visitor.page.forms if "logout" in form.action)
    visitor.submit(out)
    assert COOKIE not in visitor.client.cookies
    assert server.client(signed_in).get("/api/cart").json()["count"] == 0
    visitor.open("/account/")
    assert visitor.path == "/login/"


def test_the_pot_book_is_for_who_is_signed_in(server: Server, visitor: Visitor) -> None:
    # case P2
    for path in ("/account/pot-book/", "/account/pot-book", "/%61ccount/pot-book/"):
        visitor.open(path)
        assert visitor.path == "/login/", path
    visitor.submit(visitor.form("name"), name="Ann Inkwell")
    assert "/account/pot-book/" in visitor.page.links
    assert "beside the copper" in visitor.open("/account/pot-book/").text
    answer = visitor.client.get("/account/pot-book/")
    assert is_private(answer)
    known = visitor.client.get("/account/pot-book/", headers={"If-None-Match": answer.headers["etag"]})
    assert known.status_code == 304
    stranger = Visitor(server)
    again = stranger.client.get("/account/pot-book/", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, "etag" in again.headers) == (302, False)


def test_asking_the_shop(server: Server, visitor: Visitor) -> None:
    # case B4, case X1
    visitor.open("/ask/")
    visitor.client.headers["Referer"] = f"{server.url}/ask/"
    page = visitor.submit(visitor.form("text"), name="  ", ink="woad", text="<script>")
    assert visitor.path == "/ask/"
    assert "Please fill this in." in page.text
    form = visitor.form("text")
    page = visitor.submit(form, name="Ann <Inkwell>", ink="petrol", text="<script>")
    assert "We don’t make that ink." in page.text
    assert "<script>" in page.text  # what was typed, as text
    page = visitor.submit(visitor.form("text"), name="Ann <Inkwell>", ink="woad", text="Why?")
    assert "Thank you, Ann <Inkwell>." in page.text
    assert "about Woad" in page.text
    assert visitor.form("text").fields["name"] == ""
    assert "Thank you" not in visitor.open("/ask/").text
    answer = visitor.client.post("/_actions/ask_the_shop", json={"name": "Ann", "text": "Why?"})
    assert answer.json() == {"data": {"name": "Ann", "ink": None}}


def test_what_is_wrong_is_answered_on_the_page(visitor: Visitor) -> None:
    for data in ({"product": "petrol", "do": "add"}, {"product": "", "do": "add"}, {}):
        answer = visitor.client.post("/cart/", data=data)
        assert answer.status_code == 400
        assert 'role="alert"' in answer.text
        assert session_cookie(answer) is None
        Page(answer.text)


def test_the_cookie_of_the_shop(server: Server, visitor: Visitor) -> None:
    visitor.open(products(server)[0])
    form = visitor.form("quantity")
    answer = visitor.client.post(form.action, data=form.fields | dict(form.buttons[:1]))
    cookie = session_cookie(answer)
    assert cookie is not None
    assert (cookie["path"], cookie["samesite"].lower(), cookie["httponly"]) == ("/", "lax", "")
    assert "domain" not in cookie
    assert int(cookie["max-age"]) > 0


def test_pages_of_a_visitor_are_private(server: Server, visitor: Visitor) -> None:
    # case R3
    for path in ("/cart/", "/checkout/", "/account/", "/login/", "/api/cart", "/orders/GW-000000/"):
        assert is_private(visitor.client.get(path)), path


def test_another_site_can_not_post_to_the_cart(server: Server, visitor: Visitor) -> None:
    # case H3
    visitor.open(products(server)[0])
    form = visitor.form("quantity")
    data = form.fields | dict(form.buttons[:1])
    answer = visitor.client.post(form.action, data=data, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert visitor.client.get("/api/cart").json()["count"] == 0


def test_fifty_bottles_at_once(server: Server, visitor: Visitor) -> None:
    # case C1b: the shop posts twelve of an ink at most, so the clicks are on several inks
    inks = products(server)[:5]
    visitor.open(inks[0])
    visitor.submit(visitor.form("quantity"))
    cookie = visitor.client.cookies[COOKIE]
    names = [ink.strip("/").split("/")[1] for ink in inks]
    clicks = [("/cart/", f"product={name}&quantity=1&do=add") for name in names for _ in range(10)]
    answers = post_at_once(server, clicks, cookie, "application/x-www-form-urlencoded")
    assert {answer.status_code for answer in answers} == {303}
    assert visitor.client.get("/api/cart").json()["count"] == 51


def test_dist_alone_is_the_shop(example: Path, building: subprocess.CompletedProcess[str], tmp_path: Path) -> None:
    dist = shutil.copytree(example / "dist", tmp_path / "dist")
    with Server(dist) as server:
        visitor = Visitor(server)
        visitor.open(products(server)[0])
        visitor.submit(visitor.form("quantity"), quantity="4")
        assert visitor.client.get("/api/cart").json()["count"] == 4


def test_the_ledger_is_kept_until_the_next_order(server: Server, visitor: Visitor) -> None:
    visitor.open("/ledger/")
    kept = visitor.client.get("/ledger/")
    assert kept.headers["x-cache"] == "HIT"
    assert not is_private(kept)
    assert re.search(r'Cart <slot name="[^"]+" data-island="load"><span class="count"></span></slot>', kept.text)
    visitor.open(products(server)[0])
    visitor.submit(visitor.form("quantity"), quantity="7")
    assert visitor.client.get("/ledger/").content == kept.content
    visitor.open("/checkout/")
    visitor.submit(visitor.form("name"), name="Ann")
    new = Visitor(server).client.get("/ledger/")  # anybody's
    assert new.headers["x-cache"] == "MISS"
    assert new.content != kept.content
    name = products(server)[0].strip("/").split("/")[1]
    assert f"/shop/{name}/" in Page(new.text).links
    assert Visitor(server).client.get("/ledger/").headers["x-cache"] == "HIT"
