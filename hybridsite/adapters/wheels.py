"""Packages for a machine that isn't this one: wheels that pip chooses for its Python, its processor and its C library.

What was installed is kept, by all that it was chosen by, so that only the first build asks the network.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hybridsite.errors import AdapterError, Location

_TIMEOUT = 600
# Amazon Linux 2 has glibc 2.26, and Amazon Linux 2023, which runs Python from 3.12 on, has 2.34:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
_GLIBC = {"3.11": 26}
_NEWEST_GLIBC = 34
_OLDEST_GLIBC = 17  # manylinux2014
# The first pip that asks what a package requires of Python for the target's, not for its own: pip's issue 12216. One
# before tries all versions of all packages, for minutes, and finds none.
_PIP = (24, 2)
_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True)
class Target:
    """The machine: its Python ("3.12"), and its processor in the words of AWS, x86_64 or arm64."""

    python: str
    architecture: str

    def platforms(self) -> Iterator[str]:
        """Yields the platform tags of wheels that run there (PEP 600), the newest first."""
        machine = _MACHINES[self.architecture]
        for minor in range(_GLIBC.get(self.python, _NEWEST_GLIBC), _OLDEST_GLIBC - 1, -1):
            yield f"manylinux_2_{minor}_{machine}"
        yield f"manylinux2014_{machine}"


def installed(requirements: Sequence[str], target: Target, cache: Path) -> Path:
    """Gives a folder with the packages, installed for the target, below `cache`. It is to be copied, not changed.

    Raises AdapterError where pip fails, with what it says.
    """
    asked = "\n".join([target.python, target.architecture, *requirements])
    folder = cache / hashlib.sha256(asked.encode()).hexdigest()[:16]
    if folder.is_dir():
        return folder
    check_pip(target)
    draft = cache / f"{folder.name}.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        listed = draft / "requirements.txt"
        listed.write_text("\n".join(requirements) + "\n", "utf-8")
        _run_pip(listed, target, draft / "packages")
        for left in cache.iterdir():  # of earlier requirements; there may be gigabytes after a year
            if left != draft:
                shutil.rmtree(left, ignore_errors=True)
        (draft / "packages").replace(folder)
    except OSError as error:
        why = error.strerror or str(error)
        raise AdapterError(f"the function's packages can't be written to {cache}", why=why) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def check_pip(target: Target) -> None:
    """Raises AdapterError where there is no pip, or one that can't choose for another Python than its own."""
    try:
        version = importlib.metadata.version("pip")
    except importlib.metadata.PackageNotFoundError:
        what, mend = "pip, which installs the function's packages, is not installed", "python -m ensurepip"
        raise AdapterError(what, mend=f"{mend}, or set packages = false in [build.function]") from None
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    if target.python != own and tuple(map(int, re.findall(r"\d+", version)[:2])) < _PIP:
        what = f"pip {version} can't choose packages for Python {target.python}, since it runs on {own}"
        mend = "python -m pip install --upgrade pip"
        raise AdapterError(what, mend=mend, location=Location("site.toml"))


def _run_pip(listed: Path, target: Target, folder: Path) -> None:
    # -I: a site's collections.py is no module of Python's.
    command = [sys.executable, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={target.python}", "--no-compile"]
    command += [f"--platform={platform}" for platform in target.platforms()]
    command += [f"--target={folder}", f"--requirement={listed}"]
    machine = f"Python {target.python} on {target.architecture}"
    what = f"pip can't install the function's packages for {machine}"
    mend = "mend what pip says, or set packages = false in [build.function] and install them in another way"
    place = Location("site.toml")
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        why = f"it has not ended after {_TIMEOUT // 60} minutes"
        raise AdapterError(what, why=why, mend=mend, location=place) from None
    if done.returncode != 0:
        raise AdapterError(what, why=_complaint(done.stderr), mend=mend, location=place)


def _complaint(said: str) -> str:
    """Gives the line of what pip says that names the fault."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return errors[-1] if errors else lines[-1] if lines else "it says nothing"
