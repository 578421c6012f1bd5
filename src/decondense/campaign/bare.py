"""jaxtyping where it is not installed: its shapes are annotations, which only tests check."""

import sys
from importlib.util import find_spec
from types import ModuleType

NAMES = ("Bool", "Float", "Int")  # all that this package imports of it


class Shape:
    """`Float[np.ndarray, "texts entries"]` is `np.ndarray`."""

    def __class_getitem__(cls, of: tuple) -> type:
        return of[0]


def stand_in() -> None:
    """Put a module with `NAMES` in the place of jaxtyping, unless that can be imported."""
    if "jaxtyping" in sys.modules or find_spec("jaxtyping"):
        return
    module = ModuleType("jaxtyping")
    vars(module).update(dict.fromkeys(NAMES, Shape))
    sys.modules["jaxtyping"] = module
