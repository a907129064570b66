"""A driver that several machines share wants a secret that they share, and options that the environment gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridsite.errors import DriverError, SecretError
from hybridsite.server.deployment import create_app
from hybridsite.sessions.drivers import create_store
from hybridsite.sessions.redis import RedisStore
from tests.e2e.support import Hybridsite, MakeSite

SECRET = "Qd7x0uVbZr41TnKe9sLw2aHcMf63GyPj"


def test_a_shared_driver_wants_a_shared_secret(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site({"site.toml": '[session]\ndriver = "redis"\n', "pages/index.html": "hello"})
    assert hybridsite("build", str(site)).returncode == 0
    with pytest.raises(SecretError, match=r"HYBRIDSITE_SECRET is not set.*set the same on all of them"):
        create_app(site, environ={"REDIS_URL": "redis://localhost"})
    create_app(site, environ={"REDIS_URL": "redis://localhost", "HYBRIDSITE_SECRET": SECRET})
    with pytest.raises(DriverError, match=r"lacks its url; set REDIS_URL in the environment"):
        create_app(site, environ={"HYBRIDSITE_SECRET": SECRET})


def test_options_go_before_the_environment(tmp_path: Path) -> None:
    options = {"url": "redis://localhost"}
    store = create_store("redis", options, state=tmp_path, environ={"REDIS_URL": "no url"})
    assert isinstance(store, RedisStore)
    with pytest.raises(DriverError, match="url"):
        create_store("redis", {}, state=tmp_path, environ={"REDIS_URL": "no url"})


def test_a_package_that_is_not_installed_is_told_with_the_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "hybridsite.sessions.redis")
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(DriverError) as caught:
        create_store("redis", {}, state=tmp_path, environ={"REDIS_URL": "redis://localhost"})
    assert caught.value.mend == 'pip install "hybridsite[redis]"'
