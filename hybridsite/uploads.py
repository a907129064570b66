"""A file that a browser sent with a form, as a field of an action's model."""

from __future__ import annotations

from typing import Any

from starlette import datastructures


class UploadFile(datastructures.UploadFile):
    """Starlette's UploadFile, which a pydantic model takes as the type of a field without further settings."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Gives what pydantic checks: that it is a file."""
        from pydantic_core import core_schema

        return core_schema.is_instance_schema(datastructures.UploadFile, cls_repr="file")
