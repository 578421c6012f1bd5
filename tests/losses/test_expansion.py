"""The expansion against double loops, cases where it is exact, its gradient, its bound, its speed."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import unchecked

from decondense import losses, metrics
from decondense.losses import batch, expansion, pairs

EPS = 1e-2
SHAPES = pytest.mark.parametrize("shape", [(2, 6, 3), (2, 5, 9), (1, 2, 4)], ids=str)
ORDER = pytest.mark.parametrize("order", expansion.ORDERS)


def tokens(*shape, seed=0, shift=0.5):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def gradient(loss, z):
    z = z.detach().clone().requires_grad_()
    return torch.autograd.grad(loss(z).sum(), z)[0]


def parabola(a, b, c):
    return lambda t: (a + b * t + c * t**2, b + 2 * c * t)


def over_pairs(z, kernel, mask=None):
    n = batch.counts(z, mask)
    return pairs.pair_sum(batch.directions(z, EPS), kernel, mask=mask) / (n * (n - 1)).clamp_min(1)


def off_diagonal(z):
    u = batch.directions(z, EPS)
    return [c[~np.eye(len(c), dtype=bool)] for c in (u @ u.mT).numpy()]


# --- where it is exact ----------------------------------------------------------------------------------------------


@SHAPES
@pytest.mark.parametrize(
    ("order", "kernel"), [(1, parabola(0.3, 2, 0)), (2, parabola(0.3, 2, 0)), (2, parabola(1, -2, 3))]
)
def test_value_and_gradient_are_those_of_all_pairs_for_a_line_and_a_parabola(shape, order, kernel):
    z = tokens(*shape)
    near, exact = (
        partial(f, kernel=kernel) for f in (partial(expansion.mean_over_pairs, order=order, eps=EPS), over_pairs)
    )
    torch.testing.assert_close(near(z), exact(z), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient(near, z), gradient(exact, z), rtol=1e-9, atol=1e-12)


@ORDER
def test_two_tokens_are_exact(order):
    z = tokens(3, 2, 4)
    near = partial(losses.dispersion, order=order)
    assert near(z).item() == pytest.approx(losses.dispersion(z).item(), abs=1e-12)
    torch.testing.assert_close(gradient(near, z), gradient(losses.dispersion, z), rtol=1e-9, atol=1e-12)


def test_a_cone_beyond_the_clamp_has_the_gradient_of_all_pairs():
    z = torch.tensor([3.0, -1.0, 2.0, 1.0], dtype=torch.float64) + 0.1 * tokens(1, 9, 4, shift=0)
    assert min(off_diagonal(z)[0]) > 0.9
    for order in expansion.ORDERS:
        near = partial(losses.dispersion, order=order)
        assert near(z).item() == pytest.approx(losses.dispersion(z).item(), abs=1e-12)
        torch.testing.assert_close(gradient(near, z), gradient(losses.dispersion, z), rtol=1e-8, atol=1e-12)


# --- what it is -----------------------------------------------------------------------------------------------------


def test_order_1_is_the_angular_distance_at_the_mean_cosine():
    z = 100 * tokens(1, 12, 5)
    mean = metrics.mean_cosine(z).off_diagonal.item()
    found = losses.dispersion(z, order=1, temperature=0.5, eps=1e-9).item()
    assert found == pytest.approx(-math.acos(mean) / (math.pi * 0.5), rel=1e-6)


def test_order_1_pushes_against_the_sum_of_the_other_directions():
    z = tokens(1, 7, 3)
    u = torch.nn.functional.normalize(z[0], dim=1)
    others = u.sum(0) - u
    expected = -(others - (others * u).sum(1, keepdim=True) * u) / z[0].norm(dim=1, keepdim=True)
    force = -gradient(partial(losses.dispersion, order=1, eps=1e-12), z)[0]
    assert torch.nn.functional.cosine_similarity(force.flatten(), expected.flatten(), dim=0).item() == pytest.approx(1)


def test_order_2_is_the_mean_of_two_points_with_the_mean_and_the_variance_of_the_cosines():
    z = tokens(2, 8, 5)
    f = lambda c: math.exp(-math.acos(min(max(c, -0.9), 0.9)) / math.pi)
    expected = [math.log((f(c.mean() + c.std()) + f(c.mean() - c.std())) / 2) for c in off_diagonal(z)]
    assert losses.dispersion(z, order=2).item() == pytest.approx(np.mean(expected), abs=1e-12)


def test_two_opposite_clusters_are_seen_by_order_2_alone():
    z = torch.tensor([[1.0, 0.0]] * 50 + [[-1.0, 0.0]] * 50, dtype=torch.float64)[None]
    exact, first, second = (losses.dispersion(z, order=o).item() for o in (None, 1, 2))
    assert first == pytest.approx(-0.5, abs=0.01)
    assert exact > -0.45
    assert second == pytest.approx(exact, abs=0.01)  # a little more than half of the pairs lie apart


@SHAPES
def test_gradient_of_the_moments_is_that_of_finite_differences(shape):
    z = tokens(*shape).requires_grad_()
    n = z.new_full(z.shape[:1], z.shape[1])
    assert torch.autograd.gradcheck(lambda z: expansion._Moments.apply(z, n, EPS, 2), z)
    assert torch.autograd.gradcheck(lambda z: expansion._Moments.apply(z, n, EPS, 1)[0], z)


# --- mask, collapse, precision --------------------------------------------------------------------------------------


@ORDER
def test_mask_is_the_same_as_cutting_off(order):
    z = tokens(3, 8, 5)
    mask = torch.arange(8)[None] < torch.tensor([8, 5, 1])[:, None]
    near = partial(losses.dispersion, order=order)
    expected = (near(z[:1]) + near(z[1:2, :5])) / 2
    assert near(z, mask=mask).item() == pytest.approx(expected.item(), abs=1e-12)
    z[1, 5:] = torch.nan
    on_z = gradient(partial(near, mask=mask), z)
    assert on_z.isfinite().all()
    assert on_z[1, 5:].eq(0).all()
    assert on_z[2].eq(0).all()
    torch.testing.assert_close(on_z[1, :5], gradient(near, z[1:2, :5])[0] / 2)


EDGES = {
    "identical": torch.tensor([0.3, -1.7, 5.0, 0.1]).expand(2, 9, 4),
    "long": 9e3 * torch.ones(1, 9, 4),
    "short": 1e-6 * torch.ones(1, 9, 4),
    "antipodes": torch.tensor([[[0.3, -1.7], [-0.3, 1.7], [0.3, -1.7], [-0.3, 1.7]]]),
    "zero": torch.zeros(2, 3, 4),
    "one zero": torch.tensor([[[1.0, 2.0], [0.0, 0.0], [2.0, 1.0]]]),
    "nearly identical": 1 + 1e-3 * tokens(2, 9, 4, shift=0).float(),
    "one feature": tokens(2, 9, 1).float(),
}


@ORDER
@pytest.mark.parametrize("temperature", [losses.LOWEST_TEMPERATURE, 1.0])
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_value_and_gradient_are_finite(order, temperature, edge, dtype):
    z = EDGES[edge].to(dtype)
    loss = partial(losses.dispersion, order=order, temperature=temperature)
    assert loss(z).isfinite()
    assert gradient(loss, z).isfinite().all()


@ORDER
@pytest.mark.parametrize("edge", ["one zero", "short"])
def test_gradient_at_vectors_shorter_than_eps_is_that_of_the_formula(order, edge):
    z = EDGES[edge].double()

    def written_out(z):
        u = batch.directions(z, EPS)
        c = torch.stack([m[~torch.eye(len(m), dtype=torch.bool)] for m in u @ u.mT])
        return (c if order == 1 else c.square()).mean(-1)

    moments = lambda z: expansion._Moments.apply(z, z.new_full(z.shape[:1], z.shape[1]), EPS, order)[order - 1]
    torch.testing.assert_close(gradient(moments, z), gradient(written_out, z), rtol=1e-9, atol=1e-12)


@ORDER
def test_nan_gives_nan(order):
    z = tokens(1, 4, 3)
    z[0, 1, 1] = torch.nan
    assert losses.dispersion(z, order=order).isnan()


@ORDER
def test_autocast_changes_nothing(order):
    z, loss = tokens(1, 40, 16).float(), partial(losses.dispersion, order=order)
    expected = loss(z), gradient(loss, z)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(loss(z), expected[0])
        torch.testing.assert_close(gradient(loss, z), expected[1], rtol=1e-6, atol=1e-8)


@ORDER
def test_float32_agrees_with_float64_in_a_narrow_cone(order):
    z = torch.randn(1, 1, 32, generator=torch.Generator().manual_seed(1)) + 0.5 * tokens(1, 500, 32, shift=0).float()
    loss = partial(losses.dispersion, order=order)
    assert loss(z).item() == pytest.approx(loss(z.double()).item(), abs=1e-6)
    torch.testing.assert_close(gradient(loss, z).double(), gradient(loss, z.double()), rtol=1e-3, atol=1e-8)


def test_unknown_orders_are_errors():
    for order in (0, 3):
        with pytest.raises(ValueError, match=f"order must be 1 or 2, or None for all pairs, got {order}"):
            losses.dispersion(tokens(1, 4, 3), order=order)
        with pytest.raises(ValueError, match="order must be 1 or 2"):
            expansion.bound(np.exp, expansion.Moments(0, 0.1, 0, 3), order)


def test_a_second_derivative_is_refused():
    z = tokens(1, 4, 3).requires_grad_()
    first = torch.autograd.grad(losses.dispersion(z, order=2), z, create_graph=True)[0]
    with pytest.raises(RuntimeError, match="differentiate twice"):
        first.sum().backward()


# --- how far it holds -----------------------------------------------------------------------------------------------


def test_moments_of_pairs_are_those_of_the_cosines():
    u = batch.directions(tokens(1, 9, 4), EPS)[0]
    c = off_diagonal(tokens(1, 9, 4))[0]
    found = unchecked(expansion.moments_of_pairs)(u)
    standard = (c - c.mean()) / c.std()
    assert found == pytest.approx((c.mean(), c.std(), (standard**3).mean(), (standard**4).mean()), abs=1e-10)


@settings(max_examples=60)
@given(st.integers(3, 12), st.integers(2, 6), st.floats(0, 3), st.integers(0, 10_000), st.sampled_from([0.1, 0.25]))
def test_bound_holds(n, d, shift, seed, clamp):
    f = lambda c: np.exp(-np.arccos(np.clip(c, clamp - 1, 1 - clamp)) / np.pi)
    z = tokens(1, n, d, seed=seed, shift=shift)
    cosines = off_diagonal(z)[0]
    moments = expansion.moments_of_pairs(batch.directions(z, EPS)[0])
    if abs(abs(moments.mean) - 1 + clamp) < 1e-3:
        return  # at the kink
    for order in expansion.ORDERS:
        near = math.exp(losses.dispersion(z, order=order, clamp=clamp).item())
        assert abs(f(cosines).mean() - near) <= expansion.bound(f, moments, order) * 1.01 + 1e-7


def test_bound_of_a_parabola_by_hand():
    moments = expansion.Moments(0.2, 0.3, 0.0, 3.0)
    assert expansion.bound(lambda c: 1 + 2 * c - 5 * c**2, moments, 1) == pytest.approx(5 * 0.09, rel=1e-4)
    assert expansion.bound(lambda c: 1 + 2 * c - 5 * c**2, moments, 2) == pytest.approx(0, abs=1e-3)


@ORDER
def test_descent_spreads_a_cone(order):
    z = (torch.tensor([1.0, 2.0, 0.5, -1.0]) + 0.3 * tokens(2, 10, 4, shift=0)).requires_grad_()
    optimiser = torch.optim.Adam([z], lr=0.03)
    for _ in range(40):
        optimiser.zero_grad()
        losses.dispersion(z, order=order).backward()
        optimiser.step()
    assert metrics.mean_cosine(z.detach()).off_diagonal.lt(0.5).all()


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 3, 5)])
def test_the_gram_matrix_is_differentiated_as_its_formula(shape):
    x = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(expansion.gram_of, x)
    assert torch.autograd.gradgradcheck(expansion.gram_of, x)
