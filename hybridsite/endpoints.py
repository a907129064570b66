"""An endpoint: a Python file whose functions are named for the HTTP methods that it answers."""

from __future__ import annotations

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from hybridsite.context import Context
from hybridsite.errors import Location, ModuleError
from hybridsite.exchange import copied
from hybridsite.media import media_type
from hybridsite.modules import METHODS, SiteModule, call


async def respond(context: Context, method: str) -> Response:
    """Answers a request for an endpoint: HEAD as GET; OPTIONS and 405 by the functions there are (RFC 9110, 15.5.6).

    Raises HTTPException 405, and ModuleError where the endpoint gives what can't be sent.
    """
    module = context.resource.module
    assert module is not None
    methods = module.methods(METHODS)
    handler = methods.get(method) or (methods.get("GET") if method == "HEAD" else None) or module.function("ALL")
    if handler is None:
        allow = {"Allow": ", ".join(dict.fromkeys([*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"]))}
        if method == "OPTIONS":
            return Response(status_code=204, headers=allow)
        raise HTTPException(405, headers=allow)
    given = await call(handler, context)
    return _as_response(given, context, module.place(handler), module)


def _as_response(given: Any, context: Context, place: Location, module: SiteModule) -> Response:
    if isinstance(given, Response):
        return copied(given)
    status = context.response.status if context.touched("response") else 200
    named = module.file.removesuffix(".py")
    by_name = media_type(named) if "." in named.rpartition("/")[2] else None
    if isinstance(given, str):
        return Response(given, status, media_type=by_name or "text/plain")
    if isinstance(given, bytes):
        return Response(given, status, media_type=by_name or "application/octet-stream")
    if isinstance(given, dict | list):
        try:
            body = json.dumps(given, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            return Response(body.encode(), status, media_type="application/json")
        except (TypeError, ValueError) as error:
            mend = "turn the value into JSON's types, or return a pydantic model"
            raise ModuleError("the endpoint's answer is no JSON", why=str(error), mend=mend, location=place) from error
    if hasattr(given, "model_dump_json"):
        return Response(given.model_dump_json(), status, media_type="application/json")
    raise ModuleError(
        f"the endpoint gave {type(given).__name__}",
        mend="return a Response, str, bytes, dict, list or a pydantic model",
        location=place,
    )
