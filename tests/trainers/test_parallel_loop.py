"""The README's loop on two processes: gradients and measurements are those of one process with the whole batch."""

import json

import numpy as np
import pytest
import sharded_loop
import torch
from sharded_loop import STEPS, TEXTS, backward, batch, curve, run, run_steps
from tiny_training import model
from toy_runs import all_done, two_forked

from decondense import measure
from decondense.trainers.watching import look


@pytest.mark.slow_process
@pytest.mark.parametrize("kind", ["DDP", "FSDP2"])
def test_two_processes_give_what_one_gives(kind, tmp_path):
    all_done(two_forked(run, kind, str(tmp_path / "found.json")))
    found = json.loads((tmp_path / "found.json").read_text())
    net = model().double()
    backward(net, batch())
    expected = torch.cat([p.grad.flatten() for p in net.parameters()])
    assert expected.norm() > 0.1
    torch.testing.assert_close(torch.tensor(found["gradient"], dtype=torch.float64), expected, rtol=1e-9, atol=1e-12)
    plain = measure(net, None, TEXTS, max_length=20, progress=False)
    np.testing.assert_allclose(found["mu"], plain.mu_per_text, rtol=1e-12)
    assert found["seen"] == pytest.approx(look(net, None, TEXTS, max_length=20), rel=1e-6)


@pytest.mark.slow_process
def test_fsdp_with_checkpointing_and_compiled_blocks_trains_as_one_process(tmp_path, monkeypatch):
    all_done(two_forked(run_steps, str(tmp_path / "found.json")))
    found = json.loads((tmp_path / "found.json").read_text())
    net = model().double()
    expected = np.array(curve(net))
    assert expected.shape == (STEPS, 2)
    np.testing.assert_allclose(found["curve"], expected, rtol=1e-6)  # the language loss is one in float32
    weights = torch.cat([p.detach().flatten() for p in net.parameters()])
    torch.testing.assert_close(torch.tensor(found["weights"], dtype=torch.float64), weights, rtol=1e-7, atol=1e-9)
    assert found["graphs"] > 0
    monkeypatch.setattr(sharded_loop, "WEIGHT", 0.0)
    without = np.array(curve(model().double()))
    assert abs(without[-1, 1] - expected[-1, 1]) > 0.01  # the regulariser was heard
