"""Spans for OpenTelemetry: a request, what it renders, and the calls of its stores; set up by OTEL_* variables.

A span has the names that the site gives, methods, statuses and the classes of errors: no path, no query, no header, no
text of an error, nothing of a session.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from starlette.types import ASGIApp, Receive, Scope, Send

from hybridsite import __version__
from hybridsite.errors import ServeError, did_you_mean
from hybridsite.server.app import App
from hybridsite.server.watching import NO_PATTERNS, OTHER, Kind, Visit
from hybridsite.sessions.store import Conflict, Later

_EXPORTERS = ("otlp", "console", "none")
_ANSWERS = (Conflict, Later)
_ATTRIBUTES: dict[Kind, str] = {
    "render": "hybridsite.template",
    "session": "hybridsite.session.call",
    "cache": "hybridsite.cache.call",
}
_WAIT = 3000  # milliseconds for what wasn't sent yet when the server ends


class Spans:
    """Makes spans by the provider that is set in the process, or by one of its own that OTEL_* variables set up."""

    def __init__(self, provider: trace.TracerProvider | None = None) -> None:
        self._provider = provider
        self._own: TracerProvider | None = None
        self._tracer: Tracer = trace.NoOpTracer()
        self._current: App | None = None
        if provider is None:
            _exporter_name()  # what is wrong with it shows at once

    def start(self) -> None:
        """Sets the provider up, in the process that answers: its thread would not outlive a fork."""
        if self._provider is None:
            if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
                self._own = _made()
                trace.set_tracer_provider(self._own)
            self._provider = trace.get_tracer_provider()
        self._tracer = self._provider.get_tracer("hybridsite", __version__)

    def stop(self) -> None:
        """Sends what wasn't sent yet."""
        if self._own is not None:
            self._own.force_flush(_WAIT)

    def look(self, app: App, build: str) -> None:
        """Notes what answers now."""
        self._current = app

    async def noted(self, answer: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Has a request answered within a span, which goes on from what the propagators find in its headers."""
        visit = Visit(scope)
        sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        parent = propagate.extract({name: sent[name] for name in propagate.get_global_textmap().fields if name in sent})
        name = "HTTP" if visit.method == OTHER else visit.method  # as OpenTelemetry's conventions have it
        method = "_OTHER" if visit.method == OTHER else visit.method
        attributes = {"http.request.method": method, "url.scheme": str(scope.get("scheme", "http"))}
        with self._tracer.start_as_current_span(
            name, parent, SpanKind.SERVER, attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                await visit.answered(answer, scope, receive, send)
            finally:
                if self._current is not None:
                    route = visit.route(self._current, scope)
                    if route not in NO_PATTERNS:
                        span.update_name(f"{name} {route}")
                        span.set_attribute("http.route", route)
                span.set_attribute("http.response.status_code", visit.status)
                span.set_attribute("http.response.body.size", visit.size)
                span.set_attribute("hybridsite.session.used", bool(visit.notes.get("session")))
                if visit.cache is not None:
                    span.set_attribute("hybridsite.cache.result", visit.cache.lower())
                if visit.status >= 500:
                    span.set_attribute("error.type", str(visit.status))
                    span.set_status(Status(StatusCode.ERROR))

    @contextmanager
    def around(self, kind: Kind, name: str) -> Iterator[None]:
        """Makes a span of a piece of work, where a request is under way."""
        if not trace.get_current_span().get_span_context().is_valid:
            yield
            return
        with self._tracer.start_as_current_span(
            f"{kind} {name}",
            attributes={_ATTRIBUTES[kind]: name},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except _ANSWERS:
                raise
            except Exception as error:
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(Status(StatusCode.ERROR))
                raise


def _exporter_name() -> str:
    name = os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    if name not in _EXPORTERS:
        mend = did_you_mean(name, _EXPORTERS) or f"it may be {', '.join(_EXPORTERS)}"
        raise ServeError(f'OTEL_TRACES_EXPORTER is "{name}", which is unknown here', mend=mend)
    return name


def _made() -> TracerProvider:
    """Gives what OTEL_* variables say; the SDK reads most of them itself."""
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "hybridsite"}))
    provider = TracerProvider(resource=resource)
    exporter = _exporter(_exporter_name())
    if exporter is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _exporter(name: str) -> SpanExporter | None:
    if name == "none":
        return None
    if name == "console":
        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()
