"""Models by name: the paper's families as data, loaded from a folder, the hub or a PyPI mirror, or drawn at random.

`catalogue` knows the names, `memory` the sizes, `sources` where to look; `loading` makes the models. What needs torch
is imported when it is first asked for, so that a wrong name is refused at once.
"""

from ..base.assets import SOURCES
from .catalogue import (
    check_names,
    check_settings,
    file_name,
    is_adapter,
    is_known,
    is_pocket,
    label,
    names,
    positions,
    resolve,
    shown,
    table,
)

__all__ = [
    "DTYPES",
    "SOURCES",
    "Loaded",
    "check_names",
    "check_settings",
    "file_name",
    "is_adapter",
    "is_known",
    "is_pocket",
    "label",
    "load",
    "load_tokenizer",
    "names",
    "parameters",
    "positions",
    "refuse_if_too_large",
    "resolve",
    "shown",
    "table",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str):
    # Written out, not by `import_module`: `base.closure` follows these imports.
    if name in ("parameters", "refuse_if_too_large"):
        from . import memory

        return getattr(memory, name)
    if name in ("DTYPES", "Loaded", "load", "load_tokenizer"):
        from . import loading

        return getattr(loading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
