"""The README's loop on two processes: gradients and measurements are those of one process with the whole batch."""

import json

import numpy as np
import pytest
import torch
from sharded_loop import TEXTS, backward, batch, run
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
