"""Reserved keys of front matter: checked, with near misses, all faults at their places."""

from __future__ import annotations

import itertools

import pytest

from hybridsite.errors import FrontMatterError, SiteErrors, one_slip
from hybridsite.frontmatter import RESERVED, FrontMatter, read_front_matter
from hybridsite.sources import parse


def read(block: str, *, file: str = "pages/a.md", own_keys: tuple[str, ...] = ()) -> FrontMatter:
    return read_front_matter(parse(f"---\n{block}\n---\n", file), own_keys=own_keys)


def fault(block: str, file: str = "pages/a.md") -> str:
    with pytest.raises(FrontMatterError) as caught:
        read(block, file=file)
    return str(caught.value)


def test_nothing_said() -> None:
    assert read("") == FrontMatter(None, None, False, False, {}, {})


def test_everything_said() -> None:
    front = read(
        "title: A\nprerender: false\nlayout: layouts/b.html\njinja: true\ndraft: true\nheaders: {X-A: b, x-c: ''}\n"
        "tags: [a]"
    )
    assert (front.prerender, front.layout, front.jinja, front.draft) == (False, "layouts/b.html", True, True)
    assert front.headers == {"X-A": "b", "x-c": ""}
    assert front.page == {"title": "A", "tags": ["a"]}
    with pytest.raises(TypeError):
        front.page["title"] = "B"  # type: ignore[index]


@pytest.mark.parametrize(
    ("block", "place", "words"),
    [
        ("title: A\nprerender: 'no'", "3:1", ("\"prerender\" has to be true or false, and is 'no'", "prerender: true")),
        ("draft: 1", "2:1", ('"draft" has to be true or false, and is 1',)),
        ("jinja:", "2:1", ("and is None",)),
        ("layout: ''", "2:1", ('"layout" has to name a template', "layouts/post.html")),
        ("layout: [a]", "2:1", ('"layout" has to name a template',)),
        ("headers: [a]", "2:1", ('"headers" has to be a mapping',)),
        ("headers:", "2:1", ('"headers" has to be a mapping',)),
        ("{a: 1, headers: {a b: c}}", "2:8", ("'a b' is no name for a header",)),
        ("headers: {1: c}", "2:1", ("1 is no name for a header",)),
        ("headers: {Content-Length: '5'}", "2:1", ("the server's own",)),
        ("headers: {transfer-encoding: chunked}", "2:1", ("the server's own",)),
        ("headers: {'': c}", "2:1", ("is no name for a header",)),
        # case X4
        ('headers: {a: "b\\r\\nSet-Cookie: c"}', "2:1", ("the header 'a' has a value that no header can carry",)),
        ('headers: {"a\\n": b}', "2:1", ("is no name for a header",)),
        ('headers: {a: "b\\0"}', "2:1", ("no header can carry",)),
        ("headers: {a: 日本}", "2:1", ("no header can carry",)),
        ("headers: {a: 1}", "2:1", ("no header can carry",)),
        ("cache: 60", "2:1", ('"cache" has to be a mapping, and is 60', 'cache: {max_age: "5m"}')),
        ("cache: {swr: 1}", "2:1", ('"cache" lacks its max_age',)),
        ("cache: {max_agee: 1}", "2:1", ('"cache" has no key "max_agee"', 'did you mean "max_age"?')),
        ("cache: {max_age: 0}", "2:1", ('"max_age" of "cache" must be over 0 seconds',)),
        ("cache: {max_age: soon}", "2:1", ('"max_age" of "cache" must be seconds, or a length of time',)),
        ("cache: {max_age: true}", "2:1", ('"max_age" of "cache" is True, and must be seconds',)),
        ("cache: {max_age: .inf}", "2:1", ('"max_age" of "cache" must be over 0 seconds, and finite',)),
        ("cache: {max_age: 1, swr: -1}", "2:1", ('"swr" of "cache" must be over 0 seconds',)),
        ("cache: {max_age: 1, tags: [1]}", "2:1", ('1 in "tags" of "cache" is no tag',)),
        ("cache: {max_age: 1, tags: 1}", "2:1", ('1 in "tags" of "cache" is no tag',)),
        ("cache: {max_age: 1, vary: [a b]}", "2:1", ('\'a b\' in "vary" of "cache" is no name of a header',)),
        ("cache: {max_age: 1, vary: [Cookie]}", "2:1", ('varies by "cookie" can\'t be kept', "says who asks")),
        ("cache: {max_age: 1, vary: authorization}", "2:1", ('varies by "authorization"',)),
        # case H2, case R4
        ("cache: {max_age: 1, vary: [host]}", "2:1", ('varies by "host"',)),
        ("cache: {max_age: 1, vary: [X-Forwarded-Host]}", "2:1", ('varies by "x-forwarded-host"',)),
        ("paths: [blog]", "2:1", ('"paths" has to name a collection', "paths: blog")),
        ("paths: {collection: blog, bye: tags}", "2:1", ('"paths" has no key "bye"', 'did you mean "by"?')),
        ("paths: {by: tags}", "2:1", ("names no collection",)),
        ("paths: {collection: 1}", "2:1", ('"collection" in "paths" has to be a name, and is 1',)),
        ("paginate: 10", "2:1", ('"paginate" splits what "paths" gives', "paths: blog")),
        ("paths: blog\npaginate: 0", "3:1", ("a whole number from 1 on, and is 0",)),
        ("paths: blog\npaginate: true", "3:1", ("a whole number from 1 on, and is True",)),
        ("a: 1\n\nprerendr: false", "4:1", ("one slip away", 'did you mean "prerender"?', "[front_matter] keys")),
        ("header: x", "2:1", ('did you mean "headers"?',)),
        ("'drfat': true", "2:1", ('did you mean "draft"?',)),
        ("Draft: true", "2:1", ('did you mean "draft"?',)),
        ("PRERENDR: true", "2:1", ('did you mean "prerender"?',)),
    ],
)
def test_faults(block: str, place: str, words: tuple[str, ...]) -> None:
    message = fault(block)
    assert message.startswith(f"pages/a.md:{place}: ")
    for word in words:
        assert word in message


@pytest.mark.parametrize("key", ["layout", "jinja"])
def test_keys_for_markdown_alone(key: str) -> None:
    assert f'"{key}" is for Markdown pages' in fault(f"{key}: {'true' if key == 'jinja' else 'x'}", "pages/a.html")


def test_all_faults_are_told_in_order() -> None:
    with pytest.raises(SiteErrors) as caught:
        read("hedaers: {}\ndraft: 1\ntitle: A\npaginate: 3")
    places = [(fault.location.line, fault.location.column) for fault in caught.value.faults if fault.location]
    assert places == [(2, 1), (3, 1), (5, 1)]


def test_toml_keys_have_columns() -> None:
    with pytest.raises(FrontMatterError, match=r"^pages/a\.md:3:3: "):
        read_front_matter(parse("+++\na = 1\n  draft = 1\n+++\n", "pages/a.md"))


def test_a_near_key_that_the_site_means() -> None:
    front = read("header: x\nDraft: soon\ntitle: A", own_keys=("header", "Draft"))
    assert front.page == {"header": "x", "Draft": "soon", "title": "A"}
    assert front.draft is False


@pytest.mark.parametrize(
    "key", ["title", "description", "date", "slug", "session", "page", "data", "heading", "cached"]
)
def test_keys_of_a_page(key: str) -> None:
    if key == "cached":
        assert "one slip" in fault(f"{key}: x")
    else:
        assert read(f"{key}: x").page == {key: "x"}


def test_a_long_value_is_not_repeated() -> None:
    assert len(fault(f"draft: {'x' * 100_000}")) < 250
    assert len(fault(f"headers: {{'{'x ' * 10_000}': a}}")) < 250


def slips(word: str, letters: str) -> set[str]:
    """Every word that is one insertion, deletion, replacement or exchange of neighbours away."""
    cuts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    found = {a + c + b for a, b in cuts for c in letters}
    found |= {a + b[1:] for a, b in cuts if b}
    found |= {a + c + b[1:] for a, b in cuts if b for c in letters}
    found |= {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    return found - {word}


def test_one_slip_is_what_it_says() -> None:
    words = ["".join(letters) for length in range(5) for letters in itertools.product("abc", repeat=length)]
    for word in words:
        near = slips(word, "abc")
        assert {other for other in words if one_slip(other, word)} == {other for other in near if len(other) < 5}


def test_no_two_reserved_keys_are_near() -> None:
    assert not [(a, b) for a in RESERVED for b in RESERVED if one_slip(a, b)]
