"""The adapter for AWS Lambda: a folder to zip, which answers everything; dist/client/ is for a CDN's bucket."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hybridsite.adapters.adapter import FUNCTION, Adapter, Host, HostedBuild
from hybridsite.errors import SiteError
from hybridsite.settings import Settings

FOLDER = ".lambda"
MANGUM = ("mangum>=0.19",)
HANDLER = "handler.py"
_HANDLER = '''"""Written by hybridsite build: `handler.handler` answers the events of AWS Lambda."""

import os
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path.insert(0, str(here / "_vendor"))

from hybridsite.serverless import lambda_handler

handler = lambda_handler(here / "dist", os.environ)
'''


class LambdaAdapter(Adapter):
    """The function has the whole site, so that a function URL alone gives all of it; a CDN takes the files off it."""

    def host(self, settings: Settings) -> Host:
        """Tells that nothing stays there: neither process nor files."""
        return FUNCTION

    def finish(self, build: HostedBuild) -> Iterable[SiteError]:
        """Installs the packages, so that they are there when the build stands. Raises AdapterError, also for a function
        that is too large."""
        from hybridsite.adapters.functions import check_size, packages_of

        check_size(build, {HANDLER: _HANDLER}, packages_of(build.site, MANGUM))
        return ()

    def placed(self, site: Any, dist: Path) -> Iterable[Path]:
        """Writes .lambda/function/, the folder to zip; and requirements.txt beside it, where pip is left to others."""
        from hybridsite.adapters.functions import packages_of, write_beside, write_function

        folder = Path(site.root) / FOLDER
        packages = packages_of(site, MANGUM)
        write_function(site, dist, folder / "function", {HANDLER: _HANDLER}, packages)
        write_beside(site, folder, packages, MANGUM)
        return [folder / "function" / HANDLER]
