"""What watches a site under a server that isn't hybridsite's: it counts, and opens no port."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import REGISTRY

from hybridsite.asgi import create_app
from tests.e2e.support import write_site
from tests.inprocess import ON_DEMAND, ask, built_here

COUNT = "hybridsite_http_requests_total"


def test_another_server_counts_in_the_registry_that_it_gives_out_itself(tmp_path: Path) -> None:
    files = {"site.toml": "[session]\ndriver = false\n[server.metrics]\nport = 1\n"}
    root = write_site(tmp_path, {**files, "pages/[watched].html": f"{ON_DEMAND}<< params.watched >>"})
    built_here(root)
    app = create_app(root)
    for _ in range(2):
        assert ask(app, "/a/").status == 200
    labels = {"method": "GET", "route": "/[watched]/", "status": "200"}
    assert REGISTRY.get_sample_value(COUNT, labels) == 2


def test_a_site_without_metrics_and_spans_has_nothing_around_its_parts(tmp_path: Path) -> None:
    root = write_site(tmp_path, {"pages/index.html": "home"})
    built_here(root)
    app = create_app(root).loaded()
    site = app.current.site
    assert app._answer is None
    assert "render" not in vars(site.templates)
    assert site.sessions is not None
    assert type(site.sessions.store._store).__name__ == "SqliteStore"
    assert type(site.cache.store).__name__ == "MemoryStore" if site.cache is not None else False
