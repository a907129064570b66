"""A cluster that renders makes no difference: the same bytes, faults and traces, and a worker may die."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from hybridsite.build import cluster as clusters
from hybridsite.build.build import BuildOptions, build_site
from hybridsite.build.rows import BuildReport
from hybridsite.errors import BuildError, SiteErrors
from tests.build.clusters import Cluster
from tests.e2e.support import SECRET, built, hybridsite, page, tree, wait_until, write_files, write_site
from tests.inprocess import built_here

pytestmark = pytest.mark.timeout(300)  # processes are started by the dozen, on machines that may be busy

TREES = ("elm", "oak")
SITE: dict[str, str | bytes] = {
    "site.toml": '[site]\ntitle = "env:SITE_TITLE"\nurl = "https://example.org"\n'
    '[session]\ndriver = "redis"\noptions = { url = "env:SESSION_URL" }\n[feeds.blog]\n',
    "collections.py": """
        from datetime import date

        from pydantic import BaseModel

        from hybridsite import Collection


        class Post(BaseModel):
            title: str
            date: date
            tags: list[str] = []


        blog = Collection("content/blog", schema=Post)
    """,
    **{
        f"content/blog/p{n}.md": f"---\ntitle: Post {n}\ndate: 2026-01-{n:02}\ntags: [{TREES[n % 2]}]\n---\n"
        f"# On {n}\n\nSee [the one before](p{max(1, n - 1)}.md).\n\n```python\nx = {n}\n```\n"
        for n in range(1, 21)
    },
    "layouts/base.html": '<title><< site.title >> << page.title | default("") >></title>'
    "<link href=\"<< asset('site.css') >>\">{% block main %}{% endblock %}<< session >>",
    "pages/blog/[slug].html": "---\npaths: blog\n---\n{% extends 'layouts/base.html' %}"
    "{% block main %}<< entry.html >>{% island 'components/cart.html', number=entry.slug %}none{% endisland %}"
    "{% endblock %}",
    "pages/tags/[tags].html": "---\npaths: {collection: blog, by: tags}\n---\n"
    "{% for entry in entries %}<< entry.url >> {% endfor %}",
    "pages/about.md": "---\nlayout: layouts/base.html\ntitle: About\n---\nText\n",
    "pages/plain.html": "<< data.shop.name >>",
    "pages/city.html": "<< city >> << kept >>",
    "pages/city.py": """
        import os
        from pathlib import Path

        from shouting import shout


        def load(context):
            return {"city": shout(os.environ["CITY"]), "kept": os.environ.get("UNSET_HERE", "unset")}
    """,
    "shouting.py": "def shout(text):\n    return text.upper()\n",
    "pages/n/[number].html": "<< params.number >>",
    "pages/n/[number].py": "def paths(site):\n    return [{'params': {'number': n}} for n in range(30)]\n\n\n"
    "def load(context):\n    print('not an answer')\n    return {}\n",
    "components/cart.html": "<< number >>",
    "data/shop.toml": 'name = "Ink"\n',
    "assets/site.css": "body { background: url(dot.svg) }",
    "assets/dot.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "public/robots.txt": "x",
}
ENV = {"SITE_TITLE": "Ink & Galls", "CITY": "Brno", "HYBRIDSITE_SECRET": SECRET, "SESSION_URL": "redis://:geheim@db/0"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        for _ in range(2):
            # What a worker has in its own environment is no part of a site.
            cluster.add_worker(env={"CITY": "Graz", "UNSET_HERE": "set", "HYBRIDSITE_SECRET": "x" * 40})
        yield cluster


def build_there(root: Path, executor: str = "") -> BuildReport:
    """Builds a site in this process, in the environment that it wants; with one process, or by a cluster."""
    options = BuildOptions(executor=executor, jobs=None if executor else 1)
    return build_site(root, root / ".hybridsite", environ=ENV, options=options)


def test_a_cluster_writes_the_same_bytes(tmp_path: Path, cluster: Cluster) -> None:
    here, there = write_site(tmp_path / "here", SITE), write_site(tmp_path / "there", SITE)
    alone = built(here, "--jobs", "1", env=ENV)
    spread = hybridsite("build", there, "--executor", cluster.executor, env=ENV, timeout=200)
    assert tree(here / "dist") == tree(there / "dist")
    assert alone.stderr == spread.stderr
    assert "`session` is undefined" in spread.stderr
    assert page(there, "city/index.html").startswith("BRNO unset")
    wait_until(lambda: not cluster.renderers(), "the processes that rendered to end")


@pytest.mark.long
def test_the_example_is_the_same_by_a_cluster(tmp_path: Path, cluster: Cluster) -> None:
    example = Path(__file__).parent.parent.parent / "example-site"
    here, there = tmp_path / "here", tmp_path / "there"
    for root in (here, there):
        shutil.copytree(example, root, ignore=shutil.ignore_patterns("dist", ".hybridsite", "__pycache__"))
    env = {"HYBRIDSITE_SECRET": SECRET}
    alone = built(here, "--jobs", "1", env=env)
    spread = hybridsite("build", there, "--executor", cluster.executor, env=env, timeout=200)
    assert tree(here / "dist") == tree(there / "dist")
    assert alone.stderr == spread.stderr


def test_what_a_cluster_rendered_is_kept_as_if_it_had_been_rendered_here(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITY", "Brno")
    here, there = write_site(tmp_path / "here", SITE), write_site(tmp_path / "there", SITE)
    build_there(here)
    build_there(there, cluster.executor)
    for root in (here, there):
        write_files(root, {"data/shop.toml": 'name = "Paper"\n', "pages/new.html": "<< data.shop.name >>"})
    alone, spread = build_there(here), build_there(there, cluster.executor)
    assert [(page.url, page.why) for page in alone.told] == [(page.url, page.why) for page in spread.told]
    assert 0 < spread.kept < spread.pages
    assert tree(here / "dist") == tree(there / "dist")
    assert page(there, "plain/index.html") == "Paper"


def test_a_file_outside_is_followed_by_its_place_here(tmp_path: Path, cluster: Cluster) -> None:
    outside = tmp_path / "prices.csv"
    outside.write_text("1")
    reads = f"def load(context):\n    return {{'price': context.depends_on({str(outside)!r}).read_text()}}\n"
    root = write_site(tmp_path / "site", {"pages/price.html": "<< price >>", "pages/price.py": reads})
    first = built_here(root, executor=cluster.executor, profile=True)
    assert [(page.why != "", list(page.spent)) for page in first.told] == [(True, ["pages/price.html"])]
    assert built_here(root, executor=cluster.executor).kept == 1
    outside.write_text("2")
    assert built_here(root, executor=cluster.executor).kept == 0
    assert page(root, "price/index.html") == "2"


SLOW = """
    import os
    import time
    from pathlib import Path

    def paths(site):
        return [{"params": {"number": number}} for number in range(60)]

    def load(context):
        Path(MARKS, "{}-{}".format(os.getppid(), context.params["number"])).touch()
        time.sleep(0.05)
        return {}
"""


def test_a_worker_that_is_killed_midway_costs_nothing_but_time(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    files = {**SITE, "pages/slow/[number].html": "<< params.number >>"}
    files["pages/slow/[number].py"] = SLOW.replace("MARKS", repr(str(marks)))
    here, there = write_site(tmp_path / "here", files), write_site(tmp_path / "there", files)
    monkeypatch.setenv("CITY", "Brno")
    build_there(here)
    for mark in marks.iterdir():
        mark.unlink()
    doomed = cluster.add_worker()

    def has_begun() -> bool:
        return any(mark.name.startswith(f"{doomed.pid}-") for mark in marks.iterdir())

    with ThreadPoolExecutor(1) as pool:
        build = pool.submit(build_there, there, cluster.executor)
        wait_until(lambda: has_begun() or build.done(), "the worker to render", 90)
        orphans = [process for process in cluster.renderers().values() if process.ppid() == doomed.pid]
        cluster.kill(doomed)
        assert orphans
        assert build.result(90).kept == 0
    assert tree(here / "dist") == tree(there / "dist")
    wait_until(lambda: all(map(has_ended, orphans)), "what the worker had started to end")  # amid their work, too


def has_ended(process: psutil.Process) -> bool:
    """Tells whether a process does nothing any more. In a container nobody may take note of its end."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize(("lost", "told"), [("worker", "has no workers; waited 0.5 s"), ("scheduler", "is lost")])
def test_a_cluster_that_is_lost_midway_is_told_and_leaves_what_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str, told: str
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    root = write_site(tmp_path / "site", {"pages/slow/[number].html": "old"})
    write_files(root, {"pages/slow/[number].py": SLOW.replace("MARKS", repr(str(marks)))})
    built_here(root)
    before = tree(root / "dist")
    for mark in marks.iterdir():
        mark.unlink()
    write_files(root, {"pages/slow/[number].html": "new"})
    with Cluster(tmp_path / "cluster") as cluster, ThreadPoolExecutor(1) as pool:
        worker = cluster.add_worker()
        build = pool.submit(built_here, root, executor=cluster.executor)
        wait_until(lambda: any(marks.iterdir()) or build.done(), "the worker to render", 90)
        monkeypatch.setattr(clusters, "_FOR_WORKERS", 0.5)
        cluster.kill(worker if lost == "worker" else cluster.scheduler)
        with pytest.raises(BuildError, match=told):
            build.result(90)
    assert tree(root / "dist") == before


def test_faults_come_back_with_all_their_parts(tmp_path: Path, cluster: Cluster) -> None:
    bad: dict[str, str | bytes] = {
        "pages/p1.html": "\n<< page.tilte >>",
        "pages/p2.html": "---\ntitle: x\n---\n<< page.tilte >>",
        "pages/p3.html": "x",
        "pages/p3.py": "def load(context):\n    return 1 // 0\n",
        "pages/p4.html": "x",
        "pages/p4.py": "from hybridsite import SiteError\nclass Own(SiteError):\n    pass\n"
        "def load(context):\n    raise Own('it is wrong', why='so', mend='mend it')\n",
        "pages/p5.html": "\nx{% if %}",  # a page that doesn't load is told once, by the build
        "pages/fine.html": "x",
    }
    root = write_site(tmp_path / "site", bad)

    def faults(executor: str) -> list[tuple[object, ...]]:
        with pytest.raises(SiteErrors) as caught:
            built_here(root, executor=executor)
        fault = caught.value
        assert isinstance(fault, SiteErrors)
        return [(f.what, f.why, f.mend, f.location, f.pages) for f in fault.faults]

    assert faults("") == faults(cluster.executor)
    assert len(faults(cluster.executor)) == 5


def test_paths_that_are_others_on_a_worker_are_told(tmp_path: Path, cluster: Cluster) -> None:
    python = "import os\ndef paths(site):\n    return [{'params': {'pid': os.getpid()}}]\n"
    root = write_site(tmp_path / "site", {"pages/[pid].html": "x", "pages/[pid].py": python})
    with pytest.raises(BuildError, match="let it give the same each time"):
        built_here(root, executor=cluster.executor)


def test_a_module_that_a_worker_lacks_is_told_with_the_page(tmp_path: Path, cluster: Cluster) -> None:
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside/only_here.py").write_text("x = 1\n")
    site = {
        "pages/a.html": "<< x >>",
        "pages/a.py": "from only_here import x\ndef load(context):\n    return {'x': x}\n",
    }
    root = write_site(tmp_path / "site", dict(site))
    path = {"PYTHONPATH": f"{Path(__file__).parent.parent.parent}:{tmp_path / 'beside'}"}
    done = hybridsite("build", root, "--executor", cluster.executor, env=path, timeout=200)
    assert done.returncode == 1
    assert "pages/a.html: a worker of the cluster knows no a/index.html" in done.stderr
    assert "No module named 'only_here'" in done.stderr
    assert "has to be on the workers, too" in done.stderr
    assert not (root / "dist").exists()


def test_a_scheduler_that_is_not_there_is_told_within_seconds(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", {"pages/a.html": "old"})
    built(root)
    write_files(root, {"pages/a.html": "new"})
    began = time.monotonic()
    done = hybridsite("build", root, "--executor", "dask://127.0.0.1:1")
    assert time.monotonic() - began < 40  # 5 s, and the start of a process
    assert done.returncode == 1
    assert done.stderr.startswith("no scheduler of Dask answers at dask://127.0.0.1:1; ")
    assert done.stderr.endswith("start one there with `dask scheduler`, or build without --executor\n")
    assert done.stderr.count("\n") == 1
    assert page(root, "a/index.html") == "old"


def test_without_workers_and_with_the_wrong_ones_the_mend_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_site(tmp_path / "site", {"pages/a.html": "x"})
    with Cluster(tmp_path / "cluster") as cluster:
        monkeypatch.setattr(clusters, "_FOR_WORKERS", 0.2)
        with pytest.raises(BuildError, match=r"has no workers; waited 0\.2 s for one"):
            built_here(root, executor=cluster.executor)
        monkeypatch.undo()
        older = cluster.add_worker(preload="import hybridsite\nhybridsite.__version__ = '0.0.7'\n")
        with pytest.raises(BuildError, match=r"hybridsite 0\.0\.7 instead of .*; install the same on every machine"):
            built_here(root, executor=cluster.executor)
        cluster.kill(older)
        cluster.add_worker(preload="import sys\nsys.modules['hybridsite'] = None\n")
        with pytest.raises(BuildError, match=r"lacks a package.*install hybridsite with its extras on every worker"):
            built_here(root, executor=cluster.executor)


@pytest.mark.parametrize("word", ["dask://", "dask://host", "tcp://host:1", "dask://host:x", "dask://u@host:1"])
def test_a_word_that_names_no_cluster_is_refused(tmp_path: Path, word: str) -> None:
    done = hybridsite("build", write_site(tmp_path / "site", {}), "--executor", word)
    assert done.returncode == 2
    assert "write dask://host:port" in done.stderr


def test_a_cluster_and_processes_here_are_not_both_chosen(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", {})
    done = hybridsite("build", root, "--executor", "dask://127.0.0.1:1", "--jobs", "2")
    assert done.returncode == 2
    assert "give one of them" in done.stderr
