"""Participation ratio and intrinsic dimension: closed cases, brute force, and what a massive token does to them."""

import numpy as np
import pytest
import torch

from decondense import metrics
from decondense.controls import spectrum
from decondense.controls.quantities import SPECTRUM


def ball(dimension, n=1500, features=50):
    """A uniform sample of a ball of this dimension, turned into `features` dimensions."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, dimension))
    x *= rng.uniform(size=(n, 1)) ** (1 / dimension) / np.linalg.norm(x, axis=1, keepdims=True)
    turn = np.linalg.qr(rng.normal(size=(features, features)))[0][:dimension]
    return torch.as_tensor(x @ turn)


@pytest.mark.parametrize("dimension", [1, 2, 5, 8])
def test_two_nn_finds_the_dimension_of_a_ball(dimension):
    assert spectrum.two_nn(ball(dimension)) == pytest.approx(dimension, rel=0.15)  # edges lower it


def test_two_nn_by_hand():
    z = torch.tensor([[0.0], [1.0], [3.0], [3.0]])  # r1, r2: 1, 3; 1, 2; 2, 3, and a copy that does not count
    assert spectrum.two_nn(z) == pytest.approx(3 / np.log(3 * 2 * 1.5))


@pytest.mark.parametrize("z", [torch.ones(5, 3), torch.full((5, 3), torch.nan), torch.eye(3)[:2]])
def test_two_nn_without_three_vectors_is_nan(z):
    assert np.isnan(spectrum.two_nn(z))


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("n", [6, 30])
def test_participation_ratio_is_that_of_the_eigenvalues(n, centred):
    z = torch.randn(n, 10, dtype=torch.float64, generator=torch.manual_seed(0)) + 1
    x = (z - z.mean(0) if centred else z).numpy()
    values = np.linalg.eigvalsh(x.T @ x)
    expected = values.sum() ** 2 / (values**2).sum()
    assert spectrum.participation_ratio(z, centred) == pytest.approx(expected, rel=1e-9)


def test_participation_ratio_of_closed_cases():
    assert spectrum.participation_ratio(torch.eye(6), centred=False) == pytest.approx(6)
    assert spectrum.participation_ratio(torch.eye(6)) == pytest.approx(5)
    assert spectrum.participation_ratio(torch.arange(4.0)[:, None] * torch.ones(1, 3)) == pytest.approx(1)
    assert spectrum.participation_ratio(1e200 * torch.eye(6).double(), centred=False) == pytest.approx(6)
    assert np.isnan(spectrum.participation_ratio(torch.ones(4, 3)))


def test_a_massive_token_ruins_covariance_and_not_the_mean_cosine():
    z = torch.randn(200, 40, dtype=torch.float64, generator=torch.manual_seed(0)) + 0.5
    z[0] *= 150
    cosine = lambda tokens: float(metrics.mean_cosine(tokens).off_diagonal)
    assert cosine(z) == pytest.approx(cosine(z[1:]), abs=0.01)
    with_it, without = spectrum.participation_ratio(z), spectrum.participation_ratio(z[1:])
    assert with_it < 1.05
    assert without > 25


def test_numbers_of_a_text_come_in_the_order_of_their_names():
    z = torch.randn(12, 5, generator=torch.manual_seed(0)) + 1
    found = dict(zip(SPECTRUM, spectrum.of_text(z, 1e-3), strict=True))
    assert found["effective_rank"] == pytest.approx(metrics.effective_rank(z, 1e-3))
    rest = z[1:].double()
    assert found["effective_rank_centred_without_first"] == pytest.approx(metrics.effective_rank(rest - rest.mean(0)))
    assert found["participation_ratio_without_first"] == pytest.approx(spectrum.participation_ratio(rest, False))
    assert found["intrinsic_dimension"] == pytest.approx(spectrum.two_nn(z))
