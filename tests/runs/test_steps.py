"""A training step of each condition, to be timed."""

import pytest
import torch

from decondense.runs import PreTraining, steps

SHAPE = {"architecture": "GPT2Config", "n_embd": 8, "n_layer": 2, "n_head": 2}
SHARED = PreTraining(
    experiment="toy", shape=SHAPE, corpus="documentation", steps=2, length=8, text_length=8, checkpoints=1
)
CONDITIONS = {"train": SHARED, "koleo": SHARED.changed(loss="koleo", weight=3.0)}


def test_settings_are_what_the_time_depends_on():
    found = steps.settings(CONDITIONS)
    assert [one["loss"] for one in found.values()] == [None, "koleo"]
    assert found["train"]["shape"] == SHAPE
    assert found["koleo"]["length"] == 8
    assert "weight" not in found["koleo"]


@pytest.mark.filterwarnings("ignore:.*loss_type")
def test_a_step_moves_the_weights_of_the_model_by_the_rate():
    (case,) = steps.cases({"train": SHARED}).values()
    model = case.args[0]
    before = model.transformer.wte.weight.detach().clone()
    case()
    moved = (model.transformer.wte.weight.detach() - before).abs()
    torch.testing.assert_close(moved.max(), torch.tensor(1e-5), rtol=0.05, atol=0)  # AdamW's first step
