"""The islands of a site: the modules beside components, and which islands a build knows ahead."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridsite.errors import Location, ModuleError
from tests.inprocess import loaded

FILES = {
    "pages/index.html": '{% island "components/a.html" %}{% endisland %}',
    "components/a.html": "a",
    "components/helper.py": "raise SystemExit('a helper without a component is left alone')",
}


def test_a_module_beside_a_component_is_loaded(tmp_path: Path) -> None:
    site = loaded(tmp_path, FILES | {"components/a.py": "def load(context):\n    return {}"})
    assert list(site.islands.modules) == ["components/a.html"]


@pytest.mark.parametrize(
    ("code", "line", "words"),
    [
        ("x = 1", 0, ("no function `load`", "define load(context)")),
        ("def lod(context):\n    pass", 1, ('"lod" is never called', 'did you mean "load"?')),
        ("import nothing_of_the_kind", 1, ("doesn't load",)),
    ],
)
def test_a_module_that_can_not_be_one_is_told(tmp_path: Path, code: str, line: int, words: tuple[str, ...]) -> None:
    with pytest.raises(ModuleError) as caught:
        loaded(tmp_path, FILES | {"components/a.py": code})
    error = caught.value
    assert error.location == Location("components/a.py", line)
    assert [word for word in words if word not in str(error)] == []
