"""What a host can't run, told before anything is rendered: routes on demand, guarded pages, and the session driver."""

from __future__ import annotations

from hybridsite.action_table import ACTIONS
from hybridsite.adapters.adapter import Adapter, Host
from hybridsite.capabilities import told
from hybridsite.config import setting_locations
from hybridsite.errors import AdapterError, ConfigError, DriverError, Faults, count
from hybridsite.sessions.drivers import drivers_for, needs_of
from hybridsite.site import Site


def check_host(site: Site, adapter: Adapter, faults: Faults) -> None:
    """Adds a fault for each kind of thing that the host can't run, for what a build with an origin lacks, and for what
    the adapter finds itself."""
    host = adapter.host(site.settings)
    if not host.answers:
        _check_files_alone(site, host, faults)
    elif site.settings.build.origin and not site.url:
        faults.add(
            ConfigError(
                "[site] url has to be set where [build] origin is",
                why="the server behind the host learns from it where visitors are, for forms, cookies and links",
                mend='write [site] url = "https://example.com", the address that visitors see',
                location=setting_locations(site.root).get(("build", "origin")),
            )
        )
    with faults.collect():
        _check_driver(site, host)
    with faults.collect():
        adapter.check(site, faults)


def answered_on_demand(site: Site) -> list[str]:
    """Names all that is answered when it is asked for: routes, actions, islands; guarded pages not."""
    asked = [
        f"{route.pattern} ({route.source})"
        for route in site.router.routes
        if not route.prerender and route.redirect is None
    ]
    asked += [f"/{ACTIONS}/{name} ({action.place.file})" for name, action in site.actions.items()]
    return asked + [f"the island {component}" for component in site.fetched]


def guarded(site: Site) -> list[str]:
    """Names the pages that are given out only after the middleware has run."""
    return [resource.route.source for resource in site.resources.values() if resource.guard]


def _check_files_alone(site: Site, host: Host, faults: Faults) -> None:
    name, place = site.settings.build.adapter, setting_locations(site.root).get(("build", "adapter"))
    if asked := answered_on_demand(site):
        what = f'the adapter "{name}" can\'t answer on demand, which {count(len(asked), "route")} would have to be'
        mend = f"{host.mend}, or give the pages prerender: true and take the rest out"
        faults.add(AdapterError(what, why=", ".join(asked), mend=mend, location=place))
    if pages := guarded(site):
        what = f'the adapter "{name}" guards nothing, and {count(len(pages), "page")} would be given to everybody'
        mend = f"{host.mend}, or take guard: true out"
        faults.add(AdapterError(what, why=", ".join(pages), mend=mend, location=place))


def _check_driver(site: Site, host: Host) -> None:
    """Raises DriverError for a driver that lacks something on the host."""
    driver, name = site.settings.session.driver, site.settings.build.adapter
    if driver is False:
        return
    places = setting_locations(site.root)
    place = places.get(("session", "driver")) or places.get(("build", "adapter"))
    what = f'the session driver "{driver}" can\'t work on the host of the adapter "{name}"'
    if not host.answers:
        mend = f"{host.mend}, or take the driver out"
        raise DriverError(what, why="nothing of the site runs there", mend=mend, location=place)
    if lacking := needs_of(driver) - host.offers:
        mend = f"use one of {', '.join(drivers_for(host.offers))}"
        why = f"it needs {told(lacking)}, which the host doesn't offer"
        raise DriverError(what, why=why, mend=mend, location=place)
