"""What a site knows of its assets: the file that stands for each name, and the forms that each picture has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hybridsite.errors import AssetError, did_you_mean

FOLDER = "assets"
IMMUTABLE = ("cache-control", "public, max-age=31536000, immutable")
"""The header of a file whose name changes whenever its content does (RFC 8246)."""
RASTER = (".avif", ".gif", ".jpeg", ".jpg", ".png", ".webp")
MAX_WIDTH = 8192
MAX_WIDTHS = 20


@dataclass(frozen=True, slots=True)
class Variant:
    """One form of a picture: its file below the site's root, its media type, and its width in pixels."""

    file: str
    type: str
    width: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is shown: the size of the source, and its forms; `file` instead where it is sent as it is."""

    width: int
    height: int
    variants: tuple[Variant, ...] = ()
    file: str | None = None


class Assets(Protocol):
    """What knows the assets of a site: what makes them, or what a build has told of them."""

    def names(self) -> Collection[str]:
        """The names that may be asked for."""
        ...

    def file(self, name: str) -> str:
        """Gives the fingerprinted file of an asset, as its path below the site's root. Raises AssetError."""
        ...

    def picture(self, name: str, widths: Sequence[int]) -> Picture:
        """Gives a picture in some widths; in its own where there are none. Raises AssetError."""
        ...


@dataclass(frozen=True)
class BuiltAssets:
    """The assets that a build has written, as its manifest tells them."""

    files: Mapping[str, str]
    pictures: Mapping[str, Picture]

    def names(self) -> Collection[str]:
        """The names that may be asked for."""
        return self.files.keys() | self.pictures.keys()

    def file(self, name: str) -> str:
        """Gives the file of an asset. Raises AssetError for a picture that no template or module named at build."""
        if name in self.files:
            return self.files[name]
        if name in self.pictures:
            raise _not_built(f'asset("{name}")')
        raise unknown_asset(name, self.names())

    def picture(self, name: str, widths: Sequence[int]) -> Picture:
        """Gives a picture. Raises AssetError for a width that the build didn't make."""
        picture = self.pictures.get(name)
        if picture is None:
            if name not in self.files:
                raise unknown_asset(name, self.names())
            raise no_picture(name) if not name.endswith((*RASTER, ".svg")) else _not_built(f'image("{name}")')
        if picture.file is not None:
            return picture
        wanted = shown_widths(widths, picture.width)
        variants = tuple(variant for variant in picture.variants if variant.width in wanted)
        if {variant.width for variant in variants} != set(wanted):
            raise _not_built(f'image("{name}", widths={list(wanted)})')
        return Picture(picture.width, picture.height, variants)

    def made(self) -> set[str]:
        """Gives the paths of all files that a build has made of them."""
        pictures = self.pictures.values()
        variants = {variant.file for picture in pictures for variant in picture.variants}
        return {*self.files.values(), *variants, *(picture.file for picture in pictures if picture.file)}

    def to_plain(self) -> dict[str, Any]:
        """Gives what the manifest holds of them."""
        pictures = {
            name: {
                "width": picture.width,
                "height": picture.height,
                **({"file": picture.file} if picture.file else {}),
                "variants": [[one.file, one.type, one.width] for one in picture.variants],
            }
            for name, picture in sorted(self.pictures.items())
        }
        return {"files": dict(sorted(self.files.items())), "pictures": pictures}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> BuiltAssets:
        """Reads what `to_plain` gave."""
        pictures = {
            name: Picture(
                entry["width"],
                entry["height"],
                tuple(Variant(file, kind, width) for file, kind, width in entry["variants"]),
                entry.get("file"),
            )
            for name, entry in plain.get("pictures", {}).items()
        }
        return cls(dict(plain.get("files", {})), pictures)


NO_ASSETS = BuiltAssets({}, {})


def shown_widths(widths: Iterable[int], own: int) -> tuple[int, ...]:
    """Gives the widths in which a picture is made: those that were asked for, none above its own."""
    return tuple(sorted({min(width, own) for width in widths} or {own}))


def unknown_asset(name: str, names: Collection[str]) -> AssetError:
    """Gives the fault of a name that no asset has."""
    file = name.rpartition("/")[2]
    same = sorted(other for other in names if other.rpartition("/")[2] == file)
    mend = f'did you mean "{same[0]}"?' if same else did_you_mean(name, names)
    if any(part.startswith("_") for part in name.split("/")):
        why, mend = "what begins with _ goes into other assets, and has no URL of its own", "rename it without _"
        return AssetError(f'there is no asset "{name}"', why=why, mend=mend)
    return AssetError(f'there is no asset "{name}"', mend=mend or f"names count from the folder {FOLDER}/")


def no_picture(name: str) -> AssetError:
    """Gives the fault of an `image()` of what can't be shown as a picture."""
    known = ", ".join(suffix[1:] for suffix in (*RASTER, ".svg"))
    return AssetError(f'"{name}" is no picture', why=f"image() takes {known}", mend="use asset() for its URL")


def _not_built(call: str) -> AssetError:
    return AssetError(
        f"{call} was not made by the build",
        why="pages rendered on demand have the pictures that their templates and modules name",
        mend="name it, and its widths, as they are in a template of the site",
    )
