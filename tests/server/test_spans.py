"""Spans: a request with what it rendered and asked of its stores, and nothing that a visitor sent or has."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from hybridsite.server.deployment import Deployment
from hybridsite.server.spans import Spans
from hybridsite.server.watching import watch
from tests.e2e.support import write_site
from tests.inprocess import MEMORY, app_of, asked, scope_of

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FILES = {
    "site.toml": MEMORY,
    "pages/index.html": "home",
    "pages/people/[name].html": "---\nprerender: false\n---\n<< params.name >>",
    "pages/kept.html": "---\nprerender: false\ncache: {max_age: 60}\n---\nkept",
    "pages/fails.py": "def GET(context):\n    context.session['pin'] = pin = 'hush-4711'\n    raise ValueError(pin)\n",
    "pages/broken.html": "---\nprerender: false\n---\n<< 1 // (params | length) >>",
}


def spans_of(root: Path, *requests: tuple[str, Mapping[str, str]]) -> list[ReadableSpan]:
    """Serves a site with spans, sends requests, and gives the spans in the order of their ends."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = app_of(write_site(root, FILES))
    spans = Spans(provider)
    _install(app, [spans])
    spans.start()
    spans.look(app.current, app.build)

    async def send() -> None:
        for target, headers in requests:
            await asked(app, scope_of(target, "GET", headers))

    asyncio.run(send())
    return [*exporter.get_finished_spans()]


def _install(app: Deployment, watchers: Sequence[Spans]) -> None:
    app._watchers = [*watchers]
    app._watch_requests()
    watch(app.current, app._watchers)


def test_a_request_is_a_span_by_its_pattern_with_what_it_rendered_below(tmp_path: Path) -> None:
    rendered, request = spans_of(tmp_path, ("/people/ada-lovelace/?token=hush-4711", {"Cookie": "own=hush-4711"}))
    assert (request.name, request.kind) == ("GET /people/[name]/", SpanKind.SERVER)
    assert rendered.name == "render pages/people/[name].html"
    assert rendered.parent is not None
    assert request.context is not None
    assert rendered.parent.span_id == request.context.span_id
    assert dict(request.attributes or {}) == {
        "http.request.method": "GET",
        "url.scheme": "http",
        "http.route": "/people/[name]/",
        "http.response.status_code": 200,
        "http.response.body.size": len("ada-lovelace"),
        "hybridsite.session.used": False,
    }
    told = rendered.to_json() + request.to_json()
    assert "hush" not in told
    assert "ada" not in told


def test_a_trace_that_is_under_way_goes_on(tmp_path: Path) -> None:
    *_, request = spans_of(tmp_path, ("/people/ada/", {"traceparent": PARENT}))
    assert request.context is not None
    assert request.parent is not None
    assert f"{request.context.trace_id:032x}-{request.parent.span_id:016x}" == PARENT[3:-3]


def test_a_failure_is_told_by_its_class_and_not_by_its_text(tmp_path: Path) -> None:
    # case S13
    spans = spans_of(tmp_path, ("/fails", {}), ("/broken/", {}))
    failed = {span.name: span for span in spans if span.status.status_code is StatusCode.ERROR}
    assert set(failed) == {"GET /fails", "GET /broken/", "render pages/broken.html"}
    assert (failed["render pages/broken.html"].attributes or {})["error.type"] == "TemplateError"
    assert (failed["GET /fails"].attributes or {})["error.type"] == "500"
    for span in spans:
        assert "hush" not in span.to_json()
        assert [*span.events] == []
        assert span.status.description is None


def test_a_kept_page_has_its_route_and_the_calls_of_the_cache(tmp_path: Path) -> None:
    spans = spans_of(tmp_path, ("/kept/", {}), ("/kept/", {}), ("/kept/", {}), ("/", {}), ("/nowhere/", {}))
    requests = [span for span in spans if span.kind is SpanKind.SERVER]
    kept, name = [(span.attributes or {}).get("hybridsite.cache.result") for span in requests], "GET /kept/"
    assert [span.name for span in requests] == [name, name, name, "GET /", "GET"]
    assert kept == ["miss", "hit", "hit", None, None]
    assert [span.name for span in spans if span.name.startswith("cache")] == ["cache look", "cache keep", "cache look"]
