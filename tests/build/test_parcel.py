"""A site that travels arrives as it was, and nothing travels with it that it doesn't name."""

from __future__ import annotations

import os
import zlib
from dataclasses import replace
from pathlib import Path

from hybridsite.build.islands import with_island_key
from hybridsite.build.parcel import Parcel, Surroundings, pack, unpack
from hybridsite.site import Mode, load_site
from tests.e2e.support import SECRET, write_site

FILES: dict[str, str | bytes] = {
    "site.toml": '[site]\ntitle = "env:TITLE"\n[session]\noptions = { path = "env:SESSION_PATH" }\n',
    "pages/index.html": "x",
    "pages/named.html": "x",
    "pages/named.py": 'import os\nNAMED = os.environ.get("TOKEN"), os.environ.get("ABSENT")\n',
    "public/.well-known/a.txt": b"\xff\x00",
    "lib/tool.sh": "#!/bin/sh\n",
    "dist/client/old.html": "old",
    ".hybridsite/secret": SECRET,
    ".env": "TOKEN=1",
    "node_modules/x/index.js": "x",
}
ENVIRON = {
    "TITLE": "Ink",
    "TOKEN": "for-the-page",
    "SESSION_PATH": "/srv/sessions.db",
    "HYBRIDSITE_SECRET": SECRET,
    "OTHER": "nobody-asks",
}


def sent(root: Path) -> Parcel:
    """Loads a site as a build does, and packs it."""
    site = load_site(root, Mode(prerendering=True), environ=ENVIRON)
    return pack(with_island_key(site, root / ".hybridsite", ENVIRON), ENVIRON, 1_700_000_000)


def arrived(root: Path, folder: Path) -> Surroundings:
    """Packs a site and unpacks it elsewhere."""
    folder.mkdir()
    return unpack(sent(root), folder)


def test_the_files_arrive_with_what_code_may_ask_of_them(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", FILES)
    (root / "lib/tool.sh").chmod(0o755)
    os.utime(root / "pages/index.html", ns=(1, 1_234_567_890_123_456_789))
    (root / "pages/linked.html").symlink_to("../pages/index.html")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/shared.py").write_text("x = 1\n")
    (root / "shared.py").symlink_to(tmp_path / "elsewhere/shared.py")
    (root / "package").symlink_to(tmp_path / "elsewhere")
    arrived(root, there := tmp_path / "there")
    names = {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()}
    gone = {"dist/client/old.html", ".hybridsite/secret", ".env", "node_modules/x/index.js"}
    assert names == FILES.keys() - gone | {"pages/linked.html", "shared.py", "package/shared.py"}
    assert all((there / name).read_bytes() == (root / name).read_bytes() for name in names)
    assert os.access(there / "lib/tool.sh", os.X_OK)
    assert (there / "pages/index.html").stat().st_mtime_ns == 1_234_567_890_123_456_789
    assert (there / "pages/linked.html").resolve() == there / "pages/index.html"


def test_only_variables_that_are_named_travel_and_never_those_of_a_server(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", FILES)
    found = arrived(root, tmp_path / "there")
    assert found.settings == {"SOURCE_DATE_EPOCH": "1700000000", "TITLE": "Ink"}
    assert found.environ == {"TOKEN": "for-the-page"}
    assert found.unset == ("ABSENT", "SOURCE_DATE_EPOCH")
    assert found.island_key is None
    whole = zlib.decompress(sent(root).body)
    assert b"Ink" in whole
    assert not [word for word in (SECRET, "/srv/sessions.db", "nobody-asks") if word.encode() in whole]


def test_the_key_of_islands_travels_where_there_are_some_and_not_the_secret(tmp_path: Path) -> None:
    island = "{% island 'components/cart.html' %}x{% endisland %}"
    root = write_site(tmp_path / "site", {"pages/index.html": island, "components/cart.html": "<< session >>"})
    assert arrived(root, tmp_path / "there").island_key is not None
    assert SECRET.encode() not in zlib.decompress(sent(root).body)


def test_a_parcel_is_known_by_all_that_is_in_it(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", FILES)
    first = sent(root)
    assert sent(root) == first
    (root / "pages/index.html").write_text("y")
    assert sent(root).key != first.key
    assert replace(first, versions={}) != first
