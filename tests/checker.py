"""The type checker of these tests: an `int` will do where a `float` is asked for, as it does for Python.

Without that a list such as [1.0, 2] passes or fails by chance: one item of a list is looked at, drawn at random.
"""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
