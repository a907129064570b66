"""The workshop: makes the assets of a site from assets/, each when it is first asked for, and remembers the work."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from hybridsite import sources
from hybridsite.assets import css, images, scripts, svg
from hybridsite.assets.references import circle
from hybridsite.assets.store import ResultStore
from hybridsite.assets.table import FOLDER, RASTER, BuiltAssets, Picture, Variant, no_picture, unknown_asset
from hybridsite.errors import AssetError, Faults, Location
from hybridsite.media import media_type
from hybridsite.used import ASSETS, note, note_asset

_STYLES = (".css",)
_SCRIPTS = (".js", ".mjs")
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Made:
    """One file as it is sent: its path below the site's root, its type, and its bytes, or the file that has them."""

    file: str
    type: str
    content: bytes | Path

    def read(self) -> bytes:
        """Gives the bytes."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()


class Workshop:
    """The assets of a site whose sources are there. Files whose path has a part that begins with _ only go into others.

    `asked` has the names that were asked for, by whomever.
    """

    def __init__(self, index: Mapping[str, Path], cache: Path | None = None) -> None:
        named = ((unicodedata.normalize("NFC", name).removeprefix(f"{FOLDER}/"), path) for name, path in index.items())
        self._index: dict[str, Path] = {}
        self._doubles: list[tuple[str, str]] = []
        seen: dict[str, str] = {}
        for name, path in named:
            if (other := seen.get(name.casefold())) is not None:  # in another case, or by other code points of Unicode
                self._doubles.append((other, name))
            seen[name.casefold()] = name
            self._index[name] = path
        self._public = {name for name in self._index if not any(part[0] == "_" for part in name.split("/"))}
        self._store = ResultStore(cache)
        self._files: dict[str, Made] = {}
        self._digests: dict[str, str] = {}
        self._pictures: dict[str, Picture] = {}
        self._forms: dict[str, dict[str, images.Form]] = {}
        self._under_way: list[str] = []
        self._lock = threading.RLock()  # functions of the site that are not async run in threads
        self.asked: set[str] = set()

    def names(self) -> Collection[str]:
        """The names that may be asked for."""
        return self._public

    def known(self) -> Collection[str]:
        """The names of all files in assets/."""
        return self._index.keys()

    def text(self, name: str) -> str:
        """Gives the text of a file in assets/. Raises SourceError."""
        if name not in self._under_way[-1:]:
            self.asked.add(name)
        note(ASSETS)
        return sources.read_text(self._index[name], f"{FOLDER}/{name}")

    def file(self, name: str) -> str:
        """Gives the fingerprinted file of an asset. Raises AssetError, and SourceError for one that can't be read."""
        with self._lock:
            self.asked.add(name)
            note_asset(name)
            return self._at_hand(name).file

    def _at_hand(self, name: str) -> Made:
        if name not in self._files:
            self._files[name] = self._made(name)
        return self._files[name]

    def _made(self, name: str) -> Made:
        if name not in self._public:
            raise unknown_asset(name, self._public)
        if name in self._under_way:
            raise circle(self._under_way, name, Location(f"{FOLDER}/{name}"))
        make = css.style_sheet if name.endswith(_STYLES) else scripts.script if name.endswith(_SCRIPTS) else None
        if make is None:
            return Made(_fingerprinted(name, self._digest(name)), media_type(name), self._index[name])
        self._under_way.append(name)
        try:
            body = make(name, self, self._store)
        finally:
            self._under_way.pop()
        return Made(_fingerprinted(name, hashlib.sha256(body).hexdigest()), media_type(name), body)

    def picture(self, name: str, widths: Sequence[int]) -> Picture:
        """Gives a picture in some widths, which are encoded before the build ends. Raises AssetError."""
        note_asset(name, tuple(widths))
        with self._lock:
            if name not in self._public:
                raise unknown_asset(name, self._public)
            self.asked.add(name)
            if name.endswith(".svg"):
                if name not in self._pictures:
                    self._digest(name)  # which says where it can't be read
                    size = svg.size_of(self._index[name].read_bytes(), f"{FOLDER}/{name}")
                    self._pictures[name] = Picture(*size, file=self.file(name))
                return self._pictures[name]
            if not name.lower().endswith(RASTER):
                raise no_picture(name)
            digest = self._digest(name)
            size = images.picture_size(name, self._index[name], digest, self._store)
            picture, forms = images.planned(name, size, digest, widths)
            self._forms.setdefault(name, {}).update({form.key: form for form in forms})
            return picture

    def source_of(self, stem: str, suffix: str) -> str | None:
        """Gives the name of the asset that a file is made from, by what stands around the hash in its name."""
        if stem + suffix in self._public:
            return stem + suffix
        picture, _, width = stem.rpartition(".")
        names = (name for name in self._public if name.lower().endswith(RASTER) and width.isdecimal())
        return next((name for name in names if name.rpartition(".")[0] == picture), None)

    def make(self, stem: str, suffix: str) -> Made:
        """Makes one file, a picture's in that one form, as it is now: its hash may be another. Raises AssetError."""
        name = self.source_of(stem, suffix)
        if name == stem + suffix:
            with self._lock:
                return self._at_hand(name)
        if name is not None:
            width = int(stem.rpartition(".")[2][:5])
            with self._lock:
                self.picture(name, [max(width, 1)])
                forms = [form for form in self._forms[name].values() if form.variant.width == width]
            for form in forms:
                if form.variant.file.endswith(suffix):
                    images.encode(name, self._index[name], [form], self._store)
                    return Made(form.variant.file, form.variant.type, self._store.get(form.key) or b"")
        raise unknown_asset(stem + suffix, self._public)

    def _digest(self, name: str) -> str:
        if name not in self._digests:
            try:
                with self._index[name].open("rb") as file:
                    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                        raise AssetError(f"the asset {name} is no file", location=Location(f"{FOLDER}/{name}"))
                    self._digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                why, place = error.strerror or str(error), Location(f"{FOLDER}/{name}")
                raise AssetError(f"the asset {name} can't be read", why=why, location=place) from None
        return self._digests[name]

    def make_all(self, faults: Faults) -> None:
        """Makes every asset but the pictures, which are sent as they are only where somebody asks for that."""
        for one, other in self._doubles:
            what = f"{one} and {other} are one file on many disks"
            faults.add(AssetError(what, mend="rename one of them", location=Location(f"{FOLDER}/{other}")))
        with self._lock:
            for name in sorted(self._public):
                if not name.lower().endswith(RASTER):
                    with faults.collect():
                        self._at_hand(name)

    def encode_all(self, faults: Faults, progress: Progress) -> None:
        """Encodes the forms of all pictures that were asked for, on all processors.

        `progress` is told how many of how many are done.
        """
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            work = {
                pool.submit(images.encode, name, self._index[name], list(forms.values()), self._store): name
                for name, forms in sorted(self._forms.items())
            }
            for done, future in enumerate(as_completed(work), 1):
                with faults.collect():
                    future.result()
                progress(done, len(work))
        self._store.sweep(time.time())

    def files(self) -> set[str]:
        """Gives the paths of all files that there will be, encoded or not."""
        variants = (form.variant.file for forms in self._forms.values() for form in forms.values())
        return {made.file for made in self._files.values()}.union(variants)

    def made(self) -> Iterator[Made]:
        """Yields every file that there is now, in the order of their names."""
        yield from (self._files[name] for name in sorted(self._files))
        forms = [form for of_one in self._forms.values() for form in of_one.values()]
        for form in sorted(forms, key=lambda form: form.variant.file):
            body = self._store.get(form.key)
            if body is not None:
                yield Made(form.variant.file, form.variant.type, body)

    def built(self) -> BuiltAssets:
        """Gives what a server has to know of them."""
        pictures = dict(self._pictures)
        for name, forms in self._forms.items():
            variants: list[Variant] = sorted(
                (form.variant for form in forms.values()), key=lambda one: (one.width, one.type)
            )
            size = images.picture_size(name, self._index[name], self._digest(name), self._store)
            pictures[name] = Picture(*size, tuple(variants))
        return BuiltAssets({name: made.file for name, made in self._files.items()}, pictures)


def _fingerprinted(name: str, digest: str) -> str:
    folder, slash, file = name.rpartition("/")
    # What ends in two suffixes keeps both: site.css.map.
    stem, dot, suffix = file.partition(".") if file.endswith(".map") else file.rpartition(".")
    return f"{FOLDER}/{folder}{slash}{stem if dot else file}.{digest[:16]}{dot}{suffix if dot else ''}"
