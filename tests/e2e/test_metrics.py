"""Metrics and spans of real servers: asked for on a port of their own, counted by all workers, through every deploy."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.support import (
    CONSOLE,
    COOKIE,
    SECRET,
    Hybridsite,
    MakeSite,
    Serve,
    Server,
    ask,
    built,
    hybridsite,
    session_cookie,
    wait_until,
)
from tests.e2e.test_outage import STORE

METRICS = "[server.metrics]\nport = 0\n"
FILES = {
    "site.toml": METRICS,
    "pages/index.html": "home",
    "pages/404.html": "the site's own 404",
    "pages/people/[name].html": "---\nprerender: false\n---\n<< params.name >>",
    "pages/kept.html": "---\nprerender: false\ncache: {max_age: 60}\n---\nkept",
    "pages/console.py": CONSOLE,
    "pages/fails.py": "def GET(context):\n    raise ValueError(context.session['pin'])\n",
}
PIN = "hush-4711"


def scrape(server: Server) -> str:
    """Asks for the metrics, at the address that the log tells."""
    found = re.search(r"metrics are at (http://127\.0\.0\.1:[0-9]+/metrics)", server.log())
    assert found is not None, server.log()
    answer = httpx.get(found[1], trust_env=False, timeout=30)
    assert answer.status_code == 200
    return answer.text


def value(text: str, name: str, /, **labels: str) -> float:
    """Gives the sum of the samples with a name and these labels."""
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def requests(server: Server, **labels: str) -> float:
    return value(scrape(server), "hybridsite_http_requests_total", **labels)


def test_requests_are_counted_by_pattern_and_asked_for_on_a_port_of_their_own(
    make_site: MakeSite, serve: Serve
) -> None:
    server = serve(make_site(FILES))
    client = server.client()
    for path in ("/", "/people/ada/", "/people/bob/?a=1", "/kept/", "/kept/", "/kept/", "/no/1/", "/no/2/"):
        client.get(path)
    client.request("BREW", "/people/ada/")
    text = scrape(server)
    count = "hybridsite_http_requests_total"
    assert value(text, count, method="GET", route="/people/[name]/", status="200") == 2
    assert value(text, count, method="GET", route="/kept/", status="200") == 3
    assert value(text, count, method="GET", route="/", status="200") == 1
    assert value(text, count, method="GET", route="(none)", status="404") == 2
    assert value(text, "hybridsite_http_request_duration_seconds_count", route="/people/[name]/", method="GET") == 2
    assert value(text, "hybridsite_cache_answers_total", result="hit") == 2
    assert value(text, "hybridsite_cache_answers_total", result="miss") == 1
    assert value(text, "hybridsite_render_duration_seconds_count", template="pages/people/[name].html") == 2
    assert value(text, "hybridsite_http_requests_in_progress") == 0
    assert value(text, "hybridsite_session_store_down") == 0
    assert "BREW" not in text
    assert "ada" not in text
    answer = client.get("/metrics")
    assert (answer.status_code, answer.text) == (404, "the site's own 404")
    assert server.stop() == 0


def test_nothing_of_a_visitor_is_in_the_metrics(make_site: MakeSite, serve: Serve) -> None:
    # case S13
    server = serve(make_site(FILES), env={"HYBRIDSITE_SECRET": SECRET})
    client = server.client()
    answer = client.post("/console", content=f"session['pin'] = {PIN!r}".encode())
    cookie = session_cookie(answer)
    assert cookie is not None
    handle = ask(client, "result = session.id").strip("'")
    assert client.get(f"/fails?token={PIN}", headers={"X-Own": PIN}).status_code == 500
    text = scrape(server)
    assert value(text, "hybridsite_http_requests_total", route="/fails", status="500") == 1
    assert value(text, "hybridsite_session_store_duration_seconds_count", call="write") == 1
    assert value(text, "hybridsite_session_store_duration_seconds_count", call="read") == 2
    for secret in (PIN, cookie["value"], cookie["value"].split(".")[0], handle, SECRET, COOKIE):
        assert secret not in text


def test_workers_count_together_and_what_a_killed_one_counted_stays(
    make_site: MakeSite, serve: Serve, tmp_path: Path
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    server = serve(make_site(FILES), "--workers", "2", env={"TMPDIR": str(folder)})
    seen: set[int] = set()

    def both() -> bool:
        with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
            seen.add(client.post("/console", content=b"", headers={"Origin": server.url}).json()["pid"])
        return len(seen) == 2

    wait_until(both, "both workers")
    for _ in range(10):
        httpx.get(f"{server.url}/people/ada/", trust_env=False)
    before = requests(server)
    assert requests(server, route="/people/[name]/") == 10
    assert value(scrape(server), "hybridsite_build_info") == 1
    gone = seen.pop()
    assert [*folder.glob(f"hybridsite-metrics-*/gauge_live*_{gone}.db")] != []
    os.kill(gone, signal.SIGKILL)
    wait_until(lambda: "is replaced" in server.log(), "the replacement")
    wait_until(lambda: not [*folder.glob(f"hybridsite-metrics-*/gauge_live*_{gone}.db")], "the end of its gauges")
    assert requests(server) >= before
    assert requests(server, route="/people/[name]/") == 10
    assert server.stop() == 0
    assert [*folder.glob("hybridsite-metrics-*")] == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_counts_survive_a_deploy(make_site: MakeSite, serve: Serve, workers: str) -> None:
    site = make_site(FILES)
    server = serve(site, "--workers", workers)
    httpx.get(f"{server.url}/people/ada/", trust_env=False)
    (site / "pages" / "index.html").write_text("another home")
    built(site)
    wait_until(lambda: httpx.get(f"{server.url}/", trust_env=False).text == "another home", "the new build")

    def builds() -> set[str]:
        return set(re.findall(r'^hybridsite_build_info\{.*build="([0-9a-f]+)"', scrape(server), re.MULTILINE))

    wait_until(lambda: value(scrape(server), "hybridsite_build_takeovers_total") == int(workers), "all takeovers")
    assert len(builds()) == 1
    httpx.get(f"{server.url}/people/ada/", trust_env=False)
    assert requests(server, route="/people/[name]/") == 2
    assert value(scrape(server), "hybridsite_render_duration_seconds_count", template="pages/people/[name].html") == 2
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("setting", "package", "extra"),
    [(METRICS, "prometheus_client", "metrics"), ("[server]\nspans = true\n", "opentelemetry", "otel")],
)
def test_a_missing_extra_is_told_with_how_it_is_installed(
    make_site: MakeSite, tmp_path: Path, setting: str, package: str, extra: str
) -> None:
    hidden = tmp_path / "hidden" / package
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text(f"raise ImportError('no module named {package}')\n")
    path = os.pathsep.join([str(hidden.parent), str(Path(__file__).parents[2])])
    done = hybridsite("serve", make_site({**FILES, "site.toml": setting}), "--port", "0", env={"PYTHONPATH": path})
    assert done.returncode == 1
    assert f'pip install "hybridsite[{extra}]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_of_metrics_that_is_taken_is_told(make_site: MakeSite, serve: Serve) -> None:
    server = serve(make_site(FILES))
    site = make_site({**FILES, "site.toml": f"[server.metrics]\nport = {server.port}\n"})
    done = hybridsite("serve", site, "--port", "0")
    assert done.returncode == 1
    assert f"127.0.0.1:{server.port} can't be listened on for metrics" in done.stderr


def test_an_outage_of_the_session_store_is_shown_while_it_lasts(make_site: MakeSite, serve: Serve) -> None:
    settings = METRICS + '[session]\ndriver = "weather:Store"\noptions = { weather = "env:WEATHER" }\n'
    site = make_site({**FILES, "site.toml": settings, "weather.py": STORE})
    weather = site.parent / "weather"
    weather.write_text("fair")
    server = serve(site, env={"WEATHER": str(weather)})
    client = server.client()
    assert client.post("/console", content=b"session['a'] = 1").status_code == 200
    assert value(scrape(server), "hybridsite_session_store_down") == 0
    weather.write_text("refuse")
    assert client.post("/console", content=b"session['a'] = 2").status_code == 503
    wait_until(lambda: value(scrape(server), "hybridsite_session_store_down") == 1, "the outage in the metrics")
    assert value(scrape(server), "hybridsite_failures_total", kind="session", name="read") >= 1
    weather.write_text("fair")
    wait_until(lambda: value(scrape(server), "hybridsite_session_store_down") == 0, "its end in the metrics")
    assert client.post("/console", content=b"session['a'] = 2").status_code == 200


@contextmanager
def collector() -> Iterator[tuple[str, Callable[[], list[Span]], Callable[[], bytes]]]:
    """Takes spans as OpenTelemetry's own collector does: OTLP over HTTP."""
    bodies: list[bytes] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    def spans() -> list[Span]:
        sent = [ExportTraceServiceRequest.FromString(body) for body in bodies]
        scopes = [scope for each in sent for resource in each.resource_spans for scope in resource.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", spans, lambda: b"\n".join(bodies)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_spans_reach_a_collector_without_anything_of_a_visitor(make_site: MakeSite, serve: Serve, workers: str) -> None:
    # case S13
    with collector() as (address, spans, bodies):
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "HYBRIDSITE_SECRET": SECRET, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        site = make_site({**FILES, "site.toml": "[server]\nspans = true\n"})
        server = serve(site, "--workers", workers, env=env)
        client = server.client()
        answer = client.post("/console", content=f"session['pin'] = {PIN!r}".encode())
        cookie = session_cookie(answer)
        assert cookie is not None
        assert client.get(f"/fails?token={PIN}").status_code == 500
        trace = "0af7651916cd43dd8448eb211c80319c"
        client.get("/people/ada/", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        assert server.stop() == 0  # what wasn't sent yet is sent at the end
        found = {span.name: span for span in spans()}
        assert {"POST /console", "session write", "GET /fails", "GET /people/[name]/"} <= set(found)
        assert found["GET /people/[name]/"].trace_id.hex() == trace
        assert found["session write"].parent_span_id == found["POST /console"].span_id
        assert found["render pages/people/[name].html"].parent_span_id == found["GET /people/[name]/"].span_id
        for secret in (PIN, cookie["value"], cookie["value"].split(".")[0], SECRET, "ada"):
            assert secret.encode() not in bodies()
        assert b"hybridsite" in bodies()


def test_a_collector_that_is_not_there_holds_nothing_up(make_site: MakeSite, serve: Serve) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    server = serve(make_site({**FILES, "site.toml": "[server]\nspans = true\n"}), env=env)
    assert server.client().get("/people/ada/").text == "ada"
    assert server.stop() == 0


def test_an_exporter_that_is_unknown_is_told(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site({**FILES, "site.toml": "[server]\nspans = true\n"})
    done = hybridsite("serve", site, "--port", "0", env={"OTEL_TRACES_EXPORTER": "oltp"})
    assert done.returncode == 1
    assert 'did you mean "otlp"?' in done.stderr
