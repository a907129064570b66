"""A site to begin with: one of starters/, copied, with a title of its own; and the schema that editors check it by."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from hybridsite.errors import SiteError

STARTERS: Mapping[str, str] = {
    "blog": "posts in Markdown, with tags, feeds and a sitemap",
    "shop": "a shelf, a cart that remembers, a checkout to finish",
    "minimal": "one page for everybody, and one for each visitor",
}
"""The starters by name, and what each is."""

SCHEMA = ".hybridsite/site.schema.json"
"""Where the JSON Schema of site.toml lies, below a site: beside what hybridsite keeps, and like that outside of git."""
SCHEMA_LINE = f"#:schema ./{SCHEMA}"
"""The first line of a site.toml by which editors find it (Taplo's directive, which Even Better TOML knows too)."""

_FOLDER = Path(__file__).parent / "starters"
_SETTINGS = "site.toml"
_OWN_HIDDEN = (".gitignore", ".hybridsite")


def title_of(folder: Path) -> str:
    """Makes a title of the name of a folder: `my-site` gives "My site"."""
    words = " ".join(re.split(r"[-_.\s]+", folder.resolve().name)).strip()
    return words[:1].upper() + words[1:] or "My site"


def check_place(folder: Path) -> None:
    """Raises SiteError where a new site can't be written into a folder without meeting what is there."""
    try:
        met = sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise SiteError(f"{folder} is no folder", mend="name a folder that isn't there yet") from None
    except OSError as error:
        raise SiteError(f"{folder} can't be read", why=_reason(error)) from None
    # What others keep there, such as .git or .venv, is in nobody's way.
    met = [name for name in met if not name.startswith(".")] + [name for name in _OWN_HIDDEN if name in met]
    if met:
        more = f" and {len(met) - 1} more" if len(met) > 1 else ""
        mend = "name a folder that is empty or isn't there yet"
        raise SiteError(f"{folder} is not empty", why=f"it has {met[0]}{more}", mend=mend)


def check_title(title: str) -> None:
    """Raises SiteError for what is no title."""
    if not title.strip() or not title.isprintable():
        raise SiteError("the title is empty, or more than a line", mend='write a few words: --title "My site"')


def new_site(folder: Path, starter: str, title: str) -> int:
    """Writes the starter of that name into a folder, and gives the number of its files. What is there stays as it is.

    Raises SiteError as `check_place` and `check_title` do, and where the folder can't be written.
    """
    check_place(folder)
    check_title(title)
    files = dict(_files(starter))
    files[_SETTINGS] = _titled(files[_SETTINGS], rb"^title = .*$", f"title = {json.dumps(title, ensure_ascii=False)}")
    files["README.md"] = _titled(files["README.md"], rb"^# .*$", f"# {title}")
    try:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(content)
        keep_schema(folder)
    except OSError as error:
        raise SiteError(f"{folder} can't be written", why=_reason(error)) from None
    return len(files)


def keep_schema(root: Path) -> None:
    """Writes the schema of site.toml where the site's first lines ask for it, unless it is there as it should be.

    Raises OSError where it can't be written.
    """
    from hybridsite.config import json_schema  # here since it takes longer than all else

    try:
        with (root / _SETTINGS).open("rb") as file:
            head = file.read(1000)
    except OSError:
        return  # told by whoever reads the settings
    if SCHEMA_LINE.encode() not in head.splitlines():
        return
    path, text = root / SCHEMA, json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if not path.is_file() or path.read_text("utf-8", "replace") != text:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(text, "utf-8")
        draft.replace(path)  # an editor may read it at any moment


def _files(starter: str) -> Iterator[tuple[str, bytes]]:
    """Yields the files of a starter by their names, without what an installer compiled beside them."""
    place = _FOLDER / starter
    for path in sorted(place.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(place).as_posix(), path.read_bytes()


def _titled(content: bytes, line: bytes, by: str) -> bytes:
    return re.sub(line, lambda found: by.encode(), content, count=1, flags=re.MULTILINE)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
