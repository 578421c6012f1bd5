"""The item `speed`: what is counted, what is recorded, and how it is read."""

import json

import numpy as np
import pytest
import torch
from toys import tiny

from decondense import losses
from decondense.campaign import plan, speed
from decondense.runs import items

ENTRY = items.entry("speed", tiny=True)


@pytest.fixture
def records(tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))
    monkeypatch.setattr(speed, "ROUNDS", (2, 2))
    said = []
    assert speed.make(ENTRY, True, 60.0, said.append)
    found = [json.loads(path.read_text()) for path in tmp_path.glob("*.json")]
    return {record["config"]["part"]: record for record in found}, said


def test_each_part_has_its_record_and_is_shown(records):
    found, said = records
    assert set(found) == {"step of gpt2", "measurement"}
    assert [set(row) for row in found["step of gpt2"]["results"]["rows"]] == [set(speed.FORMS)] * 2
    assert len(said) == 2
    assert "order 1" in said[0]


def test_the_tables_of_the_records(records):
    found, _ = records
    steps, measured = speed.table(found["step of gpt2"]), speed.table(found["measurement"])
    assert steps.loc["plain", "beyond plain"] == 0
    assert (steps.utilisation > 0).all()
    assert list(measured.index) == [speed.FORWARD, speed.MEAN, speed.POOLED]
    assert "utilisation" not in measured


def test_what_does_not_fit_is_refused_before_it_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))
    monkeypatch.setattr(plan, "free_memory", lambda: 0)
    with pytest.raises(MemoryError, match="speed, gpt2, needs about"):
        speed.make(ENTRY, True, 60.0, print)
    assert not list(tmp_path.glob("*.json"))


def test_the_table_is_the_median_over_rounds_of_ratios_within_them():
    rows = [{"plain": [1.0, 2**30], "exact": [1.5, 2**31]}, {"plain": [2.0, 2**30], "exact": [4.0, 2**30]}]
    rows.append({"plain": [1.0, None], "exact": [1.1, None]})
    content = {"results": {"rows": rows, "operations": 6e12, "matrix_rate": 12e12}}
    found = speed.table(content)
    np.testing.assert_allclose(found["seconds"], [1.0, 1.5])
    np.testing.assert_allclose(found["beyond plain"], [0.0, 0.5])
    np.testing.assert_allclose(found["GiB"], [1.0, 2.0])
    np.testing.assert_allclose(found["utilisation"], [0.5, 1 / 3])


@pytest.mark.parametrize(("seconds", "rounds"), [(1.0, 3), (50.0, 5), (1e4, 20)])
def test_as_many_rounds_as_fit(seconds, rounds):
    assert speed.rounds_in(seconds, 10.0) == rounds


def test_the_operations_of_a_step_are_those_of_its_matrix_products():
    """Counted by torch: forward and backward pass are three times the forward pass; attention there is not causal."""
    from torch.utils.flop_counter import FlopCounterMode

    model = tiny("gpt2", attn_implementation="eager")
    ids = torch.zeros(2, 16, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids)
    parameters = sum(p.numel() for p in model.transformer.h.parameters() if p.ndim == 2) + model.lm_head.weight.numel()
    attention = 6.0 * 2 * 16 * model.config.n_layer * model.config.n_embd * 16
    assert speed.operations(parameters, model.config, (2, 16)) == 3 * counter.get_total_flops() - attention


def test_a_step_with_the_loss_moves_the_weights_as_the_total_says():
    def stepped(form):
        model = tiny("gpt2").train()
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        speed.step(model, torch.arange(16)[None], optimizer, form, speed.WEIGHT, half=True)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    plain, regularised = stepped(None), stepped(losses.dispersion)
    assert torch.equal(plain, stepped(None))
    assert not torch.allclose(plain, regularised)
