"""Publishing into a bucket, by moto's S3: what goes up, in which order and how, and what is never deleted."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.errors import BuildError
from hybridsite.publishing import GRACE, RECORD, Bucket, Known, Upload, plan, publish
from tests.e2e.support import hybridsite, write_site
from tests.inprocess import built_here
from tests.sessions.servers import moto_server

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

SITE: dict[str, str | bytes] = {
    "site.toml": '[site]\nurl = "https://shop.example"\n',
    "pages/index.html": '<link rel="stylesheet" href="<< asset("css/site.css") >>"><a href="/about/">about</a>',
    "pages/about.html": "about",
    "pages/404.html": "lost",
    "assets/css/site.css": "body { color: red }",
    "public/data.bin": b"\x00\x01",
    "public/_redirects": "/a /b 301\n",
    "public/notes/a b #1 café 100%.txt": "odd",
}


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with moto_server() as address:
        yield address


class There:
    """A bucket of its own, and what lies there."""

    def __init__(self, endpoint: str, name: str) -> None:
        self.client: S3Client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
        self.name = name
        self.endpoint = endpoint
        self.client.create_bucket(Bucket=name)

    def bucket(self, prefix: str = "") -> Bucket:
        return Bucket(self.name, prefix, self.endpoint, "us-east-1")

    def listed(self) -> list[str]:
        found = [each["Key"] for each in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])]
        return [key for key in found if not key.endswith(RECORD)]

    def head(self, key: str) -> dict[str, Any]:
        return dict(self.client.get_object(Bucket=self.name, Key=key))

    def body(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=body)


@pytest.fixture
def there(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[There]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    found = There(moto, f"bucket-{uuid.uuid4().hex}")
    yield found
    found.client.close()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = write_site(tmp_path / "site", SITE)
    built_here(root)
    return root


def steps(root: Path, bucket: Bucket, **options: bool) -> list[tuple[str, str]]:
    """Publishes, and gives what was told."""
    found: list[tuple[str, str]] = []
    publish(root / "dist", bucket, told=lambda action, key: found.append((action, key)), **options)
    return found


def test_all_goes_up_with_its_headers_pages_last(there: There, site: Path) -> None:
    told = [key for _, key in steps(site, there.bucket())]
    assert told[0].startswith("assets/css/site.")
    assert sorted(told[-3:]) == ["404.html", "about/index.html", "index.html"]
    assert "_redirects" not in told
    client = site / "dist/client"
    for key in told:
        assert there.body(key) == (client / key).read_bytes()
    style, page, data = there.head(told[0]), there.head("index.html"), there.head("data.bin")
    assert (style["ContentType"], style["CacheControl"]) == (
        "text/css; charset=utf-8",
        "public, max-age=31536000, immutable",
    )
    assert (page["ContentType"], page["CacheControl"]) == (
        "text/html; charset=utf-8",
        "public, max-age=0, must-revalidate",
    )
    assert data["ContentType"] == "application/octet-stream"
    assert "ContentEncoding" not in page
    assert "notes/a b #1 café 100%.txt" in there.listed()


def test_only_what_changed_goes_up_again(there: There, site: Path) -> None:
    steps(site, there.bucket())
    assert steps(site, there.bucket()) == []
    write_site(site, {**SITE, "pages/about.html": "about us"})
    built_here(site)
    assert steps(site, there.bucket()) == [("upload", "about/index.html")]
    # A header is part of it, too.
    write_site(site, {**SITE, "pages/about.html": '---\nheaders: {Cache-Control: "public, max-age=60"}\n---\nabout us'})
    built_here(site)
    assert steps(site, there.bucket()) == [("upload", "about/index.html")]
    assert there.head("about/index.html")["CacheControl"] == "public, max-age=60"
    # What somebody else has changed, or deleted, is put right.
    there.put("index.html", b"defaced")
    there.client.delete_object(Bucket=there.name, Key="404.html")
    assert steps(site, there.bucket()) == [("upload", "404.html"), ("upload", "index.html")]


def test_a_dry_run_tells_all_and_does_nothing(there: There, site: Path) -> None:
    assert len(steps(site, there.bucket(), dry=True)) == 6
    assert there.client.list_objects_v2(Bucket=there.name)["KeyCount"] == 0


def test_what_is_no_longer_built_goes_and_what_others_put_there_stays(there: There, site: Path) -> None:
    there.put("theirs.txt", b"1")
    there.put("shop/other.txt", b"1")
    steps(site, there.bucket("shop/"))
    (site / "pages/about.html").unlink()
    write_site(site, {"pages/index.html": "home"})
    built_here(site)
    told = steps(site, there.bucket("shop/"))
    assert told == [("upload", "index.html"), ("delete", "about/index.html")]
    assert {"theirs.txt", "shop/other.txt"} <= set(there.listed())
    # With delete, but never above the prefix.
    assert steps(site, there.bucket("shop/"), delete=True) == [("delete", "other.txt")]
    assert "theirs.txt" in there.listed()


def test_a_style_sheet_stays_for_a_day_after_its_last_page(
    there: There, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps(site, there.bucket())
    (old,) = [key for key in there.listed() if key.startswith("assets/")]
    write_site(site, {"assets/css/site.css": "body { color: blue }"})
    built_here(site)
    told = steps(site, there.bucket())
    assert [action for action, _ in told] == ["upload", "upload"]
    assert steps(site, there.bucket()) == []
    assert old in there.listed()
    now = time.time()
    monkeypatch.setattr("hybridsite.publishing.time.time", lambda: now + GRACE + 60)
    assert steps(site, there.bucket()) == [("delete", old)]


def test_a_run_that_ended_halfway_is_finished_by_the_next(
    there: There, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cut(Exception):
        """The process ends."""

    def cut(action: str, key: str) -> None:
        if key == "index.html":
            raise Cut

    with pytest.raises(Cut):
        publish(site / "dist", there.bucket(), told=cut)
    assert "index.html" not in there.listed()
    # What went up is known: it is deleted where the next build has it no more.
    (site / "public/data.bin").unlink()
    built_here(site)
    assert ("delete", "data.bin") in steps(site, there.bucket())
    assert "index.html" in there.listed()
    assert steps(site, there.bucket()) == []


def test_a_store_that_refuses_is_told(there: There, site: Path) -> None:
    with pytest.raises(BuildError, match="s3://no-such-bucket-here can't be published to"):
        steps(site, Bucket("no-such-bucket-here", "", there.endpoint, "us-east-1"))


@pytest.mark.parametrize("address", ["", "bucket", "s3://", "s3://B_D", "gs://bucket", "s3://bucket/../x", "s3://b?x"])
def test_what_is_no_address_is_told(address: str) -> None:
    with pytest.raises(BuildError, match="is no address to publish to; it is s3://BUCKET"):
        Bucket.parse(address)


def test_a_prefix_has_one_slash_at_its_end() -> None:
    assert [Bucket.parse(f"s3://bucket{end}").prefix for end in ("", "/", "/a", "/a//b/")] == ["", "", "a/", "a/b/"]


def test_the_command_says_what_it_did(there: There, site: Path) -> None:
    env = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}
    words = ("publish", f"s3://{there.name}/shop", site, "--endpoint", there.endpoint)
    there.put("shop/theirs.txt", b"1")
    done = hybridsite(*words, "--dry-run", "--no-build", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "would upload 6 files, delete 0; 0 unchanged" in done.stdout
    done = hybridsite(*words, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(
        "uploaded 6 files, deleted 0; 0 unchanged\n1 file there from elsewhere: left alone without --delete\n"
    )
    assert "shop/about/index.html" in there.listed()
    record = json.loads(there.body(f"shop/{RECORD}"))
    assert len(record["files"]) == 6
    done = hybridsite("publish", "bucket", site, env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith('"bucket" is no address to publish to')


KEYS = st.sampled_from(["a.html", "b.html", "c.css", "assets/d.css", "assets/e.css"])
DIGESTS = st.sampled_from(["1", "2"])


@given(
    st.dictionaries(KEYS, DIGESTS),
    st.dictionaries(KEYS, DIGESTS),
    st.dictionaries(KEYS, st.tuples(DIGESTS, DIGESTS, st.none() | st.sampled_from([0.0, 90_000.0]))),
    st.booleans(),
)
def test_after_a_plan_the_bucket_has_the_build_and_nothing_of_ours_besides(
    build: dict[str, str], there: dict[str, str], record: dict[str, tuple[str, str, float | None]], delete: bool
) -> None:
    uploads = [Upload(key, Path(key), {}, digest, key.startswith("assets/")) for key, digest in build.items()]
    known = {key: Known(*value) for key, value in record.items()}
    found = plan(uploads, there, known, now=100_000.0, delete=delete)
    sent = {upload.key for upload in found.uploads}
    assert sent <= build.keys()
    assert not set(found.deletes) & build.keys()
    for key in build.keys() - sent:  # what isn't sent stands as it was sent
        assert (there[key], build[key]) == (known[key].etag, known[key].digest)
    left = there.keys() - set(found.deletes) - build.keys()
    assert left == {*found.waiting, *found.foreign}
    assert all(key.startswith("assets/") for key in found.waiting)
    if not delete:
        assert set(found.deletes) <= known.keys()
    turns = [upload.turn for upload in found.uploads]
    assert turns == sorted(turns)
