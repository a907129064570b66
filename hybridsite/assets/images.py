"""Pictures: their size is read from the head of the file, their forms are planned by name, and encoded apart."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hybridsite.assets import encoder
from hybridsite.assets.store import ResultStore, key_of
from hybridsite.assets.table import FOLDER, Picture, Variant, shown_widths
from hybridsite.errors import AssetError, Location
from hybridsite.extras import install

MAX_PIXELS = 64_000_000
"""The pixels from which on a picture is refused: decoded, it takes four bytes for each."""
SECONDS = 60.0
"""The time of the processor that decoding a picture may take, and again each of its forms."""
_TYPES = {"AVIF": "image/avif", "WEBP": "image/webp"}
_MOVING = frozenset({"AVIF", "GIF", "PNG", "WEBP"})
_PATIENCE = 20
"""How many times as long as the processor's time a machine may take that is busy."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a picture that is to be made."""

    variant: Variant
    format: str
    key: str


def picture_size(name: str, path: Path, digest: str, store: ResultStore) -> tuple[int, int]:
    """Gives width and height of a picture as it is shown, upright. Raises AssetError for what can't be taken."""
    key = key_of("size", _made_by(name), digest)
    kept = store.get(key)
    if kept is None:
        kept = json.dumps(_measured(name, path)).encode()
        store.put(key, kept)
    width, height = json.loads(kept)
    return width, height


def _measured(name: str, path: Path) -> tuple[int, int]:
    import warnings

    from PIL import Image, UnidentifiedImageError

    place = Location(f"{FOLDER}/{name}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the bound below is an error
            with Image.open(path, formats=encoder.FORMATS) as opened:
                width, height = opened.size
                moves = opened.format in _MOVING and getattr(opened, "n_frames", 1) > 1
                turned = opened.getexif().get(0x0112, 1) in (5, 6, 7, 8)  # Orientation: EXIF 2.3, 4.6.4
    except (Image.DecompressionBombError, UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        known = ", ".join(encoder.FORMATS)
        why = f"it is none of {known}" if isinstance(error, UnidentifiedImageError) else str(error)
        raise AssetError(f"the picture {name} can't be read", why=why, location=place) from None
    if width * height > MAX_PIXELS:
        why = f"it has {width} × {height} pixels, and {MAX_PIXELS:,} is the most"
        raise AssetError(f"the picture {name} is too large", why=why, mend="make it smaller first", location=place)
    if moves:
        mend = "use asset() for its URL, or a <video>"
        raise AssetError(f"the picture {name} moves", why="image() makes stills", mend=mend, location=place)
    return (height, width) if turned else (width, height)


def planned(name: str, size: tuple[int, int], digest: str, widths: Sequence[int]) -> tuple[Picture, list[Form]]:
    """Gives a picture with all its forms, named for what they will be made from: nothing is encoded yet."""
    stem = name.rpartition(".")[0]
    forms = []
    for width in shown_widths(widths, size[0]):
        for kind, quality in encoder.QUALITIES.items():
            key = key_of("picture", _made_by(name), digest, kind, str(width), repr(sorted(quality.items())))
            file = f"{FOLDER}/{stem}.{width}.{key[:16]}.{kind.lower()}"
            forms.append(Form(Variant(file, _TYPES[kind], width), kind, key))
    return Picture(*size, tuple(form.variant for form in forms)), forms


def encode(name: str, path: Path, forms: Iterable[Form], store: ResultStore, *, seconds: float = SECONDS) -> None:
    """Encodes the forms of one picture that the store hasn't, and puts them there. Raises AssetError."""
    missing = [form for form in forms if store.get(form.key) is None]
    if not missing:
        return
    with tempfile.TemporaryDirectory(prefix="hybridsite-picture-") as folder:
        variants = [{"file": form.key, "format": form.format, "width": form.variant.width} for form in missing]
        job = {"source": str(path), "folder": folder, "pixels": MAX_PIXELS, "seconds": seconds, "variants": variants}
        _run(name, json.dumps(job), seconds * _PATIENCE * (1 + len(missing)))
        for form in missing:
            store.put(form.key, (Path(folder) / form.key).read_bytes())


def _run(name: str, job: str, patience: float) -> None:
    place = Location(f"{FOLDER}/{name}")
    command = [sys.executable, "-P", encoder.__file__]
    try:
        done = subprocess.run(command, input=job, capture_output=True, encoding="utf-8", timeout=patience)
    except subprocess.TimeoutExpired:
        done = None
    if done is None or -done.returncode in (signal.SIGXCPU, signal.SIGKILL):
        why, mend = "it took too long", "save it anew in a drawing program, as a plain JPEG or PNG"
        raise AssetError(f"the picture {name} can't be encoded", why=why, mend=mend, location=place)
    if done.returncode:
        told = done.stdout.strip() or done.stderr.strip().rpartition("\n")[2] or f"its decoder ended {done.returncode}"
        raise AssetError(f"the picture {name} can't be encoded", why=told, location=place)


@cache
def _versions() -> str | None:
    """Gives what the bytes of a form hang on besides the picture: the encoders. None without Pillow."""
    try:
        from PIL import __version__, features
    except ImportError:
        return None
    return f"{__version__} {features.version('avif')} {features.version('webp')} {features.version('libjpeg_turbo')}"


def without_pillow(name: str) -> AssetError:
    """Gives the error of a picture that can't be made."""
    return AssetError(f'image("{name}") needs Pillow, which is not installed', mend=install("images"))


def _made_by(name: str) -> str:
    versions = _versions()
    if versions is None:
        raise without_pillow(name)
    return versions
