"""Encodes one picture, in a process of its own that ends by itself: a decoder may crash or never end (CVE-2023-4863).

It is run by its path with a job as JSON on stdin: `source`, `folder`, `pixels`, `seconds` and `variants`, each with
`file`, `format` and `width`. What it can't decode is told on stdout, with exit code 3. It imports nothing
of hybridsite.
"""

from __future__ import annotations

import json
import resource
import sys
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("AVIF", "GIF", "JPEG", "PNG", "WEBP")
QUALITIES: dict[str, dict[str, Any]] = {
    # One thread and no tiles by the number of cores: the same bytes on every machine.
    "AVIF": {"quality": 55, "speed": 6, "max_threads": 1, "autotiling": False},
    "WEBP": {"quality": 78, "method": 5},
}


def main() -> int:
    """Does the job that stdin holds."""
    from PIL import Image

    job = json.load(sys.stdin)
    Image.MAX_IMAGE_PIXELS = None  # our own bound comes first, and is an error
    _allow(job["seconds"])
    try:
        with Image.open(job["source"], formats=FORMATS) as opened:
            if opened.width * opened.height > job["pixels"]:
                raise ValueError(f"it has over {job['pixels']:,} pixels")
            opened.draft(None, (2 * max(variant["width"] for variant in job["variants"]),) * 2)
            picture = _in_srgb(opened)
    except Exception as error:
        sys.stdout.write(f"{type(error).__name__}: {error}")
        return 3
    for variant in job["variants"]:
        _allow(job["seconds"])
        height = max(1, round(picture.height * variant["width"] / picture.width))
        with open(f"{job['folder']}/{variant['file']}", "wb") as file:
            resized = picture.resize((variant["width"], height), Image.Resampling.LANCZOS)
            resized.save(file, variant["format"], **QUALITIES[variant["format"]])
    return 0


def _allow(seconds: float) -> None:
    """Ends the process when it takes more than so much of the processor from now on: a busy machine costs nothing."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    until = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (until, hard))


def _in_srgb(opened: Image) -> Image:
    """Gives the picture upright, in sRGB, with 8 bits a channel and nothing besides: no EXIF, no profile."""
    from PIL import Image, ImageCms, ImageOps

    profile = opened.info.get("icc_profile")
    picture = ImageOps.exif_transpose(opened)
    if picture.mode.startswith("I;16") or picture.mode == "I":
        picture = picture.point(lambda value: value / 256).convert("L")
    see_through = picture.mode in ("L", "RGB") and "transparency" in picture.info
    if see_through or picture.mode in ("1", "P", "PA", "LA", "La"):
        picture = picture.convert("RGBA")
    if profile and picture.mode in ("RGB", "RGBA", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
            flat = picture.convert("RGB") if alpha else picture
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(flat, source, srgb, outputMode="RGB")
            assert converted is not None
            picture = converted
            if alpha:
                picture.putalpha(alpha)
        except ImageCms.PyCMSError:
            pass  # a profile that doesn't fit its picture: browsers pass over it, too
    if picture.mode not in ("RGB", "RGBA"):
        picture = picture.convert("RGB")
    picture.info = {}
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (255, 255):
        picture = picture.convert("RGB")
    return Image.frombytes(picture.mode, picture.size, picture.tobytes())


if __name__ == "__main__":
    sys.exit(main())
