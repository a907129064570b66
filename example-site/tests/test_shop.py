"""What the shop promises, tried in one process: `pip install pytest`, then `pytest example-site`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from hybridsite.testing import BuiltSite, Client, build_site, client


@pytest.fixture(scope="session")
def shop() -> Iterator[BuiltSite]:
    with build_site(Path(__file__).parent.parent) as shop:
        yield shop


@pytest.fixture
def visitor(shop: BuiltSite) -> Client:
    return client(shop)


def test_no_page_uses_a_session_that_it_can_not_have(shop: BuiltSite) -> None:
    assert shop.report.notices == ()
    assert "Six inks" in shop.read("index.html")


def test_whoever_only_looks_gets_no_cookie(visitor: Client) -> None:
    for path in ("/", "/shop/", "/shop/woad/", "/cart/", "/login/"):
        assert visitor.get(path).status == 200
    assert visitor.cookies == {}


def test_what_is_put_into_the_cart_is_in_the_session_and_on_every_page(visitor: Client) -> None:
    for quantity in (2, 1):
        visitor.post("/cart/", {"product": "woad", "quantity": quantity, "do": "add"})
    assert visitor.session["cart"] == {"woad": 3}
    assert "3<span" in visitor.get("/shop/", islands=True).text
    assert "£" in visitor.get("/cart/").text


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"product": "mauve", "do": "add"}, "We don’t make that ink."),
        ({"product": "woad", "do": "add", "quantity": 13}, "between 1 and 12"),
        ({"product": "woad", "do": "juggle"}, "It is as it was."),
    ],
)
def test_a_form_that_makes_no_sense_leaves_the_cart_alone(
    visitor: Client, form: dict[str, object], problem: str
) -> None:
    visitor.session["cart"] = {"weld": 1}
    answer = visitor.post("/cart/", form)
    assert (answer.status, problem in answer.text) == (400, True)
    assert visitor.session["cart"] == {"weld": 1}


def test_an_order_takes_the_cart_and_is_nobody_elses(shop: BuiltSite, visitor: Client) -> None:
    visitor.session["cart"] = {"oak-gall": 2}
    thanks = visitor.post("/checkout/", {"name": "Ann Inkwell", "note": "No bows."})
    (order,) = visitor.session["orders"].values()
    assert thanks.url == f"/orders/{order['number']}/"
    assert (order["total"], order["name"]) == (Decimal("25.00"), "Ann Inkwell")
    assert visitor.session["cart"] == {}
    assert client(shop).get(thanks.url).status == 404


def test_the_account_is_for_those_who_are_signed_in(visitor: Client) -> None:
    assert visitor.get("/account/").url == "/login/"
    visitor.session["user"] = {"name": "Ann", "since": datetime.now(UTC)}  # signed in, without the form
    assert "Ann" in visitor.get("/account/").text
    assert visitor.get("/account/pot-book/").status == 200  # a built page, for members


def test_a_question_is_answered_and_a_bad_one_says_what_is_wrong(visitor: Client) -> None:
    assert "Ann" in visitor.action("ask_the_shop", {"name": "Ann", "text": "Does it fade?"}, page="/ask/").text
    wrong = visitor.action("ask_the_shop", {"name": "", "text": "Does it fade?"}, page="/ask/").text
    assert "Please fill this in." in wrong
    assert "Does it fade?" in wrong  # nobody types it twice
