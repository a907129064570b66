"""Collections, from files to entries: what is read, what is left out, and what is told of a fault."""

from __future__ import annotations

import asyncio
import builtins
import os
import sys
from pathlib import Path

import pytest

from hybridsite import declarations, records
from hybridsite.errors import ContentError, ModuleError, SiteError
from tests.e2e.support import write_files
from tests.publishing import COLLECTIONS, SITE, faults_of, post, site_of


def test_entries_are_made_by_the_schema_and_come_newest_first(tmp_path: Path) -> None:
    blog = site_of(tmp_path / "site", SITE).collection("blog")
    assert [entry.slug for entry in blog] == ["third", "second", "first-post"]
    entry = blog.get("first-post")
    assert (entry.data.title, str(entry.data.date), entry.data.tags) == ("First", "2026-01-01", ["ink", "oak"])
    assert (entry.file, entry.collection, entry.draft) == ("content/blog/First Post.md", "blog", False)
    assert entry.body == "## One\n\nhi"
    assert entry.html == '<h2 id="one">One</h2>\n<p>hi</p>\n'
    assert [(heading.level, heading.id, heading.text) for heading in entry.headings] == [(2, "one", "One")]
    assert 'href="#one"' in entry.toc


def test_previous_and_next_are_neighbours_in_the_order(tmp_path: Path) -> None:
    third, second, first = site_of(tmp_path / "site", SITE).collection("blog")
    assert (third.previous, third.next) == (None, second)
    assert (second.previous, second.next) == (third, first)
    assert (first.previous, first.next) == (second, None)


def test_a_reference_gives_the_entry_and_circles_are_none(tmp_path: Path) -> None:
    site = site_of(tmp_path / "site", SITE)
    author = site.collection("blog").get("first-post").data.author
    ines = site.collection("people").get("ines")
    assert author == ines
    assert ines == author
    assert (author.slug, author.data.name, author.entry, str(author)) == ("ines", "Ines", ines, "ines")
    assert author.data.friends[0].data.friends[0] == author
    assert site.collection("blog").get("second").data.author is None


def test_a_folder_without_a_declaration_is_a_collection_and_its_data_is_read_only(tmp_path: Path) -> None:
    files = {
        "content/notes/a.md": "---\ntitle: A\ntags: [x]\n---\nbody",
        "content/notes/b.json": '{"title": "B", "body": "*b*"}',
    }
    notes = site_of(tmp_path / "site", files).collection("notes")
    assert [(entry.slug, entry.data["title"], entry.body) for entry in notes] == [("a", "A", "body"), ("b", "B", "*b*")]
    assert (notes[1].html, "body" in notes[1].data) == ("<p><em>b</em></p>\n", False)
    with pytest.raises(TypeError, match="can't be changed"):
        notes[0].data["tags"].append("y")


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("plain.md", "plain"),
        ("My Post, or: Yours?.md", "my-post-or-yours"),
        ("2026/deep.md", "2026/deep"),
        ("deep/index.md", "deep"),
        ("index.md", "index"),
        ("Überraschung 日本.md", "überraschung-日本"),
        ("data.yaml", "data"),
        ("data.toml", "data"),
    ],
)
def test_the_slug_is_the_name_of_the_file(tmp_path: Path, name: str, slug: str) -> None:
    (entry,) = site_of(tmp_path / "site", {f"content/notes/{name}": ""}).collection("notes")
    assert entry.slug == slug


def test_a_slug_may_be_said_and_is_no_data_then(tmp_path: Path) -> None:
    files = {"content/notes/a.md": "---\nslug: other/name\nid: 5\n---\n"}
    (entry,) = site_of(tmp_path / "site", files).collection("notes")
    assert (entry.slug, dict(entry.data)) == ("other/name", {"id": 5})


@pytest.mark.parametrize("name", ["_a.md", "_part/a.md", ".a.md", "a.png", "a.txt"])
def test_what_is_no_entry_is_passed_over(tmp_path: Path, name: str) -> None:
    files = {f"content/notes/{name}": "x", "content/notes/b.md": ""}
    assert [entry.slug for entry in site_of(tmp_path / "site", files).collection("notes")] == ["b"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("team.toml", '[ines]\nrole = "ink"\n\n[tobias]\nrole = "paper"\n'),
        ("team.toml", '[[team]]\nid = "ines"\nrole = "ink"\n[[team]]\nslug = "tobias"\nrole = "paper"\n'),
        ("team.json", '{"ines": {"role": "ink"}, "tobias": {"role": "paper"}}'),
        ("team.json", '[{"slug": "ines", "role": "ink"}, {"id": "tobias", "role": "paper"}]'),
        ("team.yaml", "ines: {role: ink}\ntobias: {role: paper}\n"),
        ("team.yml", "- {slug: ines, role: ink}\n- {slug: tobias, role: paper}\n"),
        ("team.csv", "\ufeffslug,role,note\r\nines,ink,\r\n\r\ntobias,paper,\r\n"),
    ],
)
def test_one_file_holds_several_entries(tmp_path: Path, name: str, text: str) -> None:
    declared = f'from hybridsite import Collection\nteam = Collection("content/{name}")'
    team = site_of(tmp_path / "site", {"collections.py": declared, f"content/{name}": text}).collection("team")
    assert [(entry.slug, entry.data["role"], "note" in entry.data) for entry in team] == [
        ("ines", "ink", False),
        ("tobias", "paper", False),
    ]


def test_pydantic_makes_values_of_the_text_in_csv(tmp_path: Path) -> None:
    declared = """
    from datetime import datetime
    from decimal import Decimal
    from pydantic import BaseModel
    from hybridsite import Collection
    class Ink(BaseModel):
        price: Decimal
        bottles: int = 7
        boiled: datetime
    inks = Collection("content/inks.csv", schema=Ink)
    """
    csv = 'id,price,bottles,boiled,body,draft\n1,"4.50",,2026-05-01T10:00:00,*dark*,false\n2,1,2,2026-01-01,,TRUE\n'
    files = {"site.toml": '[site]\ntimezone = "Europe/Berlin"\n', "collections.py": declared, "content/inks.csv": csv}
    (ink,) = site_of(tmp_path / "site", files).collection("inks")
    assert (ink.slug, str(ink.data.price), ink.data.bottles) == ("1", "4.50", 7)
    assert ink.data.boiled.isoformat() == "2026-05-01T10:00:00+02:00"
    assert ink.html == "<p><em>dark</em></p>\n"


FUNCTIONS = [
    "def load():\n    return [{'slug': 'a', 'n': 1}, {'id': 2, 'n': 2, 'body': '*b*'}]",
    "def load():\n    yield {'slug': 'a', 'n': 1}\n    yield {'id': 2, 'n': 2, 'body': '*b*'}",
    "async def load():\n    await asyncio.sleep(0)\n"
    "    return [{'slug': 'a', 'n': 1}, {'id': 2, 'n': 2, 'body': '*b*'}]",
    "async def load():\n    await asyncio.sleep(0)\n    yield {'slug': 'a', 'n': 1}\n"
    "    yield {'id': 2, 'n': 2, 'body': '*b*'}",
]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("on_a_loop", [False, True])
def test_a_function_is_a_source(tmp_path: Path, function: str, on_a_loop: bool) -> None:
    declared = f"import asyncio\nfrom hybridsite import Collection\n{function}\nmade = Collection(load)"

    async def load() -> list[tuple[str, int, str, str]]:
        made = site_of(tmp_path / "site", {"collections.py": declared}).collection("made")
        return [(entry.slug, entry.data["n"], entry.html, entry.file) for entry in made]

    coroutine = load()
    if on_a_loop:
        found = asyncio.run(coroutine)
    else:
        with pytest.raises(StopIteration) as ended:
            coroutine.send(None)
        found = ended.value.value
    assert found == [("2", 2, "<p><em>b</em></p>\n", ""), ("a", 1, "", "")]


# What is left out.


def test_drafts_are_for_those_who_ask_for_them_and_may_lack_a_date(tmp_path: Path) -> None:
    files = {**SITE, "content/blog/new.md": "---\ntitle: New\ndraft: true\n---\n"}
    assert "new" not in [entry.slug for entry in site_of(tmp_path / "a", files).collection("blog")]
    epoch = {"SOURCE_DATE_EPOCH": "1780000000"}
    blog = site_of(tmp_path / "b", files, drafts=True, environ=epoch).collection("blog")
    assert (blog[0].slug, blog[0].draft) == ("new", True)
    assert str(blog[0].data.date) == "2026-05-28"


def test_a_draft_that_does_not_fit_yet_is_no_fault(tmp_path: Path) -> None:
    files = {**SITE, "content/blog/new.md": "---\ndraft: true\n---\n"}
    assert len(site_of(tmp_path / "a", files).collection("blog")) == 3
    assert faults_of(tmp_path / "b", files, drafts=True)[0].startswith('content/blog/new.md:1: "title" is missing')


@pytest.mark.parametrize(
    ("when", "zone", "now", "shown"),
    [
        ("2026-05-28", "UTC", 1780000000, True),  # 2026-05-28 20:26:40 UTC
        ("2026-05-29", "UTC", 1780000000, False),
        ("2026-05-29", "Pacific/Auckland", 1780000000, True),
        ("2026-05-28T20:26:41Z", "UTC", 1780000000, False),
        ("2026-05-28T20:26:40Z", "UTC", 1780000000, True),
        ("2026-05-28 22:26:41", "Europe/Berlin", 1780000000, False),
        ("2026-05-28 22:26:40", "Europe/Berlin", 1780000000, True),
        ("'2026-05-28T22:26:41+02:00'", "UTC", 1780000000, False),
    ],
)
def test_what_is_dated_in_the_future_waits(tmp_path: Path, when: str, zone: str, now: int, shown: bool) -> None:
    files = {"site.toml": f'[site]\ntimezone = "{zone}"\n', "content/notes/a.md": f"---\ndate: {when}\n---\n"}
    environ = {"SOURCE_DATE_EPOCH": str(now)}
    site = site_of(tmp_path / "site", files, environ=environ)
    assert [bool(site.collection("notes")), site.content.left_out == {"content/notes/a.md"}] == [shown, not shown]
    everything = {**files, "site.toml": files["site.toml"] + "[content]\nfuture = true\n"}
    assert len(site_of(tmp_path / "all", everything, environ=environ).collection("notes")) == 1
    assert len(site_of(tmp_path / "drafts", files, environ=environ, drafts=True).collection("notes")) == 1


def test_an_epoch_that_is_no_number_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="SOURCE_DATE_EPOCH is no number of seconds"):
        site_of(tmp_path / "site", {"pages/index.html": ""}, environ={"SOURCE_DATE_EPOCH": "soon"})


def test_times_have_a_zone_and_compare_with_dates(tmp_path: Path) -> None:
    files = {
        "site.toml": '[site]\ntimezone = "Europe/Berlin"\n',
        "content/notes/a.md": "---\ndate: 2026-05-01 00:30:00\nseen: [{at: 2026-05-02 08:00:00}]\n---\n",
        "content/notes/b.md": "---\ndate: 2026-05-01\n---\n",
        "content/notes/c.toml": 'date = 2026-05-01T00:00:00Z\ntitle = "c"\n',
        "content/notes/d.json": '{"date": "2026-04-30"}',
        "content/notes/e.md": "no date",
        "pages/index.md": "---\nat: 2026-05-01 00:30:00\n---\n",
    }
    site = site_of(tmp_path / "site", files)
    notes = site.collection("notes")
    assert [entry.slug for entry in notes] == ["c", "a", "b", "d", "e"]
    assert notes.get("a").data["date"].isoformat() == "2026-05-01T00:30:00+02:00"
    assert notes.get("a").data["seen"][0]["at"].isoformat() == "2026-05-02T08:00:00+02:00"
    assert str(notes.get("b").data["date"]) == "2026-05-01"
    at = site.resources["pages/index.md"].page["at"]
    assert getattr(at, "isoformat")() == "2026-05-01T00:30:00+02:00"  # noqa: B009 - a value of any kind


# What is read, and when.


def test_bodies_are_read_when_they_are_asked_for_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "x" * 100_000
    files = {f"content/notes/{n}.md": post(f"Note {n}", body=body) for n in range(30)}
    size = [0]

    read = os.read

    def counting(descriptor: int, wanted: int) -> bytes:
        data = read(descriptor, wanted)
        size[0] += len(data)
        return data

    monkeypatch.setattr("hybridsite.sources.os.read", counting)
    notes = site_of(tmp_path / "site", files).collection("notes")
    assert size[0] <= 30 * 8192
    assert notes[7].body == body
    assert size[0] <= 30 * 8192 + 101_000


def test_html_is_kept_for_a_few_entries_only(tmp_path: Path) -> None:
    files = {f"content/notes/{n:03}.md": f"# {n}" for n in range(100)}
    site = site_of(tmp_path / "site", files)
    assert all(f">{number}</h1>" in entry.html for number, entry in enumerate(site.collection("notes")))
    kept = site.content._homes["notes"]._rendered.cache_info()
    assert kept.currsize == 64


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("length", [10, 8170, 8180, 8184, 8190, 8192, 8200, 20_000])
def test_front_matter_of_any_length_ends_where_it_ends(tmp_path: Path, ends: str, length: int) -> None:
    text = f"\ufeff---\ntitle: {'x' * length}\n---\nbody\n---\nmore".replace("\n", ends)
    (entry,) = site_of(tmp_path / "site", {"content/notes/a.md": text.encode()}).collection("notes")
    assert (len(entry.data["title"]), entry.body) == (length, "body\n---\nmore")


def test_a_fault_in_a_body_has_its_line_and_is_told_when_it_is_read(tmp_path: Path) -> None:
    site = site_of(tmp_path / "site", {"content/notes/a.md": b"---\ntitle: A\n---\nfine\n\xff"})
    (entry,) = site.collection("notes")
    with pytest.raises(SiteError, match=r"^content/notes/a\.md:5:1: the file isn't text in UTF-8"):
        _ = entry.html


# Faults.


def test_the_faults_of_all_entries_come_in_one_run_with_their_lines(tmp_path: Path) -> None:
    schema = COLLECTIONS.replace("class Post(BaseModel):", "class Post(BaseModel, extra='forbid'):")
    files = {
        **SITE,
        "collections.py": schema,
        "content/blog/a.md": "---\ntitle: A\ndate: soon\n---\n",
        "content/blog/b.md": "---\ntitel: B\ndate: 2026-01-01\ntags:\n  - ok\n  - [no]\n---\n",
        "content/blog/c.md": "+++\ntitle = 'C'\ndate = 2026-01-01\nauthor = 'inse'\n+++\n",
        "content/blog/d.json": '{\n  "title": "D",\n  "date": "2026-01-01",\n  "author": 5, "tags": ["a",\n 1]\n}',
        "content/blog/e.md": "---\ntitle: [unclosed\n---\n",
        "content/people.toml": '[ines]\nname = "I"\n\n[tobias]\nname = "T"\nfriends = ["ines",\n  "nobody"]\n\n'
        "[x]\nname = 1\n",
    }
    told = faults_of(tmp_path / "site", files)
    assert [line.partition(";")[0] for line in told] == [
        'content/blog/a.md:3:1: "date" doesn\'t fit Post',
        'content/blog/b.md:1: "title" is missing',
        'content/blog/b.md:2:1: Post has no field "titel"',
        'content/blog/b.md:6:5: "tags.1" doesn\'t fit Post',
        'content/blog/c.md:4:1: "author" refers to no entry',
        'content/blog/d.json:4:3: "author" refers to no entry',
        'content/blog/d.json:5:2: "tags.1" doesn\'t fit Post',
        "content/blog/e.md:3:1: the front matter is no valid YAML",
        'content/people.toml:7:3: "friends.1" refers to no entry',
        'content/people.toml:10:1: "name" doesn\'t fit Person',
    ]
    assert 'was it meant by "titel"?' in told[1]
    assert 'did you mean "title"?' in told[2]
    assert 'there is no "inse" in the collection "people"; did you mean "ines"?' in told[4]


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("team.csv", "slug,age\na,1\n\nb,old\n", "content/team.csv:4"),
        ("team.csv", 'slug,note,age\na,"two\nlines",1\nb,x,old\n', "content/team.csv:4"),
        ("team.yaml", "- {slug: a, age: 1}\n- slug: b\n  age: old\n", "content/team.yaml:3:3"),
        ("team.json", '[{"slug": "a", "age": 1},\n{"slug": "b", "age": "old"}]', "content/team.json:2:15"),
        ("team.toml", '[[people]]\nid = "a"\nage = 1\n[[people]]\nid = "b"\nage = "old"\n', "content/team.toml:6:1"),
    ],
)
def test_a_fault_in_a_file_of_entries_has_the_line_of_the_entry(
    tmp_path: Path, name: str, text: str, place: str
) -> None:
    declared = f"""
    from pydantic import BaseModel
    from hybridsite import Collection
    class Person(BaseModel):
        age: int
    team = Collection("content/{name}", schema=Person)
    """
    (told,) = faults_of(tmp_path / "site", {"collections.py": declared, f"content/{name}": text})
    assert told.startswith(f'{place}: "age" doesn\'t fit Person; input should be a valid integer')


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {"content/n/A.md": "", "content/n/a.md": ""},
            'two entries of "n" have the slug "a"; the other is content/n/A.md',
        ),
        ({"content/n/a.md": "---\nslug: ../x\n---\n"}, 'content/n/a.md:1: the slug "../x" can stand in no path'),
        ({"content/n/a.md": "---\nslug: [x]\n---\n"}, "content/n/a.md:1: the slug"),
        ({"content/n/a.md": "---\ndraft: 'yes'\n---\n"}, 'content/n/a.md:2:1: "draft" has to be true or false'),
        ({"content/n/a.md": "---\njinja: true\n---\n"}, "content/n/a.md:2:1: the body of an entry is no template"),
        ({"content/n/a.json": "[1]"}, "content/n/a.json: the file is no mapping of names to values; it is list"),
        ({"content/n/a.md": "---\na: 1\n"}, "content/n/a.md:1:1: the front matter that begins with --- never ends"),
    ],
)
def test_a_fault_of_an_entry_without_a_schema(tmp_path: Path, files: dict[str, str | bytes], words: str) -> None:
    (told,) = faults_of(tmp_path / "site", files)
    assert words in told


@pytest.mark.parametrize(
    ("csv", "words"),
    [
        ("name,age\na,1\n", "content/t.csv:1: no column has the slugs of the entries"),
        ("slug,slug\na,1\n", 'content/t.csv:1: the column "slug" stands twice'),
        ("slug,x\na,1,2\n", "content/t.csv:2: a row has more columns than there are names"),
        ("slug,x\n,1\n", "content/t.csv:2: an entry has no slug"),
        ('slug,x\na,"b\n', "content/t.csv:2: the file is no valid CSV"),
    ],
)
def test_a_fault_of_a_csv_file(tmp_path: Path, csv: str, words: str) -> None:
    declared = 'from hybridsite import Collection\nt = Collection("content/t.csv")'
    (told,) = faults_of(tmp_path / "site", {"collections.py": declared, "content/t.csv": csv})
    assert told.startswith(words)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('"content/blgo"', 'there is no folder and no file "content/blgo"; did you mean "content/blog"?'),
        ('"posts"', 'the collection "c" comes from "posts"; dist/ wouldn\'t have it'),
        ('"../elsewhere"', 'the collection "c" comes from "../elsewhere"'),
        ('"content/blog/a.md"', '"content/blog/a.md" is no file of entries'),
        ("5", "the source of a collection is int"),
        ('"content/blog", schema=5', "the schema of a collection is int"),
        ('"content/blog", schema=Collection', "Collection is no schema"),
        ('"content/blog", live=True', "a collection of files can't be live"),
        ("list, live='soon'", "`live` must be seconds, or a length of time"),
        ("lambda: 5", "the function gave int"),
        ("lambda: {'a': 1}", "the function gave dict"),
        ("lambda: [5]", "the function gave something that is no mapping of names to values"),
        ("lambda: [{'x': 1}]", "an entry has no slug"),
        ("lambda: [{'slug': 'a', 'body': 5}]", '"body" is Markdown, and this is no text'),
        ("lambda: 1 / 0", "ZeroDivisionError: division by zero; raised while the collection"),
    ],
)
def test_a_fault_of_collections_py_has_its_line(tmp_path: Path, source: str, words: str) -> None:
    declared = f"from hybridsite import Collection\n\nc = Collection({source})\n"
    (told,) = faults_of(tmp_path / "site", {"collections.py": declared, "content/blog/a.md": ""})
    assert told.startswith(f"collections.py:3: {words}")


def test_what_a_function_raises_is_told_with_its_line(tmp_path: Path) -> None:
    declared = "from hybridsite import Collection\ndef load():\n    yield {'slug': 'a'}\n    raise OSError('gone')\n"
    declared += "c = Collection(load)"
    with pytest.raises(
        ModuleError, match=r"^collections\.py:4: OSError: gone; raised while the collection \"c\" was read"
    ):
        site_of(tmp_path / "site", {"collections.py": declared})


def test_an_entry_of_a_function_that_does_not_fit_is_named(tmp_path: Path) -> None:
    declared = """
    from pydantic import BaseModel
    from hybridsite import Collection
    class Ink(BaseModel):
        price: int
    def load():
        return [{"slug": "oak", "price": "dear"}, {"slug": "weld"}]
    inks = Collection(load, schema=Ink)
    """
    assert faults_of(tmp_path / "site", {"collections.py": declared}) == [
        'collections.py:5: "price" of the entry "oak" doesn\'t fit Ink; input should be a valid integer, '
        "unable to parse string as an integer",
        'collections.py:5: "price" of the entry "weld" is missing; Ink needs it; add price: …',
    ]


def test_a_function_without_an_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # case D4
    for module in (records, declarations):
        monkeypatch.setattr(module, "MOST_ENTRIES", 100)
    endless = "import itertools\nfrom hybridsite import Collection\n"
    endless += "def load():\n    for n in itertools.count():\n        yield {'slug': n}\nc = Collection(load)"
    (told,) = faults_of(tmp_path / "site", {"collections.py": endless})
    assert told == "collections.py:3: the function gave over 100 entries; it doesn't seem to end"


def test_a_name_of_no_collection_is_told_with_the_nearest(tmp_path: Path) -> None:
    site = site_of(tmp_path / "site", SITE)
    with pytest.raises(ContentError, match=r'there is no collection "blgo"; did you mean "blog"\?'):
        site.collection("blgo")
    with pytest.raises(ContentError, match="the collections: blog, people; a folder content/NAME makes one"):
        site.collection("zzz")


def test_a_folder_and_a_declaration_of_one_name_are_a_fault(tmp_path: Path) -> None:
    declared = 'from hybridsite import Collection\nblog = Collection("content/posts")'
    files = {"collections.py": declared, "content/posts/a.md": "", "content/blog/b.md": ""}
    (told,) = faults_of(tmp_path / "site", files)
    assert told.startswith('collections.py:2: content/blog/ and the collection "blog" of collections.py have one name')


def test_a_reference_to_what_is_left_out_says_so(tmp_path: Path) -> None:
    people = '[ines]\nname = "Ines"\nfriends = ["tobias"]\n[tobias]\nname = "Tobias"\ndraft = true\n'
    told = faults_of(tmp_path / "site", {**SITE, "content/people.toml": people})
    assert [line for line in told if "it is a draft" in line] == told
    assert len(told) == 2


def test_a_link_that_leaves_the_site_is_refused(tmp_path: Path) -> None:
    # case P4
    write_files(tmp_path, {"secret.md": "x"})
    write_files(tmp_path / "site", {"site.toml": "", "content/notes/a.md": ""})
    (tmp_path / "site/content/notes/b.md").symlink_to(tmp_path / "secret.md")
    (told,) = faults_of(tmp_path / "site", {})
    assert told.startswith("content/notes/b.md: the link leads out of the site")


def test_pythons_own_module_of_that_name_stays_what_it_is(tmp_path: Path) -> None:
    site_of(tmp_path / "site", SITE)
    import collections

    assert sys.modules["collections"] is collections
    assert builtins.hasattr(collections, "OrderedDict")


def test_what_is_untrusted_is_cleaned_and_never_evaluated(tmp_path: Path) -> None:
    # case X2, case X3
    body = "<script>alert(1)</script>\n\n[a](javascript:alert(1)) << 7 * 7 >> {% if x %}\n\n<b onclick=x>b</b>"
    declared = 'from hybridsite import Collection\nfeed = Collection("content/feed", trusted=False)'
    (entry,) = site_of(tmp_path / "site", {"collections.py": declared, "content/feed/a.md": body}).collection("feed")
    assert all(word not in entry.html for word in ("<script", "javascript:", "onclick", "49"))
    assert "{% if x %}" in entry.html
