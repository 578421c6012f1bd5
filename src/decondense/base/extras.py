"""Packages that a bare installation does not bring: imported where they are used, or an error that names the cure."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from .errors import installs


def need(module: str, extra: str) -> ModuleType:
    """Import `module`, which comes with the extra `extra` of this package.

    Raises
        ImportError: its package is not installed; one line with the extra and the command that installs it.
    """
    require(module, extra=extra)
    return import_module(module)


def require(*modules: str, extra: str) -> None:
    """Look whether `modules` could be imported, without importing any.

    Raises
        ImportError: as `need`, for those that are missing.
    """
    if missing := [name for name in dict.fromkeys(m.partition(".")[0] for m in modules) if not _installed(name)]:
        be = "is" if len(missing) == 1 else "are"
        raise ImportError(f"{', '.join(missing)} {be} not installed, part of the extra `{extra}`: {installs(extra)}")


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ValueError, ModuleNotFoundError):  # forbidden by `sys.modules`, or by a finder
        return False
