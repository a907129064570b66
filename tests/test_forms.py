"""A form's text as a model: lists, empty fields, checkboxes, files, aliases, and what is never shown again."""

from __future__ import annotations

import asyncio
import io
import json
from enum import Enum
from typing import Annotated, Any, Literal, NewType, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    Secret,
    SecretBytes,
    SecretStr,
    create_model,
)
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from hybridsite import ActionError, UploadFile
from hybridsite.forms import FormModel, Submission, read_submission
from hybridsite.outcomes import MOST_TYPED, ActionResult, Failure, Messages, Typed
from tests.inprocess import scope_of

Name = NewType("Name", str)
Hidden = NewType("Hidden", SecretStr)


class Size(Enum):
    SMALL = "s"
    LARGE = "l"


def read(annotation: Any, *sent: str, default: Any = ...) -> Any:
    """Gives what a model with one field makes of the values that were sent for it; an ActionError as its messages."""
    form = FormModel(create_model("M", field=(annotation, default)))
    try:
        return getattr(form.validate(Submission({"field": list(sent)} if sent else {})), "field")  # noqa: B009
    except ActionError as error:
        return error.fields["field"]


REQUIRED = ["Field required"]


@pytest.mark.parametrize(
    ("annotation", "sent", "default", "value"),
    [
        (str, ["a"], ..., "a"),
        (str, ["a", "b"], ..., "b"),  # a hidden field before a checkbox
        (str, [""], ..., ""),
        (Name, [""], ..., ""),
        (Annotated[str, Field(min_length=1)], [""], ..., ["String should have at least 1 character"]),
        (str, [], ..., REQUIRED),
        (str, [""], "given", ""),
        (str | None, [""], "given", None),
        (Optional[int], [""], ..., None),  # noqa: UP045
        (int, [""], ..., REQUIRED),
        (int, [""], 7, 7),
        (int, ["7"], ..., 7),
        (int | None, [], 7, 7),
        (float | str, [""], ..., ""),
        (Literal["", "a"], [""], ..., ""),
        (Literal["a"], [""], "a", "a"),
        (Size, ["l"], ..., Size.LARGE),
        (Size, [""], Size.SMALL, Size.SMALL),
        (Any, [""], ..., ""),
        (bool, [], ..., False),
        (bool, [""], ..., False),
        (bool, ["on"], ..., True),
        (bool, ["0", "1"], ..., True),
        (bool, [], True, True),
        (bool | None, [], None, None),
        (list[str], ["a", "b"], ..., ["a", "b"]),
        (list[str], ["a"], ..., ["a"]),
        (list[str], ["", "a"], ..., ["", "a"]),
        (list[str], [], ..., []),
        (list[str], [], ["x"], ["x"]),
        (list[int], ["", "3"], ..., [3]),
        (list[int], ["x", "y"], ..., ["Input should be a valid integer, unable to parse string as an integer"]),
        (set[str], ["a", "a"], ..., {"a"}),
        (tuple[int, int], ["1", "2"], ..., (1, 2)),
        (frozenset[Size] | None, ["s"], None, frozenset({Size.SMALL})),
        (Annotated[list[Annotated[str, Field(max_length=2)]], Field(max_length=1)], ["a"], ..., ["a"]),
    ],
)
def test_how_text_is_read(annotation: Any, sent: list[str], default: Any, value: Any) -> None:
    assert read(annotation, *sent, default=default) == value


def upload(name: str = "a.txt", body: bytes = b"abc") -> UploadFile:
    return UploadFile(io.BytesIO(body), size=len(body), filename=name, headers=Headers())


class Files(BaseModel):
    one: UploadFile
    many: list[UploadFile] = []
    perhaps: UploadFile | None = None


def test_files() -> None:
    form = FormModel(Files)
    empty = upload("", b"")
    sent = Submission({"one": [upload()], "many": [upload("b"), empty, upload("c")], "perhaps": [empty]})
    files = form.validate(sent)
    assert isinstance(files, Files)
    assert ([file.filename for file in files.many], files.perhaps) == (["b", "c"], None)
    assert form.typed(sent) == {}
    with pytest.raises(ActionError) as caught:
        form.validate(Submission({"one": [empty], "many": ["text"]}))
    assert set(caught.value.fields) == {"one", "many"}


class Aliased(BaseModel):
    first: str = Field(alias="first-name")
    second: str = Field("", validation_alias=AliasChoices("second-name", AliasPath("deep", 0), "2nd"))
    third: str = Field("", validation_alias=AliasPath("deep", 1))


class Named(Aliased):
    model_config = ConfigDict(populate_by_name=True)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    a: str


def test_names_and_aliases() -> None:
    sent = Submission({"first-name": ["a"], "2nd": ["b"], "first": ["c"]})
    assert FormModel(Aliased).validate(sent).model_dump() == {"first": "a", "second": "b", "third": ""}
    assert FormModel(Aliased).typed(sent) == {"first-name": "a", "2nd": "b"}
    by_name = Submission({"first": ["c"]})
    assert FormModel(Named).validate(by_name).model_dump()["first"] == "c"
    with pytest.raises(ActionError) as caught:
        FormModel(Strict).validate(Submission({"a": ["1"], "b": ["2"]}))
    assert caught.value.fields == {"b": ["Extra inputs are not permitted"]}


def secret_annotations() -> st.SearchStrategy[Any]:
    """Gives annotations in which a secret stands somewhere."""
    wrappers: list[Any] = [
        lambda inner: Annotated[inner, Field(description="x")],
        lambda inner: Optional[inner],  # noqa: UP045
        lambda inner: Union[inner, int],  # noqa: UP007
        lambda inner: list[inner],  # type: ignore[valid-type]
        lambda inner: dict[str, inner],  # type: ignore[valid-type]
        lambda inner: tuple[inner, ...],  # type: ignore[valid-type]
    ]
    secrets = st.sampled_from([SecretStr, SecretBytes, Secret[str], Secret[int], Hidden])
    return st.recursive(secrets, lambda inner: st.builds(lambda wrap, one: wrap(one), st.sampled_from(wrappers), inner))


@given(secret_annotations(), st.text(min_size=1))
def test_a_secret_is_never_shown_again(annotation: Any, text: str) -> None:
    form = FormModel(create_model("M", secret=(annotation, None), open=(str, "")))
    sent = Submission({"secret": [text], "open": [text], "unknown": [text]})
    assert form.typed(sent) == {"open": text}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXTS, st.lists(TEXTS))
def test_text_comes_through_as_it_was_typed(text: str, items: list[str]) -> None:
    form = FormModel(create_model("M", text=(str, ...), items=(list[str], ...)))
    sent = Submission({"text": [text], "items": list(items)} if items else {"text": [text]})
    assert form.validate(sent).model_dump() == {"text": text, "items": items}
    assert form.typed(sent) == {"text": text, **({"items": items} if items else {})}


@given(
    st.dictionaries(TEXTS, st.lists(TEXTS, max_size=5), max_size=5),
    st.dictionaries(TEXTS, st.one_of(TEXTS, st.lists(TEXTS)), max_size=5),
    TEXTS,
)
def test_an_outcome_comes_back_as_it_was(fields: Any, values: Any, message: str) -> None:
    result = ActionResult("a", None, Failure("invalid", message), Messages(fields), Typed(values))
    back = ActionResult.from_plain(result.to_plain())
    assert (back.error, back.values, back.ok, bool(back)) == (result.error, result.values, False, True)
    assert {name: list(dict.fromkeys(told)) for name, told in fields.items()} == back.fields


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 2 * MOST_TYPED), max_size=6))
def test_what_is_kept_is_bounded_and_the_small_stays(sizes: dict[str, int]) -> None:
    plain = ActionResult(
        "a", None, Failure("x", ""), Messages(), Typed({n: "y" * s for n, s in sizes.items()})
    ).to_plain()
    kept = plain["values"]
    assert sum(len(name) + len(value) for name, value in kept.items()) <= MOST_TYPED
    assert all(sizes[gone] >= max(map(len, kept.values()), default=0) for gone in sizes.keys() - kept.keys())


def test_messages_and_values_of_nothing_are_empty() -> None:
    result = ActionResult("a")
    assert (list(result.fields["x"]), result.values["x"], result.ok, str(result)) == ([], "", True, "")
    plain = ActionResult(
        "a", None, Failure("x", "m" * 9999), Messages({f"{n:03}" * 300: ["t" * 9999] * 9 for n in range(500)})
    )
    fields = plain.to_plain()["fields"]
    assert (len(fields), max(map(len, fields)), [len(told) for told in fields["000" * 33 + "0"]]) == (100, 100, [1000])


def test_faults_without_number_are_not_listed() -> None:
    class Numbers(BaseModel):
        items: list[int]

    with pytest.raises(ActionError) as caught:
        FormModel(Numbers).validate(Submission(json='{"items":[' + ",".join(['"x"'] * 5000) + "]}"))
    assert (caught.value.code, caught.value.fields) == ("invalid", {})


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_that_says_one_thing_is_read(value: Any) -> None:
    # case B3
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        if text.isascii() or text.isprintable():
            body = text.encode("utf-8", "replace")
            assert asyncio.run(submitted(sent_request("application/json", body))).json == body.decode()


@pytest.mark.parametrize(("levels", "text"), [(100, True), (101, False), (100_000, False)])
def test_how_deep_json_may_be(levels: int, text: bool) -> None:
    # case B3
    filled = '"' + "[{" * 200 + '\\""'
    for opens, closes in (("[", "]"), ('{"a":', "}")):
        read = submitted(sent_request("application/json", (opens * levels + filled + closes * levels).encode()))
        if text:
            assert asyncio.run(read).json is not None
        else:
            with pytest.raises(HTTPException, match="over 100 levels"):
                asyncio.run(read)


def test_strings_without_an_end_are_read_once() -> None:
    body = b"[" * 101 + b'"' + b'\\"' * 400_000
    with pytest.raises(HTTPException, match="over 100 levels"):
        asyncio.run(submitted(sent_request("application/json", body)))
    with pytest.raises(HTTPException, match="no JSON"):
        asyncio.run(submitted(sent_request("application/json", b'["' + b'[\\"' * 300_000)))


def sent_request(kind: str, *chunks: bytes) -> Request:
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    scope = scope_of("/", "POST", {"content-type": kind})

    async def receive() -> Message:
        return messages.pop(0)

    return Request(scope, receive)


PARTS = (
    b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
    b'--x\r\nContent-Disposition: form-data; name=f; filename="n"\r\n\r\nabc\r\n--x--\r\n'
)


async def submitted(request: Request) -> Submission:
    try:
        return await read_submission(request, max_body=1000, max_fields=3, max_files=2)
    finally:
        await request.close()


@given(st.integers(0, len(PARTS) - 1), st.integers(0, len(PARTS) - 1))
def test_a_form_is_whole_or_refused(first: int, second: int) -> None:
    # case B2
    one, other = sorted((first, second))
    sent = asyncio.run(
        submitted(sent_request("multipart/form-data; boundary=x", PARTS[:one], PARTS[one:other], PARTS[other:]))
    )
    assert (sent.form["a"], [file.filename for file in sent.form["f"]]) == (["1"], ["n"])  # type: ignore[union-attr]
    cut = PARTS[:one].rstrip(b"\r\n")
    if not cut.endswith(b"--x--"):
        with pytest.raises(HTTPException) as caught:
            asyncio.run(submitted(sent_request("multipart/form-data; boundary=x", cut)))
        assert caught.value.status_code == 400


def test_a_form_without_a_field() -> None:
    for kind, body in (("multipart/form-data; boundary=x", b"--x--\r\n"), ("application/x-www-form-urlencoded", b"")):
        assert asyncio.run(submitted(sent_request(kind, body))).form == {}


def test_a_form_that_middleware_has_read() -> None:
    async def check() -> None:
        request = sent_request("multipart/form-data; boundary=x", PARTS)
        await request.form()
        assert set((await submitted(request)).form) == {"a", "f"}
        request = sent_request("multipart/form-data; boundary=x", PARTS)
        await request.body()
        assert set((await submitted(request)).form) == {"a", "f"}

    asyncio.run(check())
