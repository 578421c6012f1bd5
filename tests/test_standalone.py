"""standalone.py: the numbers of the library, in a process that has torch alone."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from toys import tiny

from decondense import hooks, losses, metrics, standalone

FILE = Path(__file__).parents[1] / "src" / "decondense" / "standalone.py"
ALONE = """
import runpy, sys, torch
ours = {*sys.stdlib_module_names, "torch"}

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in ours:
            raise ImportError(f"{name} is not installed")

sys.meta_path.insert(0, Nothing())
alone = runpy.run_path(sys.argv[1])
z = torch.arange(24.0).reshape(1, 6, 4).sin().requires_grad_()
loss = alone["dispersion"](z, document_ids=torch.tensor([[0, 0, 0, 1, 1, 1]]))
loss.backward()
print(loss.item(), z.grad.norm().item(), "decondense" in sys.modules)
"""
IDS = torch.tensor([[0] * 20 + [1] * 13 + [2] * 7, [4] * 3 + [5] * 37])
MASK = torch.arange(40).expand(2, 40) < torch.tensor([[40], [31]])


def tokens(*shape, dtype=torch.float32):
    return (0.3 + torch.randn(*shape, generator=torch.Generator().manual_seed(0))).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"mask": MASK},
        {"document_ids": IDS},
        {"mask": MASK, "document_ids": IDS},
        {"subsample": 9},
        {"temperature": 0.5, "clamp": 0.2, "eps": 1e-3},
        {"acute": True, "clamp": 0.01},
        {"order": 1},
        {"order": 2, "mask": MASK},
        {"centre": "batch", "mask": MASK, "document_ids": IDS},
        {"centre": torch.ones(16), "subsample": 9},
    ],
    ids=lambda how: "-".join(how) or "plain",
)
def test_loss_and_gradient_are_those_of_the_library(how, dtype):
    found = []
    for dispersion in (losses.dispersion, standalone.dispersion):
        z = tokens(2, 40, 16, dtype=dtype).requires_grad_()
        draw = {"generator": torch.Generator().manual_seed(3)} if "subsample" in how else {}
        value = dispersion(z, **how, **draw)
        found.append((value.detach(), *torch.autograd.grad(value, z)))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


def test_the_rest_is_that_of_the_library():
    z, positions = tokens(2, 9, 4), torch.tensor([[0, 1, 2, 0, 1, 2, 3, 0, 1]])
    assert torch.equal(standalone.document_ids(positions), losses.document_ids(positions))
    ends = torch.tensor([0, 3, 9])
    assert torch.equal(standalone.document_ids_from_lengths(ends, 9), losses.document_ids_from_lengths(ends, 9))
    assert standalone.mean_cosine(z)[1].tolist() == metrics.mean_cosine(z)[1].tolist()
    assert standalone.has_pairs(z[:, :1]) is losses.has_pairs(z[:, :1]) is False


def test_it_needs_torch_alone():
    done = subprocess.run([sys.executable, "-c", ALONE, str(FILE)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    z = torch.arange(24.0).reshape(1, 6, 4).sin().requires_grad_()
    loss = losses.dispersion(z, document_ids=torch.tensor([[0, 0, 0, 1, 1, 1]]))
    loss.backward()
    value, norm, library = done.stdout.split()
    assert float(value) == pytest.approx(loss.item(), rel=1e-6)
    assert float(norm) == pytest.approx(z.grad.norm().item(), rel=1e-5)
    assert library == "False"


# --- the residual stream --------------------------------------------------------------------------------------------


def test_stream_is_that_of_the_library():
    model = tiny("gpt2")
    ids = torch.arange(12)[None]
    with torch.no_grad():
        with standalone.residual_stream(model.transformer.h, model.transformer.ln_f) as found:
            model(ids)
        with hooks.residual_stream(model, lambda entry, hidden: hidden) as expected:
            model(ids)
    assert list(found) == list(expected)
    assert all(torch.equal(found[entry], expected[entry]) for entry in expected)


class Loop(nn.Module):
    """Blocks in the way of a training loop of one's own: no Hugging Face, no norm module, a loss as output."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.h = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))

    def forward(self, x):
        for block in self.h:
            x = x + block(x)
        return x.square().mean()


def test_the_header_works_in_a_loop_of_ones_own():
    model, x = Loop(), tokens(2, 10, 8)
    with standalone.residual_stream(model.h) as stream:
        loss = model(x)
    spread = torch.stack(
        [standalone.dispersion(stream[entry], subsample=256) for entry in range(1, len(stream))]
    ).mean()
    plain = torch.autograd.grad(loss, model.h[0].weight, retain_graph=True)[0]
    pushed = torch.autograd.grad(loss + 0.1 * spread, model.h[0].weight)[0]
    assert list(stream) == [0, 1, 2, 3]
    assert torch.equal(stream[0], x)
    assert torch.equal(stream[1], x + model.h[0](x))
    assert not torch.equal(plain, pushed)
    assert not model.h[0]._forward_pre_hooks


def test_what_is_reduced_is_kept():
    model = Loop()
    with standalone.residual_stream(model.h, reduce=lambda entry, hidden: (entry, hidden.shape[1])) as stream:
        model(tokens(1, 6, 8))
    assert stream == {entry: (entry, 6) for entry in range(4)}


def test_entries_that_did_not_arrive_are_an_error():
    model = Loop()
    with (
        pytest.raises(RuntimeError, match=r"0 of 4 entries arrived.* not compiled before"),
        standalone.residual_stream(model.h),
    ):
        Loop()(tokens(1, 6, 8))


def test_another_error_is_not_hidden():
    with pytest.raises(ZeroDivisionError), standalone.residual_stream(Loop().h):
        raise ZeroDivisionError
