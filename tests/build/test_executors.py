"""Who renders makes no difference: the same bytes, the same faults with all their parts, the same notices."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.build.build import BuildOptions, Listener, build_site
from hybridsite.build.executors import jobs_for, pieces_of, spread
from hybridsite.errors import SiteErrors
from tests.e2e.support import COMMAND, built, environment, page, tree, wait_until, write_files, write_site
from tests.inprocess import ENVIRON, built_here

SITE: dict[str, str | bytes] = {
    "layouts/base.html": "<title><< page.title >></title>{% block main %}{% endblock %}<< session >>",
    **{
        f"pages/p{n}.html": f"---\ntitle: p{n}\n---\n{{% extends 'layouts/base.html' %}}{{% block main %}}<p>{n}</p>"
        "{% endblock %}"
        for n in range(40)
    },
    "pages/tags/[tag].html": "<< params.tag >>",
    "pages/tags/[tag].py": "def paths(site):\n    return [{'params': {'tag': tag}} for tag in 'abc']\n",
}


@pytest.mark.parametrize("jobs", [2, 3, 100])
def test_several_processes_write_the_same_bytes(tmp_path: Path, jobs: int) -> None:
    one, several = write_site(tmp_path / "one", SITE), write_site(tmp_path / "several", SITE)
    alone, together = built(one, "--jobs", "1"), built(several, "--jobs", str(jobs))
    assert tree(one / "dist") == tree(several / "dist")
    assert alone.stderr == together.stderr
    assert "`session` is undefined" in alone.stderr


def test_faults_come_back_with_all_their_parts(tmp_path: Path) -> None:
    bad: dict[str, str | bytes] = {
        "pages/p1.html": "\n<< page.tilte >>",
        "pages/p2.html": "---\ntitle: x\n---\n<< page.tilte >>",
        "pages/p3.html": "x",
        "pages/p3.py": "def load(context):\n    return 1 // 0\n",
    }
    root = write_site(tmp_path / "site", SITE | bad)

    def faults(jobs: int) -> list[tuple[object, ...]]:
        with pytest.raises(SiteErrors) as caught:
            built_here(root, jobs=jobs)
        fault = caught.value
        assert isinstance(fault, SiteErrors)
        several = fault.faults
        return [(type(f), f.what, f.why, f.mend, f.location, f.pages) for f in several]

    assert faults(1) == faults(2)
    assert len(faults(2)) == 3


def test_a_page_of_a_worker_is_kept_by_the_next_build(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", SITE)
    built_here(root, jobs=2)
    write_files(root, {"pages/p7.html": "new"})
    report = built_here(root, jobs=2)
    assert (report.pages, report.kept) == (43, 39)  # p7 is new, and the three that ran Python
    assert page(root, "p7/index.html") == "new"


def test_where_another_thread_runs_no_process_is_split(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", SITE | {"pages/pid.html": "<< pid >>", "pages/pid.py": PID})
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        built_here(root, jobs=2)
        assert page(root, "pid/index.html") == str(os.getpid())
    finally:
        done.set()
        thread.join()
    built_here(root, jobs=2, clean=True)
    assert page(root, "pid/index.html") != str(os.getpid())


PID = "import os\ndef load(context):\n    return {'pid': os.getpid()}\n"


def test_workers_end_with_their_parent_and_hold_no_lock(tmp_path: Path) -> None:
    # case D2: kill -9 of the build alone
    slow = (
        "import os, time\nfrom pathlib import Path\n"
        f"def load(context):\n    Path({str(tmp_path)!r}, f'worker-{{os.getpid()}}').touch()\n    time.sleep(600)\n"
    )
    root = write_site(tmp_path / "site", SITE | {"pages/slow.html": "x", "pages/slow.py": slow})
    build = subprocess.Popen(
        [*COMMAND, "build", str(root), "--jobs", "2"], env=environment(), stdout=subprocess.DEVNULL
    )
    wait_until(lambda: bool(list(tmp_path.glob("worker-*"))), "a worker to begin")
    worker = int(next(tmp_path.glob("worker-*")).name.removeprefix("worker-"))
    assert worker != build.pid
    build.send_signal(signal.SIGKILL)
    build.wait(30)
    wait_until(lambda: not Path(f"/proc/{worker}").exists(), "the worker to end")
    (root / "pages/slow.py").unlink()
    assert "waiting" not in built(root).stdout


def test_few_pages_are_rendered_by_one_process() -> None:
    assert jobs_for(10) == 1
    assert jobs_for(1_000_000) == len(os.sched_getaffinity(0))


@given(pieces=st.integers(0, 40), ahead=st.integers(1, 9), workers=st.integers(1, 4))
def test_what_is_spread_comes_in_order_and_never_more_waits_than_may(pieces: int, ahead: int, workers: int) -> None:
    submitted: list[int] = []
    taken = 0

    class Counting(ThreadPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            submitted.append(args[0])
            assert len(submitted) - taken <= ahead
            return super().submit(fn, *args, **kwargs)

    with Counting(workers) as executor:
        for number, found in enumerate(spread(executor, lambda one: one * 2, ((n,) for n in range(pieces)), ahead)):
            assert found == number * 2
            taken += 1
    assert (taken, submitted) == (pieces, list(range(pieces)))


@given(pages=st.integers(0, 5000), jobs=st.integers(1, 64), most=st.none() | st.integers(1, 600))
def test_pieces_are_all_pages_once(pages: int, jobs: int, most: int | None) -> None:
    pieces = list(pieces_of(pages, jobs, most))
    assert [page for first, end in pieces for page in range(first, end)] == list(range(pages))
    assert all(0 < end - first <= (most or pages) for first, end in pieces)


@pytest.mark.parametrize(("jobs", "times"), [(1, 43), (2, 15)])  # each page, or each piece of three
def test_progress_is_told_page_by_page_or_piece_by_piece(tmp_path: Path, jobs: int, times: int) -> None:
    root = write_site(tmp_path / "site", SITE)
    told: list[tuple[str, str, int, int]] = []
    listener = Listener(progress=lambda *what: told.append(what))
    build_site(root, root / ".hybridsite", environ=ENVIRON, options=BuildOptions(jobs=jobs), listener=listener)
    rendered = [(done, all) for did, noun, done, all in told if (did, noun) == ("rendered", "page")]
    assert rendered == sorted(rendered)
    assert rendered[-1] == (43, 43)
    assert len(rendered) == times
