"""Where the entries of one collection are at home: its records, what is made of them, and the HTML asked for last."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo
from functools import cached_property, lru_cache, partial
from math import inf
from typing import Any, NamedTuple, Protocol

from hybridsite import markdown, sources
from hybridsite.collections import Resolver
from hybridsite.dates import aware, moment, now
from hybridsite.declarations import Declared
from hybridsite.entries import LATE, Entries, Entry, field_of, order
from hybridsite.entry_memory import GROUPS, MOMENT, EntryMemory, Fields
from hybridsite.errors import ContentError, Faults, Location
from hybridsite.frozen import FrozenDict, frozen
from hybridsite.inheritance import code_state, inherited
from hybridsite.records import Record, folder_records
from hybridsite.schemas import Schema, make_schema
from hybridsite.used import BODY, FILE, HOME, Notes, note, note_field, noting, repeat

_log = logging.getLogger("hybridsite")

_REMEMBERED = 64
"""How many bodies are kept as HTML: a page asks for html, headings and toc of a few entries."""
DRAFT = "it is a draft"
_TEXT_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Policy:
    """What is left out of collections, and how times are read: drafts, and what is dated after `now`."""

    zone: tzinfo
    now: datetime
    drafts: bool = False
    future: bool = False


class Content(Resolver, Protocol):
    """What a collection asks of all of them."""

    memory: EntryMemory | None

    def render(self, body: str, entry: Entry, line: int, *, trusted: bool) -> markdown.Rendered:
        """Makes HTML of an entry's Markdown."""
        ...

    def url(self, entry: Entry) -> str:
        """Gives the URL of an entry's page."""
        ...


class _Parts(NamedTuple):
    """What an entry is made of that is none of its collection's: the next load of the site may take it over."""

    record: Record
    data: Any
    draft: bool
    date: datetime | None


class Home:
    """One collection: its records, the entries that were made of them, and the HTML that was asked for last."""

    def __init__(self, declared: Declared, content: Content, policy: Policy) -> None:
        self.declared = declared
        self.policy = policy
        self.is_read = False
        self.left_out: dict[str, str] = {}
        self.holds_until = inf if declared.function is None else 0.0
        self.left_out_files: set[str] = set()
        self._content = content
        self._records: Mapping[str, Record] = {}
        self._late: Mapping[str, Fields] = {}
        self._entries: Entries | None = None
        self._rendered = lru_cache(maxsize=_REMEMBERED)(self._render)
        self._schema: Schema | None = None
        self._read_at: float | None = None
        self._reading: asyncio.Future[None] | None = None

    @property
    def entries(self) -> Entries:
        """The entries in their order. A live collection that nobody read yet is read now."""
        if self._entries is None:
            faults = Faults()
            self.collect(self.declared.records(faults), faults)
            self.check(faults)
            faults.raise_any()
        assert self._entries is not None
        return self._entries

    @property
    def is_pure(self) -> bool:
        """Whether what its schema makes of a record depends on that record, and on the entries that it refers to."""
        return self._schema is None or self._schema.is_pure

    @cached_property
    def by_file(self) -> Mapping[str, Entry]:
        """The entries of a folder by their files."""
        return {entry.file: entry for entry in self.entries if entry.file}

    @property
    def refers(self) -> bool:
        """Whether its schema has references to entries."""
        return self._schema is not None and self._schema.refers

    def has(self, slug: str) -> bool:
        """Tells whether an entry of that slug was read."""
        return slug in self._records or slug in self._late

    def slugs(self) -> Set[str]:
        """The slugs of the entries that were read."""
        return self._records.keys() | self._late.keys()

    def forget(self) -> None:
        """Begins anew."""
        self._records, self._late = {}, {}
        self.left_out, self.left_out_files = {}, set()
        self.holds_until = inf if self.declared.function is None else 0.0

    def recall(self, memory: EntryMemory) -> bool:
        """Takes over the entries whose files are as they were, and reads the others.

        Gives False, and has to be asked anew, where that can't be done, or a fault is to be told.
        """
        declared, faults = self.declared, Faults()
        if not declared.folder:
            return False
        with faults.collect():
            self._schema = make_schema(declared.schema, self.policy.zone, declared.place)
            if not self.is_pure:
                return False
            late = memory.unchanged(declared.name)
            known = {fields[FILE] for fields in late.values()}
            files = {file: path for file, path in (declared.files or {}).items() if file not in known}
            self.collect(folder_records(declared.folder, files, faults), faults)
            self._late = late
        return not faults and self._records.keys().isdisjoint(self._late)

    def collect(self, records: Iterator[Record], faults: Faults) -> None:
        """Keeps the records of all entries that are shown. Two of one slug are a fault."""
        found: dict[str, Record] = {}
        for record in records:
            with faults.collect():
                reason = _left_out(record, self.policy, self.declared.place)
                if reason:
                    self.left_out[record.slug] = reason
                    if (when := moment(record.values.get("date"), self.policy.zone)) and when > self.policy.now:
                        self.holds_until = min(self.holds_until, when.timestamp())
                    if self.declared.folder:  # a file of several entries stays where it is
                        self.left_out_files.add(record.file)
                    continue
                other = found.setdefault(record.slug, record)
                if other is not record:
                    where = other.place() or self.declared.place
                    what = f'two entries of "{self.declared.name}" have the slug "{record.slug}"'
                    why = f"the other is {where}" if other.file else ""
                    mend = "rename one, or give it a `slug`"
                    location = record.place() or self.declared.place
                    raise ContentError(what, why=why, mend=mend, location=location)
                if self._content.memory is not None and record.path is not None and record.body is None:
                    self._content.memory.remember(record.file, record.values)
        self._records = found
        self.is_read = True

    def check(self, faults: Faults) -> None:
        """Makes entries of the records. Each that doesn't fit the schema is a fault."""
        policy, declared = self.policy, self.declared
        schema = self._schema = self._schema or make_schema(declared.schema, policy.zone, declared.place)
        has_dates = any(record.values.get("date") is not None for record in self._records.values())
        needs_date = schema.needs_date if schema else has_dates
        today = policy.now.astimezone(policy.zone).date()
        # A schema that calls functions may find another answer than the last time, or refers to other entries.
        can_inherit = bool(declared.folder) and self.is_pure and not self.refers
        rests_on = (needs_date, today, policy.zone, declared.schema, code_state())
        made: list[tuple[Entry, datetime | None]] = [
            (Entry(declared.name, slug, LATE, fields[FILE], False, self), _when(fields))
            for slug, fields in self._late.items()
        ]
        bare: dict[str, Record] = {}
        for slug, record in self._records.items():
            make = partial(self._read_data, record, today if needs_date else None)
            bare[slug] = replace(record, values={})  # what the data was made of is not kept beside it
            with faults.collect():
                parts = inherited("entry", (declared.name, slug), (record, *rests_on), make) if can_inherit else make()
                bare[slug] = parts.record
                made.append((Entry(declared.name, slug, parts.data, record.file, parts.draft, self), parts.date))
        self._entries = Entries(declared.name, order(made), policy.zone)
        self._records = bare

    def _read_data(self, record: Record, today: date | None) -> _Parts:
        """Reads a record by the schema. A draft of a collection that needs dates may have none yet: then it is `today`.

        Raises ContentError, or SiteErrors.
        """
        draft = _is_draft(record, self.declared.place)
        _check_jinja(record)
        if draft and today is not None and record.values.get("date") is None:
            self.holds_until = 0.0
            record = replace(record, values={**record.values, "date": today})
        data = self._made(record)
        entry = Entry(self.declared.name, record.slug, data, record.file, draft, self)
        return _Parts(replace(record, values={}), data, draft, moment(field_of(entry, "date"), self.policy.zone))

    # What entries ask.

    def body(self, entry: Entry) -> tuple[str, int]:
        """Gives the Markdown of an entry, and the line on which it begins: 0 where it isn't known."""
        if entry.slug in self._late:
            return sources.load_body(self.declared.root / entry._file, entry._file)
        record = self._records.get(entry.slug)
        if record is None or record.body is not None:
            return (record.body or "", 0) if record else ("", 0)
        assert record.path is not None
        return sources.load_body(record.path, record.file)

    def data(self, entry: Entry) -> Any:
        """Makes the data of an entry whose file is as it was."""
        assert self._content.memory is not None
        file = entry._file
        record = Record(entry.slug, self._content.memory.values(file), file, self.declared.root / file, body=None)
        return self._made(record)

    def _made(self, record: Record) -> Any:
        schema = self._schema
        if schema is None:
            return _data(record, self.policy.zone)
        return schema.data(record, self._content, self.declared.place)

    def groups(self, entry: Entry, name: str) -> Sequence[str] | None:
        """Gives the groups of such an entry by a field, if they were told."""
        text = self._late[entry.slug].get(f"{GROUPS}{name}")
        return None if text is None else text.split("\n") if text else ()

    def rendered(self, entry: Entry) -> markdown.Rendered:
        """Gives the HTML of an entry, of which the last few are kept, each with what was used to make it."""
        rendered, noted = self._rendered(entry)
        repeat(noted)
        return rendered

    def _render(self, entry: Entry) -> tuple[markdown.Rendered, Notes]:
        with noting() as noted:
            note(f"{HOME}{self.declared.name}")
            note_field(entry.collection, BODY, entry.slug)
            body, line = self.body(entry)
            return self._content.render(body, entry, line, trusted=self.declared.trusted), noted

    def url(self, entry: Entry) -> str:
        """Gives the URL of an entry's page."""
        return self._content.url(entry)

    # Live collections.

    async def refresh(self) -> None:
        """Reads the collection again where its time is over; requests at once share a reading that began after them.

        A reading that fails is logged, and the last good one stays. Raises SiteError where there is none.
        """
        arrived = time.monotonic()
        while self._read_at is None or (
            self._read_at < arrived and arrived - self._read_at >= (self.declared.ttl or 0)
        ):
            if self._reading is None:
                self._reading = asyncio.ensure_future(self._read())
                self._reading.add_done_callback(self._end)
            await asyncio.shield(self._reading)

    def _end(self, reading: asyncio.Future[None]) -> None:
        self._reading = None
        if not reading.cancelled():
            reading.exception()  # somebody has been told, or has gone

    async def _read(self) -> None:
        began, faults = time.monotonic(), Faults()
        fresh = Home(self.declared, self._content, replace(self.policy, now=now({})))
        try:
            given = await self.declared.given()
            fresh.collect(self.declared.made(given, faults), faults)
            fresh.check(faults)
            faults.raise_any()
        except Exception as error:
            if self._entries is None:
                raise
            _log.error('the collection "%s" stays as it was: %s', self.declared.name, error)
        else:
            self._records, self._entries, self.is_read = fresh._records, fresh.entries, True
            self.left_out = fresh.left_out
            for entry in self._entries:
                entry._home = self
        self._read_at = began


def _when(fields: Fields) -> datetime | None:
    text = fields.get(MOMENT)
    return datetime.fromisoformat(text) if text else None


def _data(record: Record, zone: tzinfo) -> FrozenDict:
    values = {name: value for name, value in record.values.items() if name not in ("slug", "draft")}
    if record.body is not None:
        values.pop("body", None)
    data: FrozenDict = aware(frozen(values), zone)
    return data


def _check_jinja(record: Record) -> None:
    if record.body is None and record.values.get("jinja") is True:
        what, mend = "the body of an entry is no template", "take `jinja` out, or make it a page"
        raise ContentError(what, mend=mend, location=record.place(["jinja"]))


def _is_draft(record: Record, place: Location) -> bool:
    value = record.values.get("draft", False)
    if isinstance(value, str):
        value = _TEXT_TRUTH.get(value.strip().lower(), value)  # CSV has text alone
    if not isinstance(value, bool):
        mend = "write true or false, without quotes"
        raise ContentError('"draft" has to be true or false', mend=mend, location=record.place(["draft"]) or place)
    return value


def _left_out(record: Record, policy: Policy, place: Location) -> str:
    """Gives why an entry isn't shown, or nothing."""
    if policy.drafts:
        return ""
    if _is_draft(record, place):
        return DRAFT
    when = None if policy.future else moment(record.values.get("date"), policy.zone)
    return f"it is dated in the future: {record.values['date']}" if when and when > policy.now else ""
