"""The floors of docs/architecture.md: who may import whom, where each library lives, and how large the core is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.e2e.support import environment

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "hybridsite"

# The one table: each module below those that may import it. Where modules of one floor of docs/architecture.md stand on
# each other, the floor has steps (1.0, 1.1 …): a module imports from lower steps alone.
FLOORS: dict[float, str] = {
    -0.1: "extras",
    0.0: "capabilities decorators errors garbage inheritance uploads used",
    0.05: "collections",
    0.1: "__init__ news tags",
    0.2: "assets.calls assets.encoder assets.store assets.table island_tag previous reads",
    0.25: "check.finding check.markup",
    0.26: "check.report",
    0.3: "assets.markup",
    1.0: "analysis asking callouts compiled csp documents exchange extensions footnotes frozen given headers"
    " lexing media modules nonces notices outcomes plain_yaml printing redis_client tree unclosed undefined units urls",
    1.02: "closures",
    1.05: "sections",
    1.07: "feature_settings",
    1.1: "cache.policy cache.watching dates settings toml_positions yamldoc",
    1.15: "catalogues",
    1.17: "formats",
    1.2: "cache.entry config positions sources",
    1.25: "starting assets.images assets.references assets.svg",
    1.3: "assets.css assets.scripts cache.store",
    1.35: "assets.workshop cache.watched",
    1.4: "cache.memory cache.redis",
    1.5: "cache.shelf",
    1.6: "cache.control",
    1.8: "senders",
    1.9: "routes",
    1.95: "files",
    1.96: "manifest",
    1.961: "adapters.adapter",
    1.962: "plugins",
    1.97: "assets.previous places",
    2.0: "cleaning data forms frontmatter headings highlighting island_client routing security sessions.codec"
    " sessions.cookie sessions.store",
    2.02: "island_props",
    2.03: "island_memory",
    2.05: "languages links markdown template_loader values",
    2.1: "entries records redirects sessions.changes sessions.contract sessions.drivers sessions.dynamodb"
    " sessions.flashes sessions.fs sessions.index sessions.key_value"
    " sessions.memory sessions.postgres_connections sessions.redis_scripts"
    " sessions.sqlite sessions.watched",
    2.12: "templating",
    2.15: "entry_memory",
    2.2: "declarations schemas sessions.lifetime sessions.postgres sessions.redis sessions.session sessions.upstash",
    2.3: "content_home sessions.outage",
    2.35: "content",
    2.4: "sessions.records sessions.sweeping",
    2.5: "sessions.manager",
    2.6: "sessions.office",
    3.0: "resources",
    3.05: "action_table island_table listings",
    3.07: "loading",
    3.1: "site",
    3.15: "prefetch seo",
    3.2: "context",
    4.0: "actions answers caching endpoints middleware pages",
    4.1: "finding islands",
    5.0: "rendering",
    5.1: "check.external check.links check.places",
    5.9: "features.xml",
    6.0: "features.feeds features.search features.sitemap adapters.checks adapters.rules"
    " build.needs build.plan build.rows build.snapshot build.timing build.traces build.versions",
    6.1: "adapters.underscore build.account build.parcel build.store",
    6.12: "adapters.netlify",
    6.13: "build.beginning",
    6.14: "adapters.caddy adapters.nginx",
    6.15: "adapters.webservers build.fields",
    6.155: "adapters.requirements adapters.wheels",
    6.157: "adapters.functions",
    6.16: "adapters.aws_lambda adapters.cloudflare adapters.container adapters.standalone adapters.static"
    " adapters.vercel",
    6.2: "build.kept build.output build.report",
    6.22: "build.headers build.unprinted",
    6.25: "build.finishing",
    6.3: "build.copying build.islands build.making build.prefetch build.unchanged",
    6.4: "build.assets build.executors build.renderer build.rollback build.why",
    6.42: "build.errand build.summary",
    6.44: "build.cluster",
    6.5: "build.freshness server.door server.encoding server.gate server.islands server.protocol server.state",
    6.6: "server.static",
    6.7: "build.build server.app",
    6.71: "check.usage server.builds server.journal server.watching",
    6.72: "check.check server.metrics server.spans",
    6.75: "server.deployment",
    6.755: "server.life",
    6.76: "visitor",
    6.77: "testing",
    6.8: "asgi publishing serverless",
    6.85: "server.process",
    6.9: "server.run",
    7.0: "dev.concerns dev.faults dev.files dev.look.notation dev.look.trying dev.reload dev.watch",
    7.05: "dev.telling",
    7.07: "dev.late",
    7.1: "dev.error_page dev.history dev.loading dev.look.sessions",
    7.12: "dev.look.origins dev.look.routes",
    7.15: "dev.look.look",
    7.2: "dev.app",
    7.3: "dev.run",
    8.0: "cli.console",
    8.1: "cli.command cli.progress",
    8.2: "cli.completion cli.new cli.sessions",
    8.3: "cli.main",
    8.4: "__main__",
}
PLACES = {module: floor for floor, modules in FLOORS.items() for module in modules.split()}
# What takes another's place, and is no part of the core.
DRIVERS = {
    *("build.cluster", "build.errand", "build.parcel", "build.renderer", "build.versions"),
    *("cache.memory", "cache.redis", "redis_client"),
    *("sessions.dynamodb", "sessions.fs", "sessions.key_value", "sessions.memory", "sessions.postgres"),
    *("sessions.postgres_connections", "sessions.redis", "sessions.redis_scripts", "sessions.sqlite"),
    *("server.metrics", "server.spans", "sessions.upstash"),
}
# Where a library may be imported; all others may be where they are needed.
HOMES = {
    "click": ("cli.",),
    "uvicorn": ("cli.", "dev.run", "server.process", "server.protocol", "server.run"),
    "watchfiles": ("dev.",),
    "itsdangerous": ("sessions.cookie",),
    "msgspec": (
        "sessions.codec",
        "sessions.fs",
        "cache.redis",
        "build.account",
        "build.cluster",
        "build.renderer",
        "build.store",
        "entry_memory",
        "manifest",
    ),
    "distributed": ("build.cluster",),
    "redis": ("sessions.redis.", "cache.redis.", "redis_client."),
    "psycopg": ("sessions.postgres",),
    "upstash_redis": ("sessions.upstash",),
    "boto3": ("sessions.dynamodb",),
    "mangum": ("serverless",),
    "obstore": ("publishing",),
    "prometheus_client": ("server.metrics",),
    "opentelemetry": ("server.spans",),
    "brotli": ("server.encoding",),
    "lightningcss": ("assets.css",),
    "tree_sitter": ("assets.scripts",),
    "tree_sitter_javascript": ("assets.scripts",),
    "PIL": ("assets.encoder", "assets.images"),
    "nh3": ("cleaning",),
    "pygments": ("highlighting", "lexing"),
    "pyromark": ("markdown",),
    "pagefind": ("features.search",),
    "babel": ("catalogues", "formats"),
}


def modules() -> dict[str, Path]:
    """Gives every module of the package by its name, without the empty heads of folders and the starters."""
    found = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in sorted(PACKAGE.rglob("*.py"))}
    return {name: path for name, path in found.items() if not name.endswith(".__init__") and not _is_data(name)}


def _is_data(name: str) -> bool:
    return name.startswith("starters.")  # sites that `hybridsite new` copies


@cache
def imports(path: Path) -> frozenset[tuple[str, bool]]:
    """Gives what a module imports, each with whether that is done as it loads."""
    found: set[tuple[str, bool]] = set()

    def visit(node: ast.AST, at_load: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.update((alias.name, at_load) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path} imports relatively"
                names = [alias.name for alias in child.names]
                found.update((f"{child.module}.{name}", at_load) for name in names)
            visit(child, at_load and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))

    visit(ast.parse(path.read_text("utf-8")), True)
    return frozenset(found)


def own_imports(path: Path) -> Iterator[str]:
    """Yields the modules of the package that a module imports."""
    for name, _ in imports(path):
        if name.partition(".")[0] == "hybridsite":
            parts = name.split(".")[1:]
            known = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
            yield next((module for module in known if module in PLACES), "__init__")


@pytest.mark.parametrize("name", sorted(modules()))
def test_a_module_imports_from_lower_floors_only(name: str) -> None:
    assert name in PLACES, "give it its floor in FLOORS, and in docs/architecture.md"
    above = {other for other in own_imports(modules()[name]) if PLACES[other] >= PLACES[name]}
    # The package's face names the types that annotations of a site use, without importing them.
    assert above == ({"context", "entries", "sessions.session"} if name == "__init__" else set())


def test_every_module_of_the_table_exists() -> None:
    assert set(PLACES) == set(modules())


def test_the_table_and_the_documentation_agree() -> None:
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d) \| (.+) \|$", text, re.MULTILINE)
    told = {
        word.rstrip("/").removesuffix(".py"): int(floor)
        for floor, names in rows
        for word in re.findall(r"`([a-z_]+(?:\.py|/))`", names)
        if word != "console.py"
    }
    held = {name.partition(".")[0]: int(floor) for name, floor in PLACES.items() if not name.startswith("__")}
    assert {name: held.get(name) for name in told} == told


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("build.", "server."),
        ("server.", "build."),
        ("sessions.", "site"),
        ("sessions.", "config"),
        ("cache.", "site"),
        ("cache.", "sessions."),
    ],
)
def test_rooms_that_do_not_know_each_other(one: str, other: str) -> None:
    met = {
        (name, known)
        for name, path in modules().items()
        if name.startswith(one)
        for known in own_imports(path)
        if known.startswith(other)
    }
    assert met == set()


def test_features_stand_on_what_strangers_have() -> None:
    public = {"plugins", "errors", "dates", "entries", "tags", "feature_settings", "features.xml"}
    known = {other for name, path in modules().items() if name.startswith("features.") for other in own_imports(path)}
    assert known <= public


@pytest.mark.parametrize("library", sorted(HOMES))
def test_a_library_is_imported_where_it_lives(library: str) -> None:
    users = {name for name, path in modules().items() for used, _ in imports(path) if used.split(".")[0] == library}
    assert {name for name in users if not f"{name}.".startswith(HOMES[library])} == set()


@pytest.mark.parametrize(
    "library",
    [
        "brotli",
        "nh3",
        "pygments",
        "difflib",
        "anyio",
        "lightningcss",
        "tree_sitter",
        "PIL",
        "babel",
        "pagefind",
        "distributed",
    ],
)
def test_what_few_need_is_imported_when_it_is_needed(library: str) -> None:
    eager = {
        name
        for name, path in modules().items()
        for used, now in imports(path)
        if now and used == library and name != "lexing"  # which is imported when it is needed itself
    }
    assert eager == set()


def test_nothing_but_the_console_prints() -> None:
    printing = {
        name
        for name, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert printing == set()


def test_help_is_fast() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "hybridsite", "--help"]
    done = subprocess.run(command, env=environment(), capture_output=True, encoding="utf-8", check=True)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    heavy = {
        *("anyio", "brotli", "itsdangerous", "jinja2", "msgspec", "pydantic", "pygments", "pyromark", "starlette"),
        *("boto3", "psycopg", "redis", "upstash_redis", "uvicorn", "watchfiles", "yaml"),
    }
    assert "click" in loaded
    assert loaded & heavy == set()


def test_the_core_is_small() -> None:
    # Features, what takes another's place, and what only tests stand on.
    beside = ("adapters.", "assets.", "check.", "dev.", "features.", "testing", "visitor")
    core = [path for name, path in modules().items() if name not in DRIVERS and not name.startswith(beside)]
    lines = sum(len(path.read_text("utf-8").splitlines()) for path in core)
    assert lines < 26700


@pytest.mark.parametrize("name", sorted(modules()))
def test_a_file_is_of_one_piece(name: str) -> None:
    text = modules()[name].read_text("utf-8")
    long = [
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _length(node) > 50
    ]
    assert (len(text.splitlines()) <= 400, long) == (True, [])


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or 0) - node.lineno + 1
