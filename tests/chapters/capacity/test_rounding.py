"""What is left of biographies after rounding: the run is that of the page, and the arithmetic is by hand."""

from pathlib import Path

import pytest

from decondense.chapters.capacity import readings, rounding, training
from decondense.chapters.capacity.rounding import WHOLE
from decondense.chapters.capacity.training import LIVES
from decondense.records import Record
from decondense.runs.run import Run

SHAPE = {"n_embd": 16, "n_layer": 2, "n_head": 2, "initializer_range": 0.1}
ASKED = {"exposures": 200, "batch_size": 4, "learning_rate": 1e-2, "texts": 4}


@pytest.fixture
def cases(tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))
    return list(readings.cases(LIVES, SHAPE, [0.06], {}, ASKED, {"loss": "dispersion", "weight": 1.0}, [0]))


def test_sixteen_bits_keep_all_two_bits_do_not_and_nothing_is_changed_by_looking(cases):
    plain, other = rounding.runs(cases, [2, 16])
    held = {bits: rounding.known(plain, bits) for bits in (WHOLE, "16", "2")}
    assert held["16"] == pytest.approx(held[WHOLE], rel=1e-3)
    assert held["2"] < 0.7 * held[WHOLE]
    assert held[WHOLE] == pytest.approx(readings.held(Run("train", 0, training.run(**cases[0].asked))), rel=1e-4)
    assert (plain.label, other.label) == ("train", "dispersion")
    assert [run.record.path.name.split("-seed")[0] for run in (plain, other)] == [
        "capacity-rounded-train", "capacity-rounded-dispersion",
    ]  # fmt: skip


def made(label, seed, **facts):
    held = {name.replace("whole", WHOLE).strip("_"): {"facts": bits, "names": 9.0} for name, bits in facts.items()}
    return Run(label, seed, Record(Path("none"), {"results": {"parameters": 100, "held": held}}, None))


FOUND = [
    made("train", 0, whole=90, _4=60), made("train", 1, whole=100, _4=50),
    made("dispersion", 0, whole=95, _4=85), made("dispersion", 1, whole=95, _4=65),
]  # fmt: skip


def test_what_is_lost_and_what_is_kept_more_are_differences_seed_by_seed():
    assert rounding.lost(FOUND, "4").value == pytest.approx((0.3 + 0.5) / 2)
    assert rounding.kept_more(FOUND, "4").value == pytest.approx(((-0.1 + 0.3) + (-0.3 + 0.5)) / 2)


def test_the_table_has_a_row_per_precision():
    table = rounding.table(FOUND)
    assert table.index.tolist() == [WHOLE, "4 bits"]
    assert table.loc["4 bits", "train"] == pytest.approx(0.55)
    assert table.loc[WHOLE, "dispersion keeps more"] == ""
    assert table.loc["4 bits", "dispersion keeps more"].startswith("+0.200 ")
