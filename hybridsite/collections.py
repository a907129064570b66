"""What a site's collections.py says: where entries come from, the model that they have to fit, and references between
collections.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, Union

from hybridsite.errors import ModuleError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

Loader = Callable[[], Any]
"""A function that yields entries, or returns them: mappings with a `slug` (or `id`), perhaps a `body`, and data."""


class Collection:
    """Entries of one kind: `blog = Collection("content/blog", schema=Post)` in collections.py.

    `source` is a folder, a file, or a function. Each entry has to fit `schema`, a pydantic model. With `live`, a
    function is asked again while the site is served: True for each request, or how long its entries are kept ("30s",
    or seconds). The Markdown of a source that is not `trusted` is cleaned.
    """

    def __init__(
        self,
        source: Any,
        *,
        schema: Any = None,
        live: bool | float | str = False,
        trusted: bool = True,
    ) -> None:
        if not callable(source) and not isinstance(source, str):
            kind, mend = type(source).__name__, 'name a folder or a file ("content/blog"), or give a function'
            raise ModuleError(f"the source of a collection is {kind}", mend=mend)
        if schema is not None and not isinstance(schema, type):
            mend = "give the class: schema=Post"
            raise ModuleError(f"the schema of a collection is {type(schema).__name__}", mend=mend)
        if live and isinstance(source, str):
            what, why = "a collection of files can't be live", "files are read when the site is loaded"
            raise ModuleError(what, why=why, mend="take `live` out, or give a function")
        self.source = source
        self.schema = schema
        self.live = live
        self.trusted = trusted
        self.line = sys._getframe(1).f_lineno  # of collections.py, for faults that show once the source is read


class EntryReference:
    """Stands for an entry of another collection, and gives all that the entry has: `post.data.author.data.name`."""

    __slots__ = ("_resolver", "collection", "slug")

    def __init__(self, collection: str, slug: str, resolver: Resolver) -> None:
        self.collection = collection
        self.slug = slug
        self._resolver = resolver

    @property
    def entry(self) -> Any:
        """The entry itself, an Entry."""
        return self._resolver.resolve(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.entry, name)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, EntryReference):
            return (self.collection, self.slug) == (other.collection, other.slug)
        return NotImplemented  # an Entry knows how they compare

    def __hash__(self) -> int:
        return hash((self.collection, self.slug))

    def __str__(self) -> str:
        return self.slug

    def __repr__(self) -> str:
        return f"reference to {self.collection}/{self.slug}"


class Resolver(Protocol):
    """What a schema is checked with: it knows the entries of all collections."""

    def refer(self, collection: str, slug: str) -> EntryReference:
        """Gives a reference. Raises ValueError, whose text is shown, for an entry that isn't there."""
        ...

    def resolve(self, reference: EntryReference) -> Any:
        """Gives the entry of a reference."""
        ...


class Reference:
    """The type of a field that names an entry of another collection: `Annotated[Entry, reference("authors")]`."""

    def __init__(self, collection: str) -> None:
        self.collection = collection

    def __call__(self) -> NoReturn:  # typing takes nothing for a type that can't be called
        raise TypeError("a reference is a type, which is never called")

    def __or__(self, other: Any) -> Any:
        return Union[self, other]  # noqa: UP007 - which would be this method itself

    __ror__ = __or__

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import PydanticCustomError, core_schema

        def check(value: object, info: core_schema.ValidationInfo) -> EntryReference:
            if isinstance(value, int) and not isinstance(value, bool):
                value = str(value)
            if not isinstance(value, str):
                raise PydanticCustomError("reference", "has to be the slug of an entry")
            if not isinstance(info.context, dict) or "content" not in info.context:
                raise PydanticCustomError("reference", "is a reference, which can be read in a collection alone")
            resolver: Resolver = info.context["content"]
            try:
                return resolver.refer(self.collection, value)
            except ValueError as error:
                raise PydanticCustomError("reference", "{reason}", {"reason": str(error)}) from None

        slug = core_schema.to_string_ser_schema()
        return core_schema.with_info_plain_validator_function(check, serialization=slug)


def reference(collection: str) -> Any:
    """Gives the type of a field that holds the slug of an entry in another collection, by which the entry is found.

    Write `author: Annotated[Entry, reference("authors")]`, so that type checkers know what the field gives.
    """
    return Reference(collection)
