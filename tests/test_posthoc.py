"""Post-hoc cures: closed cases, definitions written out, maps of vectors that they were not fitted on."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decondense import posthoc
from decondense.metrics import mean_cosine


def vectors(n, d, seed=0, shift=3.0):
    """A cone: one vector that all share, and noise with a different variance along each axis."""
    z = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return z * torch.linspace(0.2, 2, d, dtype=torch.float64) + shift


FITS = {
    "centre": posthoc.centre,
    "all but the top": lambda z: posthoc.all_but_the_top(z, 2),
    "whiten": posthoc.whiten,
    "whiten, shrunk": lambda z: posthoc.whiten(z, 0.1),
}


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_what_was_fitted_has_mean_zero_and_others_are_moved_alike(fit):
    z, other = vectors(50, 6), vectors(7, 6, seed=1)
    cure = fit(z)
    assert cure(z).mean(0).abs().max() < 1e-12
    together = cure(torch.cat([z, other]))
    assert torch.allclose(together[50:], cure(other), atol=1e-12)
    assert torch.allclose(cure(other[None, None])[0, 0], cure(other))


def test_centre_put_back_is_the_identity():
    z, other = vectors(20, 5), vectors(9, 5, seed=1)
    cure = posthoc.centre(z)
    assert torch.allclose(cure(other) + cure.mean, other, atol=1e-14)
    assert float(mean_cosine(cure(z)).off_diagonal) < 0.01 < float(mean_cosine(z).off_diagonal)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_all_but_the_top_is_what_singular_vectors_give(k):
    z, other = vectors(40, 6).numpy(), vectors(7, 6, seed=1).numpy()
    mean = z.mean(0)
    directions = np.linalg.svd(z - mean)[2][:k]
    expected = other - mean
    for direction in directions:  # one after the other, as the paper writes it
        expected = expected - (expected @ direction)[:, None] * direction
    found = posthoc.all_but_the_top(torch.tensor(z), k)(torch.tensor(other))
    assert np.allclose(found, expected, atol=1e-12)


def test_all_but_the_top_takes_the_variance_of_the_top_and_no_other():
    z = vectors(500, 6)
    before, after = (np.linalg.eigvalsh(np.cov(x.numpy().T)) for x in (z, posthoc.all_but_the_top(z, 2)(z)))
    assert np.allclose(after, [0, 0, *before[:-2]], atol=1e-10)


def test_one_shared_direction_with_signs_is_removed_as_a_top_direction():
    noise = 0.1 * vectors(200, 5, shift=0.0)
    signs = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(100)
    z = noise + 10 * signs[:, None] * torch.eye(5, dtype=torch.float64)[0]
    assert mean_cosine(z[::2]).off_diagonal > 0.99  # two opposite clusters: each is a cone
    assert mean_cosine(posthoc.centre(z)(z)[::2]).off_diagonal > 0.99
    assert abs(float(mean_cosine(posthoc.all_but_the_top(z, 1)(z)[::2]).off_diagonal)) < 0.1


def test_whitened_vectors_have_unit_covariance():
    z = vectors(300, 6)
    white = posthoc.whiten(z)(z)
    assert torch.allclose(white.T @ white / 300, torch.eye(6, dtype=torch.float64), atol=1e-12)


def test_whitening_is_the_inverse_root_of_the_covariance():
    z = vectors(60, 4).numpy()
    covariance = np.cov(z.T, bias=True)
    for shrinkage in (0.0, 0.3):
        shrunk = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / 4 * np.eye(4)
        root = posthoc.whiten(torch.tensor(z), shrinkage).matrix.numpy()
        assert np.allclose(root, root.T)
        assert np.linalg.eigvalsh(root)[0] > 0  # the symmetric root, and no rotation of it
        assert np.allclose(root @ shrunk @ root, np.eye(4), atol=1e-12)


def test_white_vectors_are_left_as_they_are():
    cube = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 3)
    assert torch.allclose(posthoc.whiten(cube)(cube), cube, atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.floats(0.01, 100))
def test_rotation_and_scale_go_through(seed, scale):
    z = vectors(30, 4, seed)
    rotation = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(seed)).double()).Q
    for name, fit in FITS.items():
        straight, turned = fit(z)(z), fit(scale * z @ rotation)(scale * z @ rotation)
        factor = 1 if "whiten" in name else scale
        assert torch.allclose(turned, factor * straight @ rotation, atol=1e-8 * max(factor, 1)), name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_fit_is_in_float64_whatever_comes_in(dtype):
    z = vectors(40, 4).to(dtype)
    for fit in FITS.values():
        cure = fit(z)
        assert cure.mean.dtype == torch.float64
        assert cure(z).dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        assert torch.allclose(cure(z).double(), fit(z.double())(z.double()), atol=1e-5)


def test_the_fit_has_no_gradient():
    z = vectors(20, 4).requires_grad_()
    assert not posthoc.whiten(z).matrix.requires_grad


@pytest.mark.parametrize(
    ("fit", "n", "message"),
    [
        (posthoc.centre, 1, r"needs 2 vectors or more as rows, got the shape \(1, 4\)\. Give two or more"),
        (lambda z: posthoc.all_but_the_top(z, 2), 3, r"needs 4 vectors.*Give 4 or more, or a smaller k"),
        (lambda z: posthoc.all_but_the_top(z, 4), 9, r"from 1 to features - 1 = 3, got 4"),
        (lambda z: posthoc.all_but_the_top(z, 0), 9, r"got 0\. Use `centre`"),
        (posthoc.whiten, 4, r"needs 5 vectors.*more vectors than features, or shrinkage"),
        (lambda z: posthoc.whiten(z, 1.0), 9, r"shrinkage must be in \[0, 1\), got 1\.0"),
        (lambda z: posthoc.whiten(z, 0.1), 1, r"needs 2 vectors"),
    ],
)
def test_what_cannot_be_fitted_is_refused(fit, n, message):
    with pytest.raises(ValueError, match=message):
        fit(vectors(n, 4))


@pytest.mark.parametrize("shrinkage", [0.0, 0.5])
def test_equal_vectors_cannot_be_whitened(shrinkage):
    with pytest.raises(ValueError, match="no variance"):
        posthoc.whiten(torch.ones(9, 3), shrinkage)


def test_a_constant_feature_needs_shrinkage():
    z = vectors(50, 4)
    z[:, 1] = 7.0
    with pytest.raises(ValueError, match=r"no variance.*shrinkage=0\.01"):
        posthoc.whiten(z)
    assert posthoc.whiten(z, 0.01)(z)[:, 1].abs().max() < 1e-9


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_vector_that_is_not_finite_is_refused(bad):
    z = vectors(9, 3)
    z[4, 1] = bad
    for fit in FITS.values():
        with pytest.raises(ValueError, match="not finite"):
            fit(z)


def test_equal_vectors_are_not_whitened_even_with_shrinkage():
    with pytest.raises(ValueError, match="All vectors are equal"):
        posthoc.whiten(torch.ones(9, 3), shrinkage=0.01)
