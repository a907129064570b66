"""What collections.py is written with: collections, and the type of a field that refers to another entry."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ValidationError

from hybridsite import Collection, Entry, reference
from hybridsite.collections import EntryReference


class Library:
    """Knows the entries a and b of one collection."""

    def refer(self, collection: str, slug: str) -> EntryReference:
        if slug not in ("a", "b", "1"):
            raise ValueError(f'there is no "{slug}"')
        return EntryReference(collection, slug, self)

    def resolve(self, reference: EntryReference) -> Any:
        return f"the entry {reference.slug}"


class Book(BaseModel):
    author: Annotated[Entry, reference("people")]
    readers: list[Annotated[Entry, reference("people")]] = []
    editor: Annotated[Entry, reference("people")] | None = None
    plain: reference("people") | None = None  # type: ignore[valid-type]


def book(**values: object) -> Any:
    return Book.model_validate(values, context={"content": Library()})


def test_a_field_refers_to_an_entry_alone_in_lists_and_where_it_may_be_missing() -> None:
    made = book(author="a", readers=["b", "a"], editor="b", plain=1)
    assert [made.author.slug, made.readers[0].slug, made.editor.slug, made.plain.slug] == ["a", "b", "b", "1"]
    assert made.author.entry == "the entry a"
    assert made.author.upper() == "THE ENTRY A"
    assert book(author="a").editor is None


def test_references_to_one_entry_are_equal() -> None:
    one, other = book(author="a").author, book(author="a").author
    assert one == other
    assert {one: 1}[other] == 1
    assert one != book(author="b").author
    assert one != "a"
    assert (str(one), repr(one)) == ("a", "reference to people/a")


def test_a_reference_is_written_as_its_slug() -> None:
    made = book(author="a", readers=["b"])
    assert made.model_dump(mode="json") == {"author": "a", "readers": ["b"], "editor": None, "plain": None}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"author": "c"}, 'there is no "c"'),
        ({"author": ["a"]}, "has to be the slug of an entry"),
        ({"author": True}, "has to be the slug of an entry"),
        ({"author": None}, "has to be the slug of an entry"),
    ],
)
def test_what_is_no_entry_is_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        book(**values)


def test_a_model_with_references_is_read_in_a_collection_alone() -> None:
    with pytest.raises(ValidationError, match="can be read in a collection alone"):
        Book(author="a")  # type: ignore[arg-type]


def test_a_reference_is_no_function() -> None:
    with pytest.raises(TypeError, match="never called"):
        reference("people")()


def test_a_collection_knows_its_line() -> None:
    assert Collection("content/blog").line == sys._getframe().f_lineno


def test_importing_it_waits_for_no_pydantic() -> None:
    code = "import sys; from hybridsite import Collection, reference; print('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
