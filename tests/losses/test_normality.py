"""The distance from a normal distribution on random lines: by integration, by chance, and what raises it."""

import numpy as np
import pytest
import torch
from collapse import epps_pulley, gradient, of, tokens
from scipy import integrate, special

from decondense import losses
from decondense.losses.normality import LEAST_TOKENS, _EppsPulley, expected_of_normal

distance = _EppsPulley.apply


def by_integration(s):
    term = lambda t: abs(np.exp(1j * t * s).mean() - np.exp(-(t**2) / 2)) ** 2 * np.exp(-(t**2) / 2)
    return 2 * integrate.quad(term, 0, 3)[0]


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_distance_is_the_integral(shift, scale):
    s = scale * tokens(50, 3, shift=0) + shift
    found = distance(s).tolist()
    assert found == pytest.approx([epps_pulley(line) for line in s.numpy().T], rel=1e-12)
    assert found == pytest.approx([by_integration(line) for line in s.numpy().T], abs=3e-3)


def test_distance_of_values_that_are_all_zero_by_hand():
    # (1 - exp(-t^2 / 2))^2 exp(-t^2 / 2) is three exponentials
    part = lambda a: np.sqrt(2 * np.pi / a) * special.erf(3 * np.sqrt(a / 2))
    expected = part(1) - 2 * part(2) + part(3)
    assert distance(torch.zeros(4, 1).double()).item() == pytest.approx(expected, abs=1e-3)


def test_gradient_of_the_distance_is_that_of_autograd():
    s = tokens(9, 4).requires_grad_()
    t = torch.linspace(-3, 3, 33, dtype=torch.float64)
    apart = torch.polar(torch.ones(()).double(), t[:, None, None] * s).mean(1) - (-(t[:, None] ** 2) / 2).exp()
    weighted = apart.abs().square() * (-(t[:, None] ** 2) / 2).exp()
    expected = torch.trapezoid(weighted, t, dim=0)
    upstream = torch.arange(1.0, 5).double()
    found = torch.autograd.grad(distance(s) @ upstream, s)[0]
    torch.testing.assert_close(found, torch.autograd.grad(expected @ upstream, s)[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [16, 100])
def test_expected_of_normal_is_the_mean_over_draws(n):
    s = torch.randn(n, 20_000, generator=torch.Generator().manual_seed(0))
    found = distance(s)
    error = found.std().item() / 20_000**0.5
    assert found.mean().item() == pytest.approx(expected_of_normal(n), abs=4 * error)


def test_directions_spread_evenly_are_as_far_from_normal_as_chance():
    z = torch.randn(1, 400, 256, generator=torch.Generator().manual_seed(0))
    assert of("sigreg")(z).item() == pytest.approx(expected_of_normal(400), rel=0.2)


def test_a_shared_direction_raises_it():
    z = torch.randn(1, 400, 64, generator=torch.Generator().manual_seed(0))
    found = [of("sigreg")(z + shift).item() for shift in (0.0, 0.3, 1.0, 3.0)]
    assert found == sorted(found)
    assert found[1] > 1.3 * found[0]
    assert found[3] < 10


def test_scale_does_not_matter():
    z = tokens(2, 20, 8)
    scaled = z * torch.linspace(0.5, 20, 20)[:, None]
    assert of("sigreg", eps=1e-12)(scaled).item() == pytest.approx(of("sigreg", eps=1e-12)(z).item(), rel=1e-9)


def test_lines_are_drawn_anew_unless_a_generator_says_which():
    z = tokens(2, 20, 8)
    assert losses.sigreg(z) != losses.sigreg(z)
    assert of("sigreg")(z) == of("sigreg")(z)
    twice = torch.Generator().manual_seed(0)
    assert losses.sigreg(z, generator=twice) != losses.sigreg(z, generator=twice)


def test_too_few_tokens_and_no_lines_are_refused():
    with pytest.raises(ValueError, match=r"^sigreg compares a distribution, for which 15 tokens are too few: give 16"):
        losses.sigreg(tokens(3, 5, 4))
    assert losses.sigreg(tokens(2, LEAST_TOKENS // 2, 4)).isfinite()
    with pytest.raises(ValueError, match=r"^slices must be 1 or more, got 0"):
        losses.sigreg(tokens(2, 20, 4), slices=0)


def test_a_second_derivative_is_refused():
    z = tokens(2, 20, 4).requires_grad_()
    with pytest.raises(RuntimeError, match="sigreg has no second derivative"):
        torch.autograd.grad(of("sigreg")(z), z, create_graph=True)


def test_gradient_is_the_mean_over_the_lines():
    z = tokens(2, 20, 4)
    assert gradient(of("sigreg", slices=2000), z).norm() < gradient(of("sigreg", slices=1), z).norm()
