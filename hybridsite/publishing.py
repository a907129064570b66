"""Publishing: the files of dist/client/ into a bucket of S3 or of a store that speaks its protocol.

What stands there is known by a record that lies among them, and by the store's own list: a file goes up where the
record has another digest, or the store another ETag than it had when it went up. So nothing that others changed is
taken for ours, and nothing that others put there is deleted unless that was asked for.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import mimetypes
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybridsite.assets.table import FOLDER as ASSETS
from hybridsite.errors import BuildError
from hybridsite.extras import install
from hybridsite.manifest import CLIENT, BuiltFile, read_manifest

RECORD = ".hybridsite/published.json"
GRACE = 24 * 60 * 60.0
"""How many seconds a fingerprinted file stays after it was last in a build: pages that browsers still have name it."""

_FORMAT = 1
_AT_ONCE = 16
_ADDRESS = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[^?#\\]*))?")
_FRESH = "public, max-age=0, must-revalidate"  # what the server says of a file that says nothing itself
# What is for other hosts, and for no visitor.
_RULES = ("_headers", "_redirects", "_routes.json", "_worker.js")
# The headers that a store keeps with a file.
_KEPT = ("Cache-Control", "Content-Disposition", "Content-Language")


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where to publish: a bucket, and what the keys begin with, empty or with a slash at its end.

    `endpoint` is that of another store than Amazon's; None for Amazon's.
    """

    name: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None

    @classmethod
    def parse(cls, address: str, *, endpoint: str | None = None, region: str | None = None) -> Bucket:
        """Reads `s3://bucket[/prefix]`. Raises BuildError."""
        match = _ADDRESS.fullmatch(address)
        parts = [part for part in (match["prefix"] or "").split("/") if part] if match else []
        if match is None or {".", ".."} & set(parts):
            why = "it is s3://BUCKET or s3://BUCKET/PREFIX"
            raise BuildError(f'"{address}" is no address to publish to', why=why)
        return cls(match["bucket"], "".join(f"{part}/" for part in parts), endpoint, region)


@dataclass(frozen=True, slots=True)
class Upload:
    """One file: its key below the prefix, where it lies, what is said of it, and a digest over all of that."""

    key: str
    path: Path
    headers: Mapping[str, str]
    digest: str
    is_fingerprinted: bool

    @property
    def turn(self) -> int:
        """When it goes up: first what pages name, then the rest, then pages."""
        return 0 if self.is_fingerprinted else 2 if self.path.suffix in (".html", ".htm") else 1


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a file in the bucket: its digest and ETag, and since when (seconds) it is in no build."""

    digest: str
    etag: str
    gone: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What publishing does: `uploads` in their order, and the keys that are deleted after them.

    `waiting` are fingerprinted files that a later run deletes, `foreign` keys that nobody here put there.
    """

    uploads: tuple[Upload, ...]
    deletes: tuple[str, ...]
    unchanged: int
    waiting: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    record: Mapping[str, Known] = field(default_factory=dict, repr=False)


def uploads_of(dist: Path) -> list[Upload]:
    """Gives all that a build has for visitors, in the order of their keys. Raises ServeError where there is none."""
    built = {file.file: file for file in read_manifest(dist).files if file.guard is None}
    client = dist / CLIENT
    names = sorted(path.relative_to(client).as_posix() for path in client.rglob("*") if path.is_file())
    return [_upload(client / name, name, built.get(name)) for name in names if name not in _RULES]


def _upload(path: Path, name: str, built: BuiltFile | None) -> Upload:
    own = {header.title(): value for header, value in built.headers} if built else {}
    kind = built.type if built else mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {"Content-Type": kind, "Cache-Control": _FRESH}
    headers |= {header: own[header] for header in _KEPT if header in own}
    told = json.dumps(headers, sort_keys=True).encode()
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").digest()
    digest = hashlib.sha256(content + told).hexdigest()[:32]
    is_fingerprinted = name.startswith(f"{ASSETS}/") and "immutable" in headers["Cache-Control"]
    return Upload(name, path, headers, digest, is_fingerprinted)


def plan(
    uploads: Sequence[Upload],
    there: Mapping[str, str],
    record: Mapping[str, Known],
    *,
    now: float,
    delete: bool = False,
) -> Plan:
    """Compares a build with what is in the bucket: `there` has the ETag of each key, `record` what we put there.

    With `delete`, what nobody here put there goes, too.
    """
    new = {upload.key: upload for upload in uploads}
    changed = [upload for upload in uploads if not _stands(upload, there, record)]
    deletes, waiting, kept = [], [], {}
    for key in sorted(record.keys() & there.keys() - new.keys()):
        known = record[key]
        gone = known.gone if known.gone is not None else now
        if key.startswith(f"{ASSETS}/") and now - gone < GRACE:
            waiting.append(key)
            kept[key] = Known(known.digest, known.etag, gone)
        else:
            deletes.append(key)
    foreign = sorted(there.keys() - record.keys() - new.keys() - {RECORD})
    stands = {key: Known(record[key].digest, record[key].etag) for key in new if key in record}
    return Plan(
        tuple(sorted(changed, key=lambda upload: (upload.turn, upload.key))),
        (*deletes, *(foreign if delete else ())),
        len(uploads) - len(changed),
        tuple(waiting),
        () if delete else tuple(foreign),
        {**kept, **stands},
    )


def _stands(upload: Upload, there: Mapping[str, str], record: Mapping[str, Known]) -> bool:
    known = record.get(upload.key)
    return known is not None and known.digest == upload.digest and there.get(upload.key) == known.etag != ""


def publish(
    dist: Path,
    bucket: Bucket,
    *,
    delete: bool = False,
    dry: bool = False,
    told: Callable[[str, str], None] = lambda action, key: None,
) -> Plan:
    """Publishes a build. Gives what was done, or with `dry` would be; `told` hears of each step before it is taken.

    Raises BuildError where the store refuses, or doesn't answer; what went up until then stays, and is found by the
    next run. Credentials and region come from the environment, as Amazon's own tools name them.
    """
    uploads = uploads_of(dist)
    store = _store(bucket)
    from obstore.exceptions import BaseError

    try:
        found = plan(uploads, _listed(store), _read_record(store), now=time.time(), delete=delete)
        if dry:
            for action, key in _steps(found):
                told(action, key)
        else:
            asyncio.run(_carry_out(store, found, told))
    except (BaseError, OSError) as error:
        why = " ".join(str(error).split())[:300]
        raise BuildError(f"s3://{bucket.name} can't be published to", why=why) from error
    return found


def _steps(found: Plan) -> Iterator[tuple[str, str]]:
    yield from (("upload", upload.key) for upload in found.uploads)
    yield from (("delete", key) for key in found.deletes)


async def _carry_out(store: Any, found: Plan, told: Callable[[str, str], None]) -> None:
    import obstore

    record = dict(found.record)
    # Said before anything goes up: a run that ends halfway has put nothing there that the next one doesn't know.
    begun = {upload.key: Known("", "") for upload in found.uploads}
    if found.uploads or found.deletes:
        left = {key: Known("", "") for key in found.deletes}
        await _write_record(store, {**left, **record, **begun})
    turns = asyncio.Semaphore(_AT_ONCE)

    async def send(upload: Upload) -> None:
        async with turns:
            told("upload", upload.key)
            attributes: Any = dict(upload.headers)
            result = await obstore.put_async(store, upload.key, upload.path, attributes=attributes)
            record[upload.key] = Known(upload.digest, _plain(result["e_tag"]))

    for turn in range(3):
        await _all(send(upload) for upload in found.uploads if upload.turn == turn)
    await _write_record(store, {**{key: Known("", "") for key in found.deletes}, **record})
    for key in found.deletes:
        told("delete", key)
        await obstore.delete_async(store, key)
    if found.deletes:
        await _write_record(store, record)


async def _all(steps: Iterable[Any]) -> None:
    """Waits for all; where one fails, the rest is ended before the fault goes on."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _store(bucket: Bucket) -> Any:
    try:
        from obstore.store import S3Store
    except ImportError as error:
        mend = install("publish")
        raise BuildError("obstore, which speaks with the store, can't be loaded", why=str(error), mend=mend) from error
    options: dict[str, Any] = {"prefix": bucket.prefix} if bucket.prefix else {}
    if bucket.endpoint:
        options |= {"endpoint": bucket.endpoint}
        options |= {"client_options": {"allow_http": True}} if bucket.endpoint.startswith("http://") else {}
    if bucket.region:
        options |= {"region": bucket.region}
    return S3Store(bucket.name, retry_config={"max_retries": 3}, **options)


def _listed(store: Any) -> dict[str, str]:
    import obstore

    return {found["path"]: _plain(found["e_tag"]) for page in obstore.list(store) for found in page}


def _plain(etag: str | None) -> str:
    return (etag or "").strip('"')


def _read_record(store: Any) -> dict[str, Known]:
    """Reads what earlier runs put there; nothing where there is no record, or it is none of ours."""
    import obstore

    try:
        plain = json.loads(bytes(obstore.get(store, RECORD).bytes()))
        if plain["format"] != _FORMAT:
            return {}
        return {key: Known(str(digest), str(etag), gone) for key, (digest, etag, gone) in plain["files"].items()}
    except FileNotFoundError:
        return {}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


async def _write_record(store: Any, record: Mapping[str, Known]) -> None:
    import obstore

    files = {key: [known.digest, known.etag, known.gone] for key, known in sorted(record.items())}
    body = json.dumps({"format": _FORMAT, "files": files}, ensure_ascii=False).encode()
    attributes: Any = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    await obstore.put_async(store, RECORD, body, attributes=attributes)
