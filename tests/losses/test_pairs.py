"""Pair sums against a double loop: value, gradient, mask, blocks, and what is kept in memory."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from decondense import losses
from decondense.losses.pairs import ALONE, TOGETHER, pair_sum, usual_block


def cubic(t):
    """k(t) = t^3 - 2 t, and its derivative."""
    return t**3 - 2 * t, 3 * t**2 - 2


def tokens(batch, n, d=3, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, n, d, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()


def offsets(batch, n, seed=1):
    return torch.randn(batch, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def double_loop(x, offset=None, mask=None):
    """The sum of `cubic` over the pairs i != j of each sequence; autograd differentiates it."""
    sums = []
    for b, sequence in enumerate(x):
        total = sequence.new_zeros(())
        for i in range(len(sequence)):
            for j in range(len(sequence)):
                if i != j and (mask is None or (mask[b, i] and mask[b, j])):
                    t = sum(p * q for p, q in zip(sequence[i], sequence[j], strict=True))
                    total = total + cubic(t if offset is None else t + offset[b, i] + offset[b, j])[0]
        sums.append(total)
    return torch.stack(sums)


def gradients(total, *inputs):
    """With another weight for each sequence, so that they cannot be mixed up."""
    return torch.autograd.grad(total @ torch.arange(1, len(total) + 1).to(total), inputs)


def assert_same(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)


# --- value and gradient ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 7, 8])
@pytest.mark.parametrize("block", [1, 2, 3, 7, 100])
def test_sum_and_gradient_are_those_of_the_double_loop(n, block):
    x, offset = tokens(2, n), offsets(2, n)
    found, expected = pair_sum(x, cubic, offset=offset, block=block), double_loop(x, offset)
    assert_same(found, expected)
    assert_same(gradients(found, x, offset), gradients(expected, x, offset))


def test_without_offset():
    x = tokens(2, 6)
    found, expected = pair_sum(x, cubic, block=4), double_loop(x)
    assert_same(found, expected)
    assert_same(gradients(found, x), gradients(expected, x))


def test_by_hand():
    # Inner products 2, 3 and 6 of the three pairs, each counted twice.
    x = torch.tensor([[[1.0], [2.0], [3.0]]])
    assert pair_sum(x, lambda t: (t.square(), 2 * t)).tolist() == [2 * (4 + 9 + 36)]


@pytest.mark.parametrize("block", [1, 3, 100])
def test_masked_tokens_are_in_no_pair(block):
    x, offset = tokens(3, 7), offsets(3, 7)
    mask = torch.tensor([[1, 1, 1, 1, 1, 0, 0], [0, 1, 0, 1, 1, 0, 1], [0, 0, 0, 1, 0, 0, 0]]).bool()
    found, expected = pair_sum(x, cubic, offset=offset, mask=mask, block=block), double_loop(x, offset, mask)
    assert_same(found, expected)
    assert found[2] == 0
    on_x, on_offset = gradients(found, x, offset)
    assert_same((on_x, on_offset), gradients(expected, x, offset))
    assert on_x[~mask].eq(0).all()
    assert on_offset[~mask].eq(0).all()


def test_what_masked_tokens_hold_does_not_matter():
    x, offset = tokens(1, 7), offsets(1, 7)
    mask = torch.tensor([[1, 1, 0, 1, 1, 0, 1]]).bool()
    expected = pair_sum(x, cubic, offset=offset, mask=mask, block=3)
    other, shift = x.detach().clone(), offset.detach().clone()
    other[0, 2], other[0, 5], shift[0, 5] = torch.nan, torch.inf, torch.nan
    other, shift = other.requires_grad_(), shift.requires_grad_()
    found = pair_sum(other, cubic, offset=shift, mask=mask, block=3)
    assert torch.equal(found, expected)
    assert_same(gradients(found, other, shift), gradients(expected, x, offset))


def test_mask_gives_the_sum_of_the_cut_sequence():
    x = tokens(1, 9)
    mask = torch.arange(9)[None] < 6
    found, cut = pair_sum(x, cubic, mask=mask, block=4), pair_sum(x[:, :6], cubic, block=4)
    assert_same(found, cut)
    assert_same(gradients(found, x)[0][:, :6], gradients(cut, x)[0][:, :6])


def test_gradient_is_that_of_finite_differences():
    x, offset = tokens(2, 5), offsets(2, 5)
    assert torch.autograd.gradcheck(lambda x, a: pair_sum(x, cubic, offset=a, block=2), (x, offset))


def test_derivative_is_taken_as_given():
    x = tokens(1, 4)
    (found,) = gradients(pair_sum(x, lambda t: (t.square(), torch.full_like(t, 5)), block=3), x)
    others = x.detach().sum(1, keepdim=True) - x.detach()
    assert_same(found, 2 * 5 * others)


def test_only_the_offset_asks_for_a_gradient():
    x, offset = tokens(2, 5).detach(), offsets(2, 5)
    found, expected = pair_sum(x, cubic, offset=offset, block=2), double_loop(x, offset)
    assert_same(gradients(found, offset), gradients(expected, offset))


def test_only_the_tokens_ask_for_a_gradient():
    x, offset = tokens(2, 5), offsets(2, 5).detach()
    found, expected = pair_sum(x, cubic, offset=offset, block=2), double_loop(x, offset)
    assert_same(gradients(found, x), gradients(expected, x))


def test_tokens_that_share_memory():
    x = tokens(1, 1)
    found, expected = pair_sum(x.expand(1, 5, 3), cubic, block=2), double_loop(x.expand(1, 5, 3))
    assert_same(found, expected)
    assert_same(gradients(found, x), gradients(expected, x))


@settings(max_examples=25, derandomize=True)
@given(n=st.integers(2, 40), block=st.integers(1, 45), hidden=st.booleans(), seed=st.integers(0, 1000))
def test_block_does_not_matter(n, block, hidden, seed):
    x, offset = tokens(2, n, 4, seed), offsets(2, n, seed)
    mask = torch.rand(2, n, generator=torch.Generator().manual_seed(seed)) < 0.7 if hidden else None
    found = pair_sum(x, cubic, offset=offset, mask=mask, block=block)
    whole = pair_sum(x, cubic, offset=offset, mask=mask, block=n)
    torch.testing.assert_close(found, whole, rtol=1e-10, atol=1e-9)
    torch.testing.assert_close(gradients(found, x, offset), gradients(whole, x, offset), rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize(("threads", "block"), [(1, ALONE), (2, TOGETHER), (64, TOGETHER)])
def test_more_tokens_than_the_usual_block(monkeypatch, threads, block):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert usual_block() == block
    x = tokens(1, block + 50)
    assert_same(pair_sum(x, cubic), pair_sum(x, cubic, block=1000))
    shapes = []
    pair_sum(x, lambda t: (shapes.append(t.shape[1:]), cubic(t))[1])
    assert shapes == [(block, block), (block, 50), (50, 50)]


# --- what threads wait for ------------------------------------------------------------------------------------------

SHARED = 2**15  # elements from which PyTorch shares an elementwise operation among threads
_VIEWS = {"t", "transpose", "slice", "select", "expand", "detach", "diagonal", "unsqueeze", "view", "_unsafe_view"}


class Shared(TorchDispatchMode):
    """Counts the operations that threads share: each ends when the last of them is done, however busy its core is."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        sizes = [t.numel() for t in tree_leaves((args, out)) if isinstance(t, torch.Tensor)]
        self.count += function.overloadpacket.__name__ not in _VIEWS and max(sizes, default=0) > SHARED
        return out


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("shape", "most"), [((1, 512, 64), 32), ((4, 512, 64), 32), ((1, 1024, 64), 60)])
def test_few_operations_are_shared_among_threads(monkeypatch, masked, shape, most):
    # The plain formula has 39 of any length; with small blocks and a pass for each step it was 210 for 1,024 tokens.
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    z, mask = torch.randn(shape, requires_grad=True), torch.ones(shape[:2])
    with Shared() as shared:
        losses.dispersion(z, mask=mask if masked else None).backward()
    assert 10 < shared.count <= most


# --- without a gradient ---------------------------------------------------------------------------------------------


def kept(function):
    """Total bytes and largest number of elements of what autograd keeps while `function` runs."""
    found = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: found.append(t) or t, lambda t: t):
        result = function()
    return sum(t.nbytes for t in found), max((t.numel() for t in found), default=0), result


def test_no_grad_gives_the_same_sum_and_keeps_nothing():
    x = tokens(2, 9)
    expected = pair_sum(x, cubic, block=4)
    with torch.no_grad():
        found = pair_sum(x, cubic, block=4)
    assert torch.equal(found, expected)
    assert not found.requires_grad
    size, _, found = kept(lambda: pair_sum(x.detach(), cubic, block=4))
    assert size == 0
    assert torch.equal(found, expected)
    assert not found.requires_grad


def test_no_gradient_is_summed_up_where_none_is_wanted(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "baddbmm_", lambda *_, **__: pytest.fail("summed up a gradient"))
    monkeypatch.setattr(torch, "zeros_like", lambda *_, **__: pytest.fail("made room for a gradient"))
    pair_sum(tokens(1, 9).detach(), cubic, block=4)
    with torch.no_grad():
        pair_sum(tokens(1, 9), cubic, block=4)


def test_memory_grows_with_n_not_with_its_square():
    n, d, block = 700, 4, 32
    x, offset = tokens(1, n, d), offsets(1, n)
    size, largest, total = kept(lambda: pair_sum(x, cubic, offset=offset, block=block))
    assert total.requires_grad
    assert 8 * n * d <= size <= 8 * n * (d + 1)  # the gradients themselves: one for x, one for the offset
    assert largest == n * d


def test_kernel_sees_each_block_once():
    shapes = []

    def watched(t):
        shapes.append(tuple(t.shape))
        return cubic(t)

    x = tokens(2, 10)
    total = pair_sum(x, watched, block=4)
    assert len(shapes) == 6  # 3 blocks a side: on and above the diagonal
    assert max(math.prod(shape) for shape in shapes) == 2 * 4 * 4
    gradients(total, x)
    assert len(shapes) == 6


@pytest.mark.parametrize("of_sum", [torch.sum, lambda s: s.exp().sum()])
def test_a_second_derivative_is_refused(of_sum):
    x = tokens(1, 5)
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(of_sum(pair_sum(2 * x, cubic)), x, create_graph=True)


def test_autocast_does_not_reach_inside():
    x = tokens(2, 20, 8, dtype=torch.float32)
    seen = []

    def watched(t):
        seen.append(t.dtype)
        return cubic(t)

    expected = pair_sum(x, cubic, block=8)
    with torch.autocast("cpu", torch.bfloat16):
        found = pair_sum(x, watched, block=8)
        on_x = gradients(found, x)
    assert set(seen) == {torch.float32}
    assert torch.equal(found, expected)
    torch.testing.assert_close(on_x, gradients(expected, x), rtol=0, atol=0)
