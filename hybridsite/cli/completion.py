"""`hybridsite completion`: the script by which a shell completes commands, options, folders and routes."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import get_completion_class

from hybridsite.cli.command import command
from hybridsite.cli.console import Console

_SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_HYBRIDSITE_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@command
def completion(console: Console, shell: str) -> None:
    """Prints the script that lets SHELL complete hybridsite: `eval "$(hybridsite completion bash)"`."""
    found = get_completion_class(shell)
    assert found is not None
    writer = found(click.get_current_context().find_root().command, {}, "hybridsite", _VARIABLE)
    console.say(writer.source_template % writer.source_vars())


def complete_route(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Gives the routes that begin so: the pages of the last build, or those that need no parameter."""
    # An option whose value isn't there yet keeps Click from reading the arguments before it.
    words = [context.params.get("site"), *context.args]
    site = next((Path(word) for word in words if word and (Path(word) / "site.toml").is_file()), Path())
    return sorted(url for url in _urls(site) if url.startswith(begun))


def _urls(site: Path) -> list[str]:
    from hybridsite.errors import Faults, SiteError
    from hybridsite.manifest import read_manifest
    from hybridsite.routes import read_routes
    from hybridsite.tree import index_files

    try:
        manifest = read_manifest(site / "dist")
    except (OSError, SiteError):
        routes = read_routes(index_files(site.resolve(), ("pages",), Faults()), Faults())
        return [route.pattern for route in routes if route.kind != "error" and not route.parameters]
    return [file.url for file in manifest.files if file.type.startswith("text/html")]
