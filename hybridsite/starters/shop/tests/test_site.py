"""Tests of the site, in one process and without a browser: `pip install pytest`, then `pytest`."""

from decimal import Decimal
from pathlib import Path

import pytest
from hybridsite.testing import build_site, client


@pytest.fixture(scope="session")
def site():
    with build_site(Path(__file__).parent.parent) as site:  # a copy of the folder, which stays as it is
        yield site


@pytest.fixture
def visitor(site):
    return client(site)  # somebody who has never been here


def test_no_page_uses_a_session_that_it_can_not_have(site):
    assert site.report.notices == ()


def test_whoever_only_looks_gets_no_cookie(visitor):
    for path in ("/", "/prints/harbour/", "/cart/"):
        assert visitor.get(path, islands=True).status == 200
    assert visitor.cookies == {}


def test_what_is_added_is_in_the_cart_and_counted_on_every_page(visitor):
    for _ in range(2):
        cart = visitor.action("add_to_cart", {"product": "harbour"}, page="/prints/harbour/")
    assert cart.url == "/cart/"
    assert "€96.00" in cart.text
    assert visitor.session["cart"] == {"harbour": 2}
    assert "2<span" in visitor.get("/", islands=True).text


def test_none_of_a_print_takes_it_out(visitor):
    visitor.session["cart"] = {"harbour": 2, "noon": 1}
    visitor.action("change_cart", {"product": "harbour", "quantity": 0}, page="/cart/")
    assert visitor.session["cart"] == {"noon": 1}


@pytest.mark.parametrize("form", [{"product": "mona-lisa"}, {"product": "noon", "quantity": 99}])
def test_a_form_that_makes_no_sense_changes_nothing(visitor, form):
    visitor.session["cart"] = {"noon": 1}
    visitor.action("change_cart", form, page="/cart/")
    assert visitor.session["cart"] == {"noon": 1}


def test_what_went_wrong_is_said_on_the_page_of_a_print(visitor):
    visitor.action("add_to_cart", {"product": "mona-lisa"}, page="/prints/noon/")
    page = visitor.get("/prints/noon/", islands=True).text
    assert "We don&#39;t sell that." in page


def test_an_order_empties_the_cart_and_is_nobody_elses(site, visitor):
    visitor.session["cart"] = {"harbour": 1, "noon": 1}
    thanks = visitor.action("place_order", {"name": "Ann", "address": "Lane 1"}, page="/checkout/")
    assert (thanks.url, "Thank you, Ann." in thanks.text) == ("/thanks/", True)
    assert visitor.session["order"]["total"] == Decimal("84.00")
    assert "cart" not in visitor.session
    assert client(site).get("/thanks/").status == 404


def test_an_order_without_a_name_says_so_beside_the_field(visitor):
    visitor.session["cart"] = {"noon": 1}
    page = visitor.action("place_order", {"name": " ", "address": "Lane 1"}, page="/checkout/").text
    assert "Please fill this in." in page
    assert "Lane 1</textarea>" in page  # nobody types it twice
