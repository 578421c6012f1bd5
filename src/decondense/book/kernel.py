"""The kernel a notebook runs in: what it computes on, how sharp its figures are, whether it is half old, half new."""

import platform
import re
import sys
from importlib import metadata

from ..base import machine

RESTART = "Restart the kernel (in Colab: Runtime > Restart session), then run the notebook from its top."


def ready() -> None:
    """Say in one line what the notebook computes on: the versions that move its numbers, and the device.

    The device is the one that `models.load` takes when none is asked for: the first CUDA device, else the CPU. Figures
    get two dots a pixel, and the size at which they are shown.

    Raises
        RuntimeError: the kernel must be restarted, since it holds a package of another version than is installed.
    """
    if found := stale():
        said = ", ".join(f"{name} {loaded} (installed: {installed})" for name, loaded, installed in found)
        raise RuntimeError(f"This kernel has loaded {said}. {RESTART}")
    gpu = machine.gpu()
    device = f"device cuda ({gpu})" if gpu else "device cpu"
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("decondense", "torch", "numpy"))
    print(f"{packages}, Python {platform.python_version()}, {device}")
    if shell := getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)():
        shell.run_line_magic("config", "InlineBackend.figure_formats = ['retina']")


def stale() -> list[tuple[str, str, str]]:
    """`(name, version loaded, version installed)` of each package we depend on that was replaced after its import.

    What follows a `+` is left out: a CUDA build of torch may state it of itself and not in its metadata.
    """
    found = []
    for name in dict.fromkeys(re.match(r"[\w.-]+", line)[0] for line in metadata.requires("decondense") or []):
        loaded = getattr(sys.modules.get(name.replace("-", "_")), "__version__", None)
        installed = loaded and metadata.version(name)
        if loaded and loaded.partition("+")[0] != installed.partition("+")[0]:
            found.append((name, loaded, installed))
    return found
