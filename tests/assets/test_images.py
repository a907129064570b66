"""Pictures: measured, planned and encoded; what a decoder can't be trusted with is refused."""

from __future__ import annotations

import os
import struct
import time
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from hybridsite.assets import images
from hybridsite.assets.store import ResultStore
from hybridsite.assets.table import Picture
from hybridsite.errors import AssetError, Faults
from tests.assets.support import drawn, workshop


def encoded(root: Path, body: bytes, widths: tuple[int, ...] = (), name: str = "a.png") -> dict[str, Image.Image]:
    """Gives the forms of a picture as a browser would decode them, by their media type and width."""
    shop = workshop(root, {name: body})
    picture = shop.picture(name, widths)
    faults = Faults()
    shop.encode_all(faults, lambda done, all: None)
    faults.raise_any()
    bodies = {one.file: one.read() for one in shop.made()}
    return {f"{one.type} {one.width}": Image.open(BytesIO(bodies[one.file])) for one in picture.variants}


def refused(root: Path, body: bytes, name: str = "a.png") -> str:
    with pytest.raises(AssetError) as caught:
        encoded(root, body, name=name)
    return str(caught.value)


def sides(picture: Image.Image) -> list[str]:
    """Names the colours left and right, as an eye would."""
    row = picture.convert("RGBA").resize((4, 1))
    found = [row.getpixel((x, 0)) for x in (0, 3)]
    return [("red", "green", "blue")[max(range(3), key=lambda c: pixel[c])] for pixel in found]  # type: ignore[index]


@pytest.mark.parametrize(
    ("format", "mode"),
    [("JPEG", "RGB"), ("PNG", "RGB"), ("PNG", "P"), ("PNG", "RGBA"), ("WEBP", "RGB"), ("AVIF", "RGB"), ("GIF", "P")],
)
def test_every_format_on_the_list_becomes_avif_and_webp(tmp_path: Path, format: str, mode: str) -> None:
    forms = encoded(tmp_path, drawn(format=format, mode=mode), (40,), f"a.{format.lower()}")
    assert {kind: form.format for kind, form in forms.items()} == {"image/avif 40": "AVIF", "image/webp 40": "WEBP"}
    assert all(form.size == (40, 30) and sides(form) == ["red", "blue"] for form in forms.values())


@pytest.mark.parametrize("mode", ["L", "LA", "1", "I;16", "CMYK"])
def test_other_kinds_of_pixels_are_taken_too(tmp_path: Path, mode: str) -> None:
    body = BytesIO()
    picture = Image.new("L", (20, 10), 128)
    wide = Image.new("I;16", (20, 10), 128 * 256) if mode == "I;16" else picture.convert(mode)
    wide.save(body, "TIFF" if mode == "none" else "JPEG" if mode == "CMYK" else "PNG")
    form = encoded(tmp_path, body.getvalue())["image/webp 20"].convert("L")
    assert form.getpixel((5, 5)) in (range(256) if mode == "1" else range(110, 146))


def test_what_is_seen_through_stays_so(tmp_path: Path) -> None:
    body = BytesIO()
    Image.new("RGBA", (20, 10), (255, 0, 0, 0)).save(body, "PNG")
    assert all(form.convert("RGBA").getpixel((5, 5))[3] == 0 for form in encoded(tmp_path, body.getvalue()).values())  # type: ignore[index]


def test_a_picture_is_never_made_larger(tmp_path: Path) -> None:
    picture = workshop(tmp_path, {"a.jpg": drawn((80, 60))}).picture("a.jpg", (40, 200, 400))
    assert [one.width for one in picture.variants] == [40, 40, 80, 80]


def test_it_stands_upright_and_says_nothing_of_where_it_was_taken(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right by a quarter: what was left is above
    exif[0x010F] = "a camera"
    forms = encoded(tmp_path, drawn((80, 60), exif=exif), name="a.jpg")
    assert list(forms) == ["image/avif 60", "image/webp 60"]
    for form in forms.values():
        assert form.size == (60, 80)
        assert sides(form.rotate(90, expand=True)) == ["red", "blue"]
        assert not form.getexif()
        assert {"exif", "xmp", "icc_profile"}.isdisjoint(form.info)


def test_colours_are_those_of_the_profile(tmp_path: Path) -> None:
    # A profile whose green and red are exchanged, made from sRGB's by exchanging the tags.
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.find(b"rXYZ"), profile.find(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    form = encoded(tmp_path, drawn(format="PNG", icc_profile=bytes(profile)))["image/webp 80"]
    assert sides(form) == ["green", "blue"]


def test_the_same_picture_gives_the_same_bytes_and_is_encoded_once(tmp_path: Path) -> None:
    bodies = []
    for place in ("one", "two"):
        shop = workshop(tmp_path / place, {"a.jpg": drawn()}, tmp_path / place / "cache")
        shop.picture("a.jpg", (40,))
        shop.encode_all(Faults(), lambda done, all: None)
        bodies.append({one.file: one.read() for one in shop.made()})
    assert bodies[0] == bodies[1] != {}
    again = workshop(tmp_path / "one", {}, tmp_path / "one/cache")
    again.picture("a.jpg", (40,))
    assert {one.file: one.read() for one in again.made()} == bodies[0]  # nothing is encoded, all is there


def test_a_picture_that_moves_is_refused(tmp_path: Path) -> None:
    body = drawn(format="GIF", mode="P", save_all=True, append_images=[Image.new("P", (80, 60), 1)])
    assert "the picture a.gif moves; image() makes stills" in refused(tmp_path, body, "a.gif")


@pytest.mark.parametrize("body", [b"", b"GIF89a", b"<svg/>", b"%!PS-Adobe-3.0 EPSF-3.0\n", drawn()[:300]])
def test_what_is_no_picture_is_refused(tmp_path: Path, body: bytes) -> None:
    assert refused(tmp_path, body).startswith("assets/a.png: the picture a.png can't be ")


def test_formats_that_are_not_on_the_list_are_not_decoded(tmp_path: Path) -> None:  # case X10
    assert "it is none of AVIF, GIF, JPEG, PNG, WEBP" in refused(tmp_path, drawn(format="TIFF"))


def test_a_picture_of_too_many_pixels_is_refused_by_its_head(tmp_path: Path) -> None:  # case X10
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100_000)) + chunk(b"IEND", b"")
    told = refused(tmp_path, bomb)
    assert "a.png is too large; it has 50000 × 50000 pixels, and 64,000,000 is the most" in told or (
        "could be decompression bomb" in told
    )


def slow() -> bytes:
    """Gives a progressive JPEG whose last scan comes some thousand times, as in libjpeg-turbo DW2-LJT1-02."""
    body = drawn((4000, 4000), progressive=True)
    start = body.rfind(b"\xff\xda")
    return body[:start] + body[start:-2] * 3000 + body[-2:]


def test_a_picture_that_takes_too_long_is_given_up(tmp_path: Path) -> None:  # case X10
    path = tmp_path / "a.jpg"
    path.write_bytes(slow())
    picture, forms = images.planned("a.jpg", (4000, 4000), "digest", (40,))
    assert isinstance(picture, Picture)
    before, began = os.times(), time.monotonic()
    with pytest.raises(AssetError, match=r"a\.jpg can't be encoded; it took too long; "):
        images.encode("a.jpg", path, forms, ResultStore(None), seconds=1)
    assert os.times().children_user - before.children_user < 6
    assert time.monotonic() - began < 100
