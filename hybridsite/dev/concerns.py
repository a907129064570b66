"""Whom a fault of the sources concerns: the pages that are made from them, or all of them where that can't be told."""

from __future__ import annotations

from starlette.types import Scope

from hybridsite.errors import SiteError, SiteErrors
from hybridsite.resources import Resource
from hybridsite.site import Site
from hybridsite.urls import PathRefused


def concerned(site: Site, fault: Exception, scope: Scope) -> bool:
    """Tells whether a request is shown what is wrong with the sources, or the last good page.

    A page whose own files are at fault is; so is every page where the fault lies in what no page is known to be made
    from: settings, content, middleware, a new file. Files, and what isn't asked for by a navigation, are not.
    """
    if scope["method"] != "GET":
        return False
    accepted = next((value for name, value in scope["headers"] if name == b"accept"), b"*/*")
    if b"text/html" not in accepted:
        return False
    places = {fault.location.file for fault in _faults(fault) if fault.location}
    resources = list(site.resources.values())
    if not places or any(not any(file in _files(each) for each in resources) for file in places):
        return True
    try:
        path = site.policy.read(scope.get("raw_path") or scope["path"].encode())
    except PathRefused:
        return False
    matches = site.router.match(path.segments)
    found = [site.resources[match.route.source] for match in matches if match.route.source in site.resources]
    return any(places & _files(each) for each in found)


def _faults(fault: Exception) -> tuple[SiteError, ...]:
    if isinstance(fault, SiteErrors):
        return fault.faults
    return (fault,) if isinstance(fault, SiteError) else ()


def _files(resource: Resource) -> set[str]:
    templates = set(resource.closure.templates) | set(resource.closure.islands) if resource.closure else set()
    return {*resource.route.files, *templates, *([resource.module.file] if resource.module else [])}
