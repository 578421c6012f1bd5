"""The differences of the released code as conditions of small runs, and what counts as a change."""

import numpy as np
import pytest
from made_runs import Known

from decondense import losses
from decondense.chapters.table5 import released
from decondense.paper import designs
from decondense.paper import released as facts
from decondense.runs import grid

DESIGN = designs.load("released")
SMALLEST = {"late-half μ": abs(DESIGN.primary.smallest), "validation loss": abs(DESIGN.secondary.smallest)}


def made(values):
    """Runs of seven entries; a value a seed, by condition: all cosines of the last look, and the validation loss."""
    return [
        Known(label, seed, mu=np.full((1, 7), value), validation_loss=value)
        for label, row in values.items()
        for seed, value in enumerate(row)
    ]


def test_there_is_a_condition_for_every_difference_that_can_be_set():
    named = [name for name, entry in facts.differences().items() if "switch" in entry]
    assert list(released.changes(4)) == ["train", "dispersion", *named]


def test_every_run_is_another_one_and_differs_in_its_setting_alone():
    base = released.shared()
    found = {label: config.as_dict() for label, config in grid.jobs(base, released.changes(base.accumulation), [0])}
    text = found.pop("dispersion")
    assert (text["weight"], text["layers"], text["loss"]) == (0.1, "all", "dispersion")
    differs = {
        label: {name: new for name, new in config.items() if text.get(name) != new} for label, config in found.items()
    }
    assert differs.pop("train") == dict.fromkeys(["loss", "weight", "layers"])
    assert differs == {
        "untied": {"shape": base.shape | {"tie_word_embeddings": False}},
        "undivided": {"weight": 0.4},
        "clamp": {"clamp": 0.01},
        "acute": {"clamp": 1e-4, "acute": True},
        "block_outputs": {"layers": "block_outputs"},
    }


def test_the_runs_are_those_of_the_design():
    base = released.shared()
    assert f"{base.shape['n_layer']} blocks, {base.shape['n_embd']} wide" in DESIGN.what
    assert f"{base.tokens / 1e6:.1f} M tokens" in DESIGN.what
    assert released.TEXT["weight"] == 0.1
    assert losses.CLAMP == 0.1


@pytest.mark.parametrize(
    ("share", "word"), [(0.0, "no"), (0.5, "no"), (1.0, "cannot tell"), (-2.0, "yes"), (2.0, "yes")]
)
def test_what_counts(share, word):
    wobble = np.array([-0.001, 0.0, 0.001])
    change = {name: share * smallest for name, smallest in SMALLEST.items()}
    for quantity, value in change.items():
        found = released.against_the_text(
            made({"dispersion": [0.5] * 3, "acute": 0.5 + value + wobble, "train": [0.6] * 3})
        )
        row = found.loc[("acute", quantity)]
        assert row.difference == pytest.approx(value)
        assert row.low == pytest.approx(value - 4.30265 * 0.001 / 3**0.5, rel=1e-4)
        assert (row.smallest, row.counts) == (SMALLEST[quantity], word)
    assert found.index.tolist() == [(label, name) for label in ("acute", "train") for name in SMALLEST]


def test_one_seed_cannot_tell():
    found = released.against_the_text(made({"dispersion": [0.5], "acute": [0.9]}))
    assert found.counts.tolist() == ["cannot tell"] * 2


def test_in_words():
    found = released.in_words(released.against_the_text(made({"dispersion": [0.5, 0.5], "acute": [0.51, 0.53]})))
    assert found["released code, acute, late-half μ"] == "+0.020 [-0.107, +0.147]"
    assert list(found) == [f"released code, acute, {quantity}" for quantity in SMALLEST]
