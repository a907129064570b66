"""One page for each ink in data/products.toml."""

from collections.abc import Iterator
from typing import Any


def paths(site: Any) -> Iterator[dict[str, Any]]:
    for slug, product in site.data["products"].items():
        yield {"params": {"slug": slug}, "props": {"product": product}}
