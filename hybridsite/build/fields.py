"""The fields of all entries, each told by a short text: which of them are others than they were at the last build."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from hybridsite.build.snapshot import SECRET
from hybridsite.build.store import Store
from hybridsite.build.traces import SETTINGS
from hybridsite.dates import moment
from hybridsite.entries import Entry, field_of, group_keys
from hybridsite.entry_memory import GROUPS, MOMENT, EntryMemory, Fields, Known
from hybridsite.site import Site
from hybridsite.used import ALL, BODY, DRAFT, EVERYTHING, FILE, LIST, NEAR, URL, WHOLE
from hybridsite.values import fields_of, told


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed of entries: keys, and by collection and field the slugs of the entries whose field it is."""

    keys: frozenset[str] = frozenset()
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, reads: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yields what has changed of the fields that a page has read, each with the slug of an entry."""
        for key, slugs in reads.items() if self.fields else ():
            changed = self.fields.get(key)
            if not changed:
                continue
            if slugs == ALL:
                yield key, min(changed)
            elif (only := slugs[1:-1]) in changed:
                yield key, only
            elif found := changed.intersection(only.split("\n")):
                yield key, min(found)


def remembered(last: Store | None, changed: Collection[str], variables: Mapping[str, str | None]) -> EntryMemory:
    """Gives what the last build knew of entries, for a build that finds those files `changed`."""
    if last is None:
        return EntryMemory()
    holds = not any(name.endswith(".py") or name == SETTINGS or name.startswith("/") for name in changed)
    holds = holds and {**last.variables, SECRET: None} == {**variables, SECRET: None}
    return EntryMemory(last.entries, last.heads, frozenset(changed), holds)


def known_entries(site: Site, memory: EntryMemory) -> Known:
    """Tells the fields of all entries of a site.

    What was told of them holds for entries of files that are as they were, unless Python of the site makes them, or
    the time: those are told anew.
    """
    found = {}
    for name in site.content.names:
        holds = memory.holds and site.content.is_of_files_alone(name)
        last = memory.known.get(name, {}) if holds else {}
        found[name] = _of_collection(site, name, last, memory.changed)
    return found


def _of_collection(site: Site, name: str, last: Mapping[str, Fields], changed: Collection[str]) -> dict[str, Fields]:
    groups = site.listings.grouping(name)
    found = {}
    for entry in site.content.collection(name):
        then = last.get(entry.slug)
        if then is None or entry._draft or then[FILE] != entry._file or entry._file in changed:
            then = _tell(entry, site.content.policy.zone, groups)
        found[entry.slug] = then
    return found


def _tell(entry: Entry, zone: tzinfo, groups: Iterable[str]) -> Fields:
    values = fields_of(entry._data)
    fields = {WHOLE: ""} if values is None else {f".{name}": told(value) for name, value in values.items()}
    fields[FILE] = entry._file
    if entry._draft:
        fields[DRAFT] = "draft"
    if (when := moment(field_of(entry, "date"), zone)) is not None:
        fields[MOMENT] = when.isoformat()
    for name in groups:
        keys = group_keys(entry, name)
        if all(type(key) is str and "\n" not in key and key for key in keys):
            fields[f"{GROUPS}{name}"] = "\n".join(keys)
    if not entry._file.endswith(".md"):  # the body of such a file changes with the file
        fields[BODY] = told(entry.body)
    return fields


def compare(site: Site, then: Known, now: Known, changed: Collection[str]) -> Changes:
    """Compares entries with what was told of them. `changed` are the files that are others than they were."""
    keys: set[str] = set()
    fields: dict[str, set[str]] = {}
    for name in then.keys() | now.keys():
        before, after = then.get(name, {}), now.get(name, {})
        made_of = {f".{field}" for listing in site.listings.showing(name) for field in listing.fields}
        for slug in before.keys() | after.keys():
            if before.get(slug) is not after.get(slug):
                for key in _changed(before.get(slug), after.get(slug), made_of, changed):
                    fields.setdefault(f"{name}{key}", set()).add(slug)
        if list(before) != list(after):
            keys.add(f"{LIST}{name}")
            fields[f"{name}{NEAR}"] = _moved(before, after)
            # What a link in Markdown leads to: an entry may come, or go, though its file stays.
            keys.update(_files(before) ^ _files(after))
    if keys or fields:
        keys.add(EVERYTHING)
    return Changes(frozenset(keys), {key: frozenset(slugs) for key, slugs in fields.items()})


def _changed(then: Fields | None, now: Fields | None, made_of: Iterable[str], changed: Collection[str]) -> set[str]:
    before, after = then or {}, now or {}
    names = before.keys() | after.keys()
    # What can't be told is another each time.
    found = {name for name in names if before.get(name) != after.get(name) or (before[name] == "" and name[0] == ".")}
    if then is None or now is None or WHOLE in names:
        found |= {WHOLE, URL, BODY}
    if any(name[0] == "." for name in found):
        found.add(WHOLE)
        if any(name in found or name not in names for name in made_of):
            found.add(URL)
    if after.get(FILE) in changed:
        found.add(BODY)
    return found


def _moved(before: Iterable[str], after: Iterable[str]) -> set[str]:
    then, now = _neighbours(before), _neighbours(after)
    return {slug for slug in then.keys() | now.keys() if then.get(slug) != now.get(slug)}


def _neighbours(slugs: Iterable[str]) -> dict[str, tuple[str, str]]:
    row = ["", *slugs, ""]
    return {slug: (row[number], row[number + 2]) for number, slug in enumerate(row[1:-1])}


def _files(entries: Mapping[str, Fields]) -> set[str]:
    return {fields[FILE] for fields in entries.values() if fields[FILE]}
