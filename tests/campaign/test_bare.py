"""The stand-in for jaxtyping: an annotation with a shape is the type of its array."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from decondense.campaign import bare


@pytest.fixture
def absent(monkeypatch):
    monkeypatch.delitem(sys.modules, "jaxtyping")
    monkeypatch.setattr(bare, "find_spec", lambda name: None)
    bare.stand_in()
    return sys.modules["jaxtyping"]


def test_a_shape_is_the_type_of_the_array(absent):
    assert absent.Float[np.ndarray, "texts entries"] is np.ndarray
    assert (absent.Int[torch.Tensor, "n"] | None) == (torch.Tensor | None)


def test_the_stand_in_has_all_that_this_package_imports():
    source = Path(bare.__file__).parents[1]
    lines = {
        line for path in source.rglob("*.py") for line in re.findall(r"from jaxtyping import (.*)", path.read_text())
    }
    assert {name for line in lines for name in line.split(", ")} == set(bare.NAMES)


def test_where_jaxtyping_is_it_stays():
    before = sys.modules["jaxtyping"]
    bare.stand_in()
    assert sys.modules["jaxtyping"] is before
