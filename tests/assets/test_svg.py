"""The size that an SVG says it has. Nothing of it is drawn, and no entity of it is resolved."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridsite.assets.svg import size_of
from hybridsite.assets.table import Picture
from hybridsite.errors import AssetError
from tests.assets.support import workshop


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('viewBox="0 0 400 300"', (400, 300)),
        ('viewBox="-1.5, 0, 20.6,10"', (21, 10)),
        ('width="40" height="30px" viewBox="0 0 4 3"', (40, 30)),
        ('width="100%" height="100%" viewBox="0 0 4 3"', (4, 3)),
        ('width="40" viewBox="0 0 4 3"', (40, 30)),
    ],
)
def test_the_size_is_read_off_the_root(attributes: str, size: tuple[int, int]) -> None:
    assert size_of(f'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" {attributes}/>'.encode(), "a") == size


@pytest.mark.parametrize("text", ["<svg/>", '<svg width="5em" height="1em"/>', '<html viewBox="0 0 4 3"/>', "no", ""])
def test_one_without_a_size_is_told(text: str) -> None:
    with pytest.raises(AssetError, match=r"says no size|is no SVG"):
        size_of(text.encode(), "assets/a.svg")


def test_entities_cost_nothing(tmp_path: Path) -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE svg [<!ENTITY e0 "x">{levels}]><svg viewBox="0 0 4 3">&e11;</svg>'
    assert workshop(tmp_path, {"a.svg": bomb}).picture("a.svg", ()).height == 3


def test_it_is_sent_as_it_is(tmp_path: Path) -> None:
    shop = workshop(tmp_path, {"a.svg": '<svg viewBox="0 0 4 3"><script>1</script></svg>'})
    assert shop.picture("a.svg", (40, 80)) == Picture(4, 3, file=shop.file("a.svg"))
    assert [one.read() for one in shop.made()] == [b'<svg viewBox="0 0 4 3"><script>1</script></svg>']
