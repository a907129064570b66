"""What tests ask of npm's packages, installed below .cache/npm by scripts/test: without them they are skipped."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

FOLDER = Path(__file__).parents[2] / ".cache/npm/node_modules"
# This version, for older Nodes, doesn't know yet that `blocking` is for `rel=expect` (HTML Standard, 4.2.4).
_RULES = """
const blocking = {enum: ["render"], allowed: () => null};
module.exports = {
  root: true,
  extends: ["html-validate:standard", "html-validate:a11y"],
  elements: ["html5", {link: {attributes: {blocking}}}],
};
"""


def package(name: str) -> Path:
    """Gives the folder of a package; skips the test where it is not installed."""
    if not (FOLDER / name).is_dir() or shutil.which("node") is None:
        pytest.skip(f"npm's {name} is not installed: scripts/test does so")
    return FOLDER / name


def sarif_schema() -> Any:
    """Gives the JSON Schema of SARIF 2.1.0."""
    return json.loads((package("@microsoft/jest-sarif") / "lib/schemas/sarif-2.1.0-rtm.5.json").read_text("utf-8"))


def html_faults(pages: Mapping[str, str], folder: Path) -> str:
    """Gives what html-validate finds in pages, which are written below a folder by their names; "" for nothing."""
    command = package("html-validate") / "bin/html-validate.mjs"
    (folder / "rules.cjs").write_text(_RULES, "utf-8")
    files = []
    for name, html in pages.items():
        files.append(folder / f"{quote(name, safe='')}.html")
        files[-1].write_text(html, "utf-8")
    asked: list[str | Path] = ["node", command, "--config", folder / "rules.cjs", "--formatter", "text", *files]
    done = subprocess.run(asked, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


_VERCEL = """
const [folder, file] = process.argv.slice(1);
const {normalizeRoutes, routesSchema} = require(folder);
const routes = JSON.parse(require("fs").readFileSync(file, "utf-8")).routes;
const validate = new (require(require.resolve("ajv", {paths: [folder]})))().compile(routesSchema);
const faults = validate(routes) ? null : validate.errors;
const {routes: read, error} = normalizeRoutes(routes);
console.log(JSON.stringify({faults: faults ?? error, read}));
"""


def vercel_routes(config: Path) -> Any:
    """Gives the rules of a config.json as Vercel's own package reads them, which fails where it finds a fault."""
    asked: list[str | Path] = ["node", "-e", _VERCEL, package("@vercel/routing-utils"), config]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["faults"] is None, told["faults"]
    return told["read"]
