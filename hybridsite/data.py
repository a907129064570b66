"""The files of data/: TOML, JSON and YAML, read once into `data.<stem>`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import yaml

from hybridsite import sources
from hybridsite.errors import Faults, Location, SourceError

DATA_SUFFIXES = (".toml", ".json", ".yaml", ".yml")


def load_data(index: Mapping[str, Path]) -> Mapping[str, object]:
    """Reads the data files in `index` (names below the site's root to their paths) into a mapping by stem.

    Raises SourceError, or SiteErrors, with the line of each file that doesn't parse, and for two files of one stem.
    """
    data: dict[str, object] = {}
    owners: dict[str, str] = {}
    faults = Faults()
    for file, path in index.items():
        if path.suffix not in DATA_SUFFIXES:
            continue
        with faults.collect():
            if path.stem in owners:
                raise SourceError(
                    f"{owners[path.stem]} and {file} both make data.{path.stem}",
                    mend="rename one of them",
                    location=Location(file),
                )
            owners[path.stem] = file
            data[path.stem] = _read(path, file)
    faults.raise_any()
    return MappingProxyType(data)


def _read(path: Path, file: str) -> object:
    text = sources.read_text(path, file)
    if path.suffix == ".toml":
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise SourceError("the file is no valid TOML", why=str(error), location=Location(file)) from None
    if path.suffix == ".json":
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            place = Location(file, error.lineno, error.colno)
            raise SourceError("the file is no valid JSON", why=error.msg, location=place) from None
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = Location(file, mark.line + 1, mark.column + 1) if mark else Location(file)
        raise SourceError("the file is no valid YAML", why=error.problem or "", location=place) from None
