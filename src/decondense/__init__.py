"""Measure embedding condensation in language models, and reproduce the paper that named it.

The public way in is `from decondense import measure`.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("decondense")
except PackageNotFoundError:  # the source alone, on a machine where nothing is installed
    __version__ = "not installed"
_PUBLIC = {"measure": "measurement", "Condensation": "condensation"}
__all__ = ["Condensation", "__version__", "measure"]


def __getattr__(name: str):
    # Loaded on first use: `import decondense` does not import torch. (The module is `measurement`, since a module
    # named like the function would replace it in the package as soon as anything imports the module.)
    from importlib import import_module

    if name in _PUBLIC:
        return getattr(import_module(f".{_PUBLIC[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
