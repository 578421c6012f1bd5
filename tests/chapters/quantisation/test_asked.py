"""The schemes that a page asks for, and a run as a check run reads it."""

from pathlib import Path

import pytest

from decondense.chapters.quantisation import asked
from decondense.records import Record
from decondense.runs.run import Run


def test_few_bits_are_also_rounded_by_groups_and_rotated():
    found = asked.schemes([8, 4, 1.58], 32, [[8, 8], [4, 4]])
    assert [scheme.label for scheme in found] == [
        "W8", "W4", "ternary", "W4 by 32", "ternary by 32", "W4, rotated", "ternary, rotated", "W8 A8", "W4 A4",
        "W4 A4, rotated",
    ]  # fmt: skip


def test_bits_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"bits must be 1.58"):
        asked.schemes([1], 32, [])


def test_a_check_run_sees_the_training_alone():
    config = {"seed": 1, "loss": "dispersion", "rounding": [{"bits": 4}], "scored": ["W4"], "aware": False}
    run = Run("dispersion", 1, Record(Path("one"), {"config": config, "results": {"curve": []}}, None))
    assert asked.bare(run).config == {"seed": 1, "loss": "dispersion"}
    assert asked.bare(run).results == {"curve": []}
    assert run.config == config
