"""The script that fills islands: small, one piece of JavaScript, its name made from what it holds."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import hybridsite
from hybridsite.island_client import script, script_path

SOURCE = Path(hybridsite.__file__).parent / "island_client.js"


def test_it_is_smaller_than_a_kilobyte_as_it_is_served() -> None:
    assert len(script()) < 1024


def test_its_name_is_made_from_its_content() -> None:
    folder, name = script_path()
    assert (folder, name) == ("_islands", f"client.{hashlib.sha256(script()).hexdigest()[:16]}.js")


def test_no_text_in_it_is_squeezed() -> None:
    texts = re.findall(r'"[^"]*"', SOURCE.read_text("utf-8").partition("let d")[2])
    assert len(texts) > 5
    assert [text for text in texts if text not in script().decode()] == []


def test_it_asks_for_no_power_that_a_strict_policy_refuses() -> None:
    # It has to run with `script-src 'self'`: no eval, no inline handlers, no styles.
    assert re.search(r"eval|Function\(|\bon[a-z]+=|style|document\.write", script().decode()) is None
