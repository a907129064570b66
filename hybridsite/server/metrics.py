"""Metrics for Prometheus: what is counted in each process, and the port of their own on which they are asked for."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from functools import cache
from socketserver import ThreadingMixIn
from time import perf_counter
from types import TracebackType
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Receive, Scope, Send

from hybridsite import __version__
from hybridsite.errors import ServeError
from hybridsite.server.app import App
from hybridsite.server.watching import Kind, Visit
from hybridsite.sessions.store import Conflict, Later

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# A call of a store on this machine takes some microseconds; one that takes longer than its budget is an outage.
_CALLS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)


class Metrics:
    """What one process counts. No label holds anything of a visitor: each has the few values that the site gives it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._current: App | None = None
        self._build = ""

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"hybridsite_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"hybridsite_{name}_seconds", text, labels, buckets=buckets, registry=registry)

        def gauge(name: str, text: str, mode: Any, *labels: str) -> Gauge:
            return Gauge(f"hybridsite_{name}", text, labels, registry=registry, multiprocess_mode=mode)

        text = "Requests answered, by the pattern of the route."
        self._requests = counter("http_requests", text, "method", "route", "status")
        text = "Time from the head of a request to the end of its answer."
        self._durations = histogram("http_request_duration", text, _SECONDS, "method", "route")
        self._bytes = counter("http_response_body_bytes", "Bytes of the bodies of answers.", "route")
        self._under_way = gauge("http_requests_in_progress", "Requests that are being answered.", "livesum")
        self._cached = counter("cache_answers", "Answers of pages that may be kept, by X-Cache.", "result")
        self._works: dict[Kind, Histogram] = {
            "render": histogram("render_duration", "Time to render a template.", _SECONDS, "template"),
            "session": histogram("session_store_duration", "Time of a call of the session store.", _CALLS, "call"),
            "cache": histogram("cache_store_duration", "Time of a call of the store of the cache.", _CALLS, "call"),
        }
        text = "Pieces of work that failed: of a template, of the session store, or of the cache."
        self._failures = counter("failures", text, "kind", "name")
        text = "Writes of a session that met another request's, and are tried again."
        self._conflicts = counter("session_store_conflicts", text)
        text = "1 while the session store doesn't answer."
        self._down = gauge("session_store_down", text, "livemax")
        self._takeovers = counter("build_takeovers", "Builds taken over while serving.")
        text = "1 for the build that is served, and the version of hybridsite."
        self._info = gauge("build_info", text, "livemax", "build", "version")

    def start(self) -> None:
        """Has nothing to do."""

    def stop(self) -> None:
        """Has nothing to do."""

    def look(self, app: App, build: str) -> None:
        """Notes which build is served, and how its session store is."""
        self._current = app
        if build != self._build:
            if self._build:
                self._info.labels(self._build, __version__).set(0)  # an exposition leaves that out
                self._takeovers.inc()
            self._info.labels(build, __version__).set(1)
            self._build = build
        sessions = app.site.sessions
        self._down.set(sessions is not None and sessions.store.is_down)

    async def noted(self, answer: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Has a request answered, and counts it."""
        visit = Visit(scope)
        self._under_way.inc()
        try:
            await visit.answered(answer, scope, receive, send)
        finally:
            self._under_way.dec()
            if self._current is not None:
                route = visit.route(self._current, scope)
                self._requests.labels(visit.method, route, str(visit.status)).inc()
                self._durations.labels(visit.method, route).observe(visit.seconds)
                self._bytes.labels(route).inc(visit.size)
                if visit.cache is not None:
                    self._cached.labels(visit.cache.lower()).inc()

    def around(self, kind: Kind, name: str) -> _Timed:
        """Times a piece of work."""
        return _Timed(self._works[kind].labels(name), lambda error: self._failed(kind, name, error))

    def _failed(self, kind: Kind, name: str, error: type[BaseException]) -> None:
        if issubclass(error, Conflict):
            self._conflicts.inc()
        elif issubclass(error, Exception) and not issubclass(error, Later):
            self._failures.labels(kind, name).inc()


class _Timed:
    """Observes how long its block takes; a failure is told by its type alone."""

    __slots__ = ("_began", "_failed", "_histogram")

    def __init__(self, histogram: Histogram, failed: Callable[[type[BaseException]], None]) -> None:
        self._histogram, self._failed = histogram, failed

    def __enter__(self) -> None:
        self._began = perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._histogram.observe(perf_counter() - self._began)
        if kind is not None:
            self._failed(kind)


@cache
def shared_metrics() -> Metrics:
    """Gives what this process counts, in the registry of prometheus_client, where a site's own metrics are too."""
    return Metrics(prometheus_client.REGISTRY)


class _Kept(Collector):
    """A collector without the builds that are served no longer."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[prometheus_client.Metric]:
        """Gives all metrics there are now."""
        for metric in self._registry.collect():
            if metric.name == "hybridsite_build_info":
                metric.samples = [sample for sample in metric.samples if sample.value]
            yield metric


@contextmanager
def shared_folder(environ: MutableMapping[str, str]) -> Iterator[None]:
    """Has the processes that are begun in this block count together, in a folder that ends with it."""
    before, folder = environ.get(_FOLDER), tempfile.mkdtemp(prefix="hybridsite-metrics-")
    environ[_FOLDER] = folder
    try:
        yield
    finally:
        if before is None:
            del environ[_FOLDER]
        else:
            environ[_FOLDER] = before
        shutil.rmtree(folder, ignore_errors=True)


def forget_process(pid: int) -> None:
    """Leaves out what a process that has ended had under way; what it has counted stays."""
    mark_process_dead(pid, os.environ[_FOLDER])


@contextmanager
def exposed(host: str, port: int, *, workers: bool) -> Iterator[str]:
    """Answers /metrics from a thread; gives the address. Raises ServeError where it is taken."""
    registry = prometheus_client.REGISTRY
    if workers:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    kept = CollectorRegistry()
    kept.register(_Kept(registry))
    try:
        server = make_server(host, port, _only_metrics(kept), _server_class(host), handler_class=_Quiet)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        mend = "stop what listens there, or choose another [server.metrics] port"
        raise ServeError(f"{host}:{port} can't be listened on for metrics", why=reason, mend=mend) from error
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _only_metrics(registry: CollectorRegistry) -> Any:
    metrics = prometheus_client.make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            given: Iterable[bytes] = metrics(environ, start)
            return given
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [b"metrics are at /metrics\n"]

    return answer


def _server_class(host: str) -> type[WSGIServer]:
    class Listening(ThreadingMixIn, WSGIServer):  # nobody who is silent holds a scrape up
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    return Listening


class _Quiet(WSGIRequestHandler):
    """Writes no line for each request, and waits for none for ever."""

    timeout = 5

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""
