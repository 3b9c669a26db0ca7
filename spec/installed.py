"""Plug-ins of installed packages: found by type, when a spec has a type that is unknown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "modelwright.plugins"
"""The entry-point group. The name of an entry point is the type that it adds."""


class PluginError(Exception):
    """A plug-in cannot be loaded or used."""


CLASSES: dict[str, type] = {}
"""The types that plug-ins have added -> the classes of their options."""
FILES: dict[str, str] = {}
"""The types that plug-ins have added that are files -> the path of the file."""


@dataclass
class Search:
    """Whether installed packages are searched, and the types that were searched for, with the
    error of each.
    """

    enabled: bool = True
    tried: dict[str, PluginError | None] = field(default_factory=dict)


SEARCH = Search()


def load_installed(name: str) -> None:
    """Load the plug-in of this type, if an installed package has one.

    Only its entry point is loaded. Raises PluginError if several packages have one, or if it
    cannot be loaded.
    """
    if not SEARCH.enabled:
        return
    if name not in SEARCH.tried:
        SEARCH.tried[name] = None  # also while it is loaded
        try:
            _load(name)
        except PluginError as error:
            SEARCH.tried[name] = error
    failed = SEARCH.tried[name]
    if failed is not None:
        raise failed


def _load(name: str) -> None:
    from importlib.metadata import entry_points  # slow to import

    found = list(entry_points(group=GROUP, name=name))
    if len(found) > 1:
        several = " and ".join(sorted({package_of(one) for one in found}))
        raise PluginError(
            f"`{name}` is a plug-in of several packages, {several}; uninstall all but one"
        )
    for entry in found:
        try:
            plugin = entry.load()
        except (Exception, SystemExit) as error:  # whatever the code of the package raises
            raise _failed(entry, f"{type(error).__name__}: {error}") from error
        register = getattr(plugin, "register", None)
        if register is None:
            raise _failed(entry, f"`{entry.value}` is not a `modelwright.plugins.Plugin`")
        register(f"the package {package_of(entry)}")


def package_of(entry: EntryPoint) -> str:
    """The name of the package of an entry point."""
    return entry.dist.name if entry.dist is not None else entry.module


def _failed(entry: EntryPoint, reason: str) -> PluginError:
    return PluginError(
        f"the plug-in `{entry.name}` of the package {package_of(entry)} cannot be loaded: {reason}"
    )
