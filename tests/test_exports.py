"""The names that a site's own Python files may import from `hybridsite`."""

from __future__ import annotations

import importlib.metadata

import pytest

import hybridsite
from hybridsite import errors

# As the contract has them; a name that leaves this list breaks somebody's site.
OTHERS = ("Collection", "Context", "Entry", "Session", "UploadFile", "__version__", "action", "reference")
PUBLIC = ("ActionError", "NotFound", "SessionValueError", "SiteError")


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_the_one_of_errors(name: str) -> None:
    assert getattr(hybridsite, name) is getattr(errors, name)


def test_nothing_else_is_public() -> None:
    assert sorted(hybridsite.__all__) == sorted([*PUBLIC, *OTHERS])
    assert all(hasattr(hybridsite, name) for name in hybridsite.__all__)


def test_the_types_of_annotations_are_the_ones_that_code_gets() -> None:
    from hybridsite.context import Context
    from hybridsite.sessions.session import Session

    assert (hybridsite.Context, hybridsite.Session) == (Context, Session)
    with pytest.raises(AttributeError, match="no attribute 'Contxt'"):
        hybridsite.Contxt  # type: ignore[attr-defined]  # noqa: B018


def test_a_value_error_is_caught_as_one() -> None:
    assert issubclass(hybridsite.SessionValueError, ValueError)
    assert issubclass(hybridsite.SessionValueError, hybridsite.SiteError)
    assert not issubclass(hybridsite.NotFound, hybridsite.SiteError)


def test_the_version_is_that_of_the_package() -> None:
    assert importlib.metadata.version("hybridsite") == hybridsite.__version__


def test_the_asgi_app_and_its_factory() -> None:
    from hybridsite import asgi

    assert sorted(asgi.__all__) == ["Application", "app", "create_app"]
    assert callable(asgi.app)
    assert callable(asgi.create_app)


def test_what_tests_of_a_site_import() -> None:
    from hybridsite import testing

    assert sorted(testing.__all__) == ["Answer", "BuiltSite", "Client", "StoreContract", "build_site", "client"]
    assert all(hasattr(testing, name) for name in testing.__all__)
