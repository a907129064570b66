"""What tests ask of npm's packages, installed below .cache/npm by scripts/test: without them they are skipped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / ".cache/npm/node_modules"


def package(name: str) -> Path:
    """Gives the folder of a package; skips the test where it is not installed."""
    if not (FOLDER / name).is_dir() or shutil.which("node") is None:
        pytest.skip(f"npm's {name} is not installed: scripts/test does so")
    return FOLDER / name


def sarif_schema() -> Any:
    """Gives the JSON Schema of SARIF 2.1.0."""
    return json.loads((package("@microsoft/jest-sarif") / "lib/schemas/sarif-2.1.0-rtm.5.json").read_text("utf-8"))
