"""The HTML of a picture: `<picture>` with its sources, or `<img>` where it is sent as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup, escape

from hybridsite.assets.table import MAX_WIDTH, MAX_WIDTHS, Assets, Picture, Variant
from hybridsite.errors import AssetError, did_you_mean

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_OWN = ("src", "srcset", "width", "height")
_AVIF = "image/avif"


def image_html(
    assets: Assets,
    url: Callable[[str], str],
    name: str,
    *,
    alt: object = None,
    widths: object = None,
    sizes: str | None = None,
    loading: str = "lazy",
    **attributes: object,
) -> Markup:
    """Gives the HTML of an asset that is a picture. Raises AssetError.

    `widths` are in pixels, none above its own; `sizes` is HTML's; other attributes go to its `<img>`.
    """
    picture = assets.picture(name, check_call(name, alt, widths, loading))
    return picture_html(picture, url, alt=alt, sizes=sizes, loading=loading, attributes=attributes)


def check_call(name: str, alt: object, widths: object, loading: object) -> Sequence[int]:
    """Gives the widths of a call of image(). Raises AssetError for what it can't mean."""
    if not isinstance(alt, str):
        raise no_alt(name)
    if loading not in ("lazy", "eager"):
        raise AssetError(
            f'loading is "lazy" or "eager", not {loading!r}', mend=did_you_mean(str(loading), ("lazy", "eager"))
        )
    return check_widths(name, widths)


def no_alt(name: str) -> AssetError:
    """Gives the fault of a picture that says nothing to those who can't see it."""
    mend = 'write alt="what it shows", or alt="" where it only decorates'
    return AssetError(f'image("{name}") has no alt', why="who can't see it would get nothing", mend=mend)


def check_widths(name: str, widths: object) -> Sequence[int]:
    """Gives widths as they were written. Raises AssetError for what is no short list of sizes in pixels."""
    if widths is None:
        return ()
    whole = isinstance(widths, list | tuple) and all(
        isinstance(width, int) and not isinstance(width, bool) and 1 <= width <= MAX_WIDTH for width in widths
    )
    if not whole or not isinstance(widths, list | tuple) or not 1 <= len(widths) <= MAX_WIDTHS:
        why = f"they are a list of 1 to {MAX_WIDTHS} whole numbers from 1 to {MAX_WIDTH}"
        raise AssetError(f'the widths of image("{name}") are none', why=why, mend="write widths=[480, 960]")
    return widths


def picture_html(
    picture: Picture,
    url: Callable[[str], str],
    *,
    alt: object,
    sizes: str | None,
    loading: str,
    attributes: Mapping[str, object],
) -> Markup:
    """Gives the HTML of a picture. `url` gives the URL of a file. Raises AssetError for an attribute that is none.

    Width and height are those of the largest form, so that a browser keeps its place before it comes.
    """
    width = picture.variants[-1].width if picture.variants else picture.width
    height = max(1, round(picture.height * width / picture.width))
    own: dict[str, object] = {"width": width, "height": height, "alt": alt, "loading": loading, **_checked(attributes)}
    if loading == "eager":
        del own["loading"]
    if picture.file is not None:
        return Markup("<img{}>").format(_written({"src": url(picture.file), **own}))
    # `auto` is the width that the layout gives, which browsers know for lazy pictures alone (HTML, 4.8.4.2.2).
    sizes = sizes or ("auto, 100vw" if loading == "lazy" else "100vw")
    avif = [variant for variant in picture.variants if variant.type == _AVIF]
    webp = [variant for variant in picture.variants if variant.type != _AVIF]
    source = {"type": _AVIF, "srcset": _srcset(avif, url), "sizes": sizes}
    img = {"src": url(webp[-1].file), "srcset": _srcset(webp, url), "sizes": sizes, **own}
    return Markup("<picture><source{}><img{}></picture>").format(_written(source), _written(img))


def _checked(attributes: Mapping[str, object]) -> dict[str, object]:
    checked: dict[str, object] = {}
    for name, value in attributes.items():
        mend = did_you_mean(name, ("widths", "sizes", "loading"))
        if not _NAME.fullmatch(name) or name in _OWN or mend:
            why = "image() writes it by itself" if name in _OWN else ""
            raise AssetError(f'image() takes no "{name}"', why=why, mend=mend)
        checked[name.replace("_", "-")] = value
    return checked


def _srcset(variants: Sequence[Variant], url: Callable[[str], str]) -> str:
    # A comma ends a candidate only behind white space or at its end, and no fingerprinted file ends with one.
    return ", ".join(f"{url(variant.file)} {variant.width}w" for variant in variants)


def _written(attributes: Mapping[str, object]) -> Markup:
    parts = []
    for name, value in attributes.items():
        if value is True:
            parts.append(f" {name}")
        elif value is not None and value is not False:
            text = value.unescape() if isinstance(value, Markup) else str(value)
            parts.append(f' {name}="{escape(text)}"')
    return Markup("".join(parts))
