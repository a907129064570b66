"""What tests of assets stand on: a workshop over files in a folder, and pictures that were drawn for them."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hybridsite.assets.table import FOLDER
from hybridsite.assets.workshop import Workshop
from hybridsite.errors import AssetError
from tests.e2e.support import write_files


def workshop(root: Path, files: Mapping[str, str | bytes], cache: Path | None = None) -> Workshop:
    """Gives the workshop of a site with these files in assets/."""
    write_files(root / FOLDER, files)
    paths = {path.relative_to(root).as_posix(): path for path in sorted((root / FOLDER).rglob("*")) if path.is_file()}
    return Workshop(paths, cache)


def made(shop: Workshop, name: str) -> str:
    """Gives the text of an asset as it is sent."""
    file = shop.file(name)
    return next(one for one in shop.made() if one.file == file).read().decode()


def fault(shop: Workshop, name: str) -> str:
    """Gives what is told of an asset that can't be made."""
    with pytest.raises(AssetError) as caught:
        shop.file(name)
    return str(caught.value)


def drawn(size: tuple[int, int] = (80, 60), format: str = "JPEG", mode: str = "RGB", **options: Any) -> bytes:
    """Draws a picture whose left half is red and whose right half is blue, as far as its mode knows colours."""
    picture = Image.new("RGB", size, "red")
    picture.paste("blue", (size[0] // 2, 0, *size))
    body = BytesIO()
    picture.convert(mode).save(body, format, **options)
    return body.getvalue()
