"""What all runs begin with: a missing package is named first, and rows that cannot be read are refused."""

import sys

import pytest
from toys import module_beside

from decondense.chapters.posttraining import start
from decondense.models import pocket

pytest.importorskip("trl", reason="TRL is not installed")
pytest.importorskip("datasets", reason="datasets is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of TRL, about itself

CONFIG = module_beside(__file__, "made").SMALL | {"seed": 0}


def test_prompts_that_the_model_cannot_read_are_refused(monkeypatch, small_pocket):
    found = start.start_of(CONFIG)
    monkeypatch.setattr(found.model.config, "n_positions", 10)
    with pytest.raises(ValueError, match=r"none can be trained on, left out were 1\d \(prompt too long\)"):
        start.rows_of(CONFIG, found)


def test_no_row_is_held_out_and_the_last_start_is_held(small_pocket):
    found = start.start_of(CONFIG)
    rows, left_out = start.rows_of(CONFIG, found)
    assert len(rows) + sum(left_out.values()) == 16 - 4
    assert not {row.prompt for row in rows} & {row.prompt for row in found.held_out}
    assert start.start_of(CONFIG) is found
    assert len(start.rewards_of_start(found, CONFIG["data"])) == 4


def test_the_missing_package_is_named_with_its_command_before_anything_is_loaded(monkeypatch):
    monkeypatch.setitem(sys.modules, "trl", None)
    monkeypatch.setattr(pocket, "load", None)
    with pytest.raises(ImportError, match=r"trl is not installed, part of the extra `tune`: python -m pip install"):
        start.start_of(CONFIG)
