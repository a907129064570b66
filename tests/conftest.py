"""Fixtures that every test may use: a site on disk, the real command, a real server."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from tests.e2e import support

# A machine that is busy is no fault of a test; and CI tries the same examples each time, people try new ones.
settings.register_profile("hybridsite", deadline=None, derandomize="HYBRIDSITE_NO_SKIP" in os.environ)
settings.load_profile("hybridsite")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Makes a skipped test a failed one where HYBRIDSITE_NO_SKIP is set: in CI all that tests need is there."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("HYBRIDSITE_NO_SKIP"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which isn't allowed here: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def make_site(tmp_path_factory: pytest.TempPathFactory) -> support.MakeSite:
    """Writes a site into a folder of its own, with nothing else beside it."""

    def make(files: Mapping[str, str | bytes]) -> Path:
        return support.write_site(tmp_path_factory.mktemp("made") / "site", files)

    return make


@pytest.fixture(scope="session")
def hybridsite() -> support.Hybridsite:
    """Runs the real command in a clean environment."""
    return support.hybridsite


@pytest.fixture
def serve() -> Iterator[support.Serve]:
    """Starts real servers, which end with the test."""
    with ExitStack() as stack:

        def start(path: Path, *args: str, env: Mapping[str, str] | None = None) -> support.Server:
            return stack.enter_context(support.Server(path, *args, env=env))

        yield start
