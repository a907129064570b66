"""A page: its module's `load` or method, then its template or Markdown body, as one response."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import Response

from hybridsite import markdown
from hybridsite.context import Context
from hybridsite.errors import ModuleError
from hybridsite.exchange import EarlyResponse, copied
from hybridsite.media import media_type
from hybridsite.modules import PAGE_METHODS, Handler, SiteModule, call
from hybridsite.resources import Resource
from hybridsite.site import Site
from hybridsite.templating import CONTEXT_NAMES
from hybridsite.used import Notes, noting, repeat


async def respond(context: Context, method: str) -> Response:
    """Answers a request for a page.

    Raises HTTPException 405 for a method that it doesn't answer, and SiteError where the site's code is at fault.
    """
    resource = context.resource
    values: dict[str, object] = {}
    if method not in ("GET", "HEAD"):
        handler = resource.module.function(method) if resource.module and method in PAGE_METHODS else None
        if handler is None:
            return _no_such_method(resource, method)
        given = await values_of(handler, context, resource.module)
        if isinstance(given, Response):
            return given
        values.update(given)
    load = resource.module.function("load") if resource.module else None
    if load is not None:
        given = await values_of(load, context, resource.module)
        if isinstance(given, Response):
            return given
        values = {**given, **values}
    try:
        text = _render(context, values)
    except EarlyResponse as early:
        return early.response
    if context.site.plugins.see_pages and _type(resource) == "text/html":
        text = context.site.plugins.page_rendered(context, text)
    status = context.response.status if context.touched("response") else resource.route.status
    return Response(text.encode(), status, media_type=_type(resource))


def _no_such_method(resource: Resource, method: str) -> Response:
    methods = resource.module.methods(PAGE_METHODS) if resource.module else {}
    allow = {"Allow": ", ".join(["GET", "HEAD", *methods, "OPTIONS"])}
    if method == "OPTIONS":
        return Response(status_code=204, headers=allow)
    raise HTTPException(405, headers=allow)


async def values_of(function: Handler, context: Context, module: SiteModule | None) -> Response | Mapping[str, object]:
    """Calls a function of a page or a component. It gives variables for the template, nothing, or the whole answer."""
    given = await call(function, context)
    if given is None:
        return {}
    if isinstance(given, Response):
        return copied(given)
    if not isinstance(given, Mapping):
        raise _unfit(function, module, f"gave {type(given).__name__}", "return a mapping, a Response or None")
    for key in given:
        if key in CONTEXT_NAMES or key in (context.listed or ()):
            raise _unfit(function, module, f'gave the name "{key}", which is reserved', "rename it")
        if not isinstance(key, str) or not key.isidentifier():
            raise _unfit(function, module, f"gave {key!r}, which is no variable's name")
    return given


def _unfit(function: Handler, module: SiteModule | None, what: str, mend: str = "") -> ModuleError:
    assert module is not None
    name = getattr(function, "__name__", "the function")
    return ModuleError(f"{name}() {what}", mend=mend, location=module.place(function))


def _render(context: Context, values: Mapping[str, object]) -> str:
    resource, templates = context.resource, context.site.templates
    names, dynamic = (resource.closure.names, resource.closure.dynamic) if resource.closure else (frozenset(), False)
    variables = {**context.variables(names, dynamic), **values, **(context.listed or {})}
    if not resource.route.source.endswith(".md"):
        return templates.render(templates.get(resource.route.source), variables)
    body = _markdown(context, variables)
    if resource.template is None:
        return _bare_document(context, body)
    variables |= {"content": Markup(body.html), "headings": body.headings, "toc": Markup(body.toc)}
    return templates.render(templates.get(resource.template), variables)


def _markdown(context: Context, variables: Mapping[str, object]) -> markdown.Rendered:
    resource = context.resource
    assert resource.source is not None
    assert resource.front is not None
    if not resource.front.jinja:
        return plain_markdown(context.site, resource)
    templates, file = context.site.templates, resource.source.file
    text = templates.render(templates.get(file), variables)
    resolve = context.site.links.resolver(file)
    return markdown.render(text, file=file, line=0, resolve=resolve, style=context.site.markdown_style)


def plain_markdown(site: Site, resource: Resource) -> markdown.Rendered:
    """Gives the HTML of a body that is the same for everybody, made once. Raises SiteErrors."""
    source = resource.source
    assert source is not None
    kept: tuple[markdown.Rendered, Notes] | None = resource.__dict__.get("_markdown")
    if kept is None:
        resolve, style = site.links.resolver(source.file), site.markdown_style
        with noting() as noted:  # another page of the resource depends on the same
            made = markdown.render(source.body, file=source.file, line=source.body_line, resolve=resolve, style=style)
        kept = resource.__dict__["_markdown"] = (made, noted)
    repeat(kept[1])
    return kept[0]


def _bare_document(context: Context, body: markdown.Rendered) -> str:
    title = str(context.page.get("title") or context.site.title or "")
    return (
        f'<!doctype html>\n<html lang="{escape(context.locale)}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        "</head>\n"
        f"<body>\n{body.html}</body>\n</html>\n"
    )


def _type(resource: Resource) -> str:
    return media_type(resource.route.source) if resource.route.kind == "file" else "text/html"
