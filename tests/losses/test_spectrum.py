"""Losses of eigenvalues: by hand, as their sources compute them, their bounds, and where they stop."""

import math

import pytest
import torch
from collapse import gradient, of, tokens

from decondense import losses, metrics

NAMES = ("isoscore", "log_det", "rank_floor")
LOWEST = -math.log(5) / 2  # of log_det at its distortion of 1/2
SETS = {  # identical tokens; both ends of each of four axes; two antipodes; zero vectors
    "identical": torch.tensor([3.0, 4.0, 0.0]).expand(1, 5, 3),
    "axes": torch.cat([2 * torch.eye(4), -2 * torch.eye(4)])[None],
    "antipodes": torch.tensor([[[0.6, 0.8], [-0.6, -0.8]]]),
    "zero": torch.zeros(1, 3, 2),
}
CLOSED = {
    "isoscore": (1, 0, 1, 1),
    "log_det": (-math.log(1 + 12) / 6, LOWEST, -math.log(1 + 8) / 4, 0),
    "rank_floor": (0.9, 0, 0.9, 0.9),
}


@pytest.mark.parametrize("name", NAMES)
def test_value_by_hand(name):
    found = [of(name, eps=1e-9)(z.double()).item() for z in SETS.values()]
    assert found == pytest.approx(CLOSED[name], abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_scale_and_rotation_do_not_matter(name):
    z, loss = tokens(2, 9, 4), of(name, eps=1e-12)
    turn = torch.linalg.qr(tokens(4, 4, seed=2))[0]
    for change in (z * torch.linspace(0.5, 20, 9)[:, None], 100 * z, z @ turn):
        assert loss(change).item() == pytest.approx(loss(z).item(), rel=1e-8)


@pytest.mark.parametrize("shape", [(1, 30, 4), (1, 5, 9), (2, 3, 3)], ids=str)
@pytest.mark.parametrize("shift", [0.0, 1.0, 30.0])
def test_bounds(shape, shift):
    z = tokens(*shape, shift=shift)
    assert 0 <= losses.isoscore(z) <= 1
    assert LOWEST <= losses.log_det(z) <= 0
    assert 0 <= losses.rank_floor(z) <= 0.9


def test_isoscore_of_both_signs_adds_up_to_one():
    z = tokens(2, 9, 5)
    assert (losses.isoscore(z) + losses.isoscore(z, isotropic=False)).item() == pytest.approx(1)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_isoscore_of_k_axes_of_five_is_its_share(k):
    z = torch.cat([torch.eye(5)[:k], -torch.eye(5)[:k]])[None].double()
    assert losses.isoscore(z, isotropic=False, eps=1e-9).item() == pytest.approx((k - 1) / 4, abs=1e-7)


def test_log_det_sees_a_shared_direction_and_isoscore_less():
    z = torch.randn(1, 300, 16, generator=torch.Generator().manual_seed(0))
    rise = lambda loss: (loss(z + 1) - loss(z)).item()
    assert rise(losses.log_det) > 0.05
    assert abs(rise(losses.isoscore)) < 0.1


def test_rank_floor_is_that_of_the_effective_rank():
    z = tokens(1, 30, 6)
    unit = torch.nn.functional.normalize(z, dim=-1)
    shares = torch.linalg.svdvals(unit[0]).square() / 30
    rank = torch.distributions.Categorical(shares).entropy().item() / math.log(6)
    assert losses.rank_floor(z, floor=1.0, eps=1e-12).item() == pytest.approx(1 - rank)


def test_a_rank_above_the_floor_is_not_pushed():
    z = torch.eye(5, 8)[None].double() + 0.1 * tokens(1, 5, 8)
    assert losses.rank_floor(z) == 0
    assert gradient(losses.rank_floor, z).eq(0).all()
    assert gradient(of("rank_floor", floor=1.0), z).ne(0).any()


@pytest.mark.parametrize("name", ["log_det", "rank_floor"])
def test_descent_spreads_a_cone(name):
    z = (torch.tensor([1.0, 2.0, 0.5, -1.0]) + 0.3 * tokens(2, 10, 4, shift=0)).requires_grad_()
    optimiser = torch.optim.Adam([z], lr=0.03)
    for _ in range(60):
        optimiser.zero_grad()
        losses.get(name)(z).backward()
        optimiser.step()
    assert metrics.mean_cosine(z.detach()).off_diagonal.lt(0.5).all()


@pytest.mark.parametrize("shape", [(2, 6, 3), (2, 3, 5)], ids=str)
def test_log_det_has_a_second_derivative(shape):
    assert torch.autograd.gradgradcheck(of("log_det"), tokens(*shape).requires_grad_())


@pytest.mark.parametrize("name", NAMES)
def test_gradient_at_nan_is_nan(name):
    z = tokens(1, 9, 4)
    z[0, 3, 1] = torch.nan
    assert gradient(of(name), z).isnan().any()
