"""Tests of the site, in one process and without a browser: `pip install pytest`, then `pytest`."""

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


def test_the_home_page_is_a_file_and_sets_no_cookie(site, visitor):
    assert visitor.get("/").text == site.read("index.html")
    assert visitor.cookies == {}


def test_visits_are_counted(visitor):
    assert "for the first time" in visitor.get("/visits/").text
    assert "<strong>2</strong> times" in visitor.get("/visits/").text
    assert visitor.session["visits"] == 2


def test_a_count_goes_on_where_it_was(visitor):
    visitor.session["visits"] = 41
    assert "<strong>42</strong> times" in visitor.get("/visits/").text


def test_whoever_wants_to_is_forgotten(visitor):
    visitor.get("/visits/")
    assert visitor.post("/visits/").url == "/"
    assert (dict(visitor.session), visitor.cookies) == ({}, {})
