"""The models of settings: their defaults pass their own checks, nothing can be changed, everything is described."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from hybridsite.sections import EnvironmentText
from hybridsite.settings import CookieSettings, ServerSettings, SessionSettings, Settings


def fields(model: type[BaseModel] = Settings, path: str = "") -> Iterator[tuple[str, type[BaseModel], FieldInfo]]:
    for name, field in model.model_fields.items():
        yield f"{path}{name}", model, field
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, f"{path}{name}.")


ALL = list(fields())


@pytest.mark.parametrize(("model", "field"), [(model, field) for path, model, field in ALL if "." in path])
def test_every_setting_is_described_in_a_sentence(model: type[BaseModel], field: FieldInfo) -> None:
    assert field.description
    assert field.description[0].isupper()
    assert field.description.endswith(".")
    assert model.__doc__


@pytest.mark.parametrize(
    ("model", "name", "field"),
    [pytest.param(model, path.rpartition(".")[2], field, id=path) for path, model, field in ALL],
)
def test_every_default_is_a_value_that_may_be_written(model: type[BaseModel], name: str, field: FieldInfo) -> None:
    default = field.get_default(call_default_factory=True)
    written = list(default) if isinstance(default, tuple) else default
    assert getattr(model.model_validate({name: written}), name) == default


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().server.port = 1


@pytest.mark.parametrize("value", ["1", "true", "1.5"])
def test_text_of_the_file_is_no_number(value: str) -> None:
    with pytest.raises(ValidationError):
        ServerSettings.model_validate({"port": value})
    with pytest.raises(ValidationError):
        CookieSettings.model_validate({"secure": value})


@pytest.mark.parametrize(
    ("model", "name", "text", "value"),
    [
        (ServerSettings, "port", "8080", 8080),
        (ServerSettings, "host", "8080", "8080"),
        (ServerSettings, "grace", "2", 2.0),
        (ServerSettings, "grace", "2.5", 2.5),
        (ServerSettings, "grace", "2m", 120.0),
        (CookieSettings, "max_age", "60", 60.0),
        (CookieSettings, "max_age", "1h", 3600.0),
        (CookieSettings, "secure", "false", False),
        (CookieSettings, "secure", "auto", "auto"),
        (CookieSettings, "domain", "true", "true"),
        (SessionSettings, "driver", "false", False),
        (SessionSettings, "max_size", "1024", 1024),
        (SessionSettings, "max_size", "1KiB", 1024),
    ],
)
def test_text_of_the_environment(model: type[BaseModel], name: str, text: str, value: object) -> None:
    found = getattr(model.model_validate({name: EnvironmentText(text)}), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("model", "name", "text"),
    [
        (ServerSettings, "port", "80.0"),
        (ServerSettings, "port", " 80"),
        (ServerSettings, "port", "٨"),
        (ServerSettings, "port", "-1"),
        (ServerSettings, "port", ""),
        (ServerSettings, "port", "9" * 5000),
        (ServerSettings, "port", "true"),
        (ServerSettings, "host", ""),
        (ServerSettings, "grace", "-1"),
        (CookieSettings, "secure", "True"),
        (CookieSettings, "max_age", "0"),
    ],
)
def test_text_of_the_environment_that_does_not_fit(model: type[BaseModel], name: str, text: str) -> None:
    with pytest.raises(ValidationError):
        model.model_validate({name: EnvironmentText(text)})


# case S10
@pytest.mark.parametrize(
    "values",
    [
        {"same_site": "none", "secure": False},
        {"name": "__Secure-a", "secure": False},
        {"name": "__Host-a", "secure": False},
        {"name": "__host-a", "domain": "example.com"},
        {"name": "__Host-a", "path": "/docs"},
        {"name": "a b"},
        {"domain": "a;b"},
        {"path": "a"},
    ],
)
def test_cookies_that_browsers_refuse(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CookieSettings.model_validate(values)


@pytest.mark.parametrize(
    "values",
    [
        {"same_site": "none"},
        {"same_site": "none", "secure": True},
        {"name": "__Host-a", "secure": True, "path": "/"},
        {"name": "__Secure-a", "domain": ".example.com", "path": "/docs"},
        {"secure": False},
    ],
)
def test_cookies_that_browsers_take(values: dict[str, object]) -> None:
    CookieSettings.model_validate(values)
