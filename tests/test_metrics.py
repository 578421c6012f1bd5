"""Metrics against brute force over all N x N pairs in float64, against scipy, and in cases known by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from scipy import stats

from decondense import metrics

SIZES = st.tuples(st.integers(2, 12), st.integers(1, 6), st.integers(0, 10_000))


def brute_force(z, eps=metrics.PAPER_EPS):
    """All N x N cosines in float64."""
    z = np.asarray(z, dtype=np.float64)
    u = z / np.maximum(np.linalg.norm(z, axis=-1, keepdims=True), eps)
    return u @ u.T


def off_diagonal(cosines):
    return cosines[~np.eye(len(cosines), dtype=bool)].mean()


def tokens(n, d, seed=0, scale=1.0, shift=0.5, dtype=torch.float64):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(scale * (rng.standard_normal((n, d)) + shift)).to(dtype)


def given_tokens(test):
    """Run `test(z, rng)` on 50 random sequences."""

    @settings(max_examples=50, derandomize=True)
    @given(SIZES)
    def drawn(size):
        n, d, seed = size
        test(tokens(n, d, seed), np.random.default_rng(seed))

    return drawn


# --- mean cosine ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "d"), [(2, 1), (3, 2), (50, 7), (200, 64)])
def test_mean_cosine_is_that_of_all_pairs(n, d):
    z = tokens(n, d)
    cosines = brute_force(z)
    found = metrics.mean_cosine(z)
    np.testing.assert_allclose(found.all_pairs, cosines.mean(), rtol=1e-12)
    np.testing.assert_allclose(found.off_diagonal, off_diagonal(cosines), rtol=1e-10, atol=1e-14)


def test_mean_cosine_by_hand():
    # Angles 0, 60 and 90 degrees: the cosines of the three pairs are 1/2, 0 and sqrt(3)/2.
    z = torch.tensor([[2.0, 0.0], [0.5, np.sqrt(3) / 2], [0.0, 10.0]], dtype=torch.float64)
    pairs = 0.5 + 0.0 + 0.8660254037844386
    found = metrics.mean_cosine(z)
    assert float(found.off_diagonal) == pytest.approx(pairs / 3, abs=1e-14)
    assert float(found.all_pairs) == pytest.approx((3 + 2 * pairs) / 9, abs=1e-14)


def test_mean_cosine_of_a_batch_is_that_of_each():
    z = torch.stack([tokens(9, 4, seed) for seed in range(6)]).reshape(2, 3, 9, 4)
    found = metrics.mean_cosine(z)
    assert found.all_pairs.shape == (2, 3)
    assert float(found.all_pairs[1, 2]) == float(metrics.mean_cosine(z[1, 2]).all_pairs)
    assert float(found.off_diagonal[0, 1]) == float(metrics.mean_cosine(z[0, 1]).off_diagonal)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_reduced_in_float32(dtype):
    z = tokens(300, 64, scale=100.0, dtype=dtype)  # squared norms of 6e5 overflow float16
    found = metrics.mean_cosine(z)
    assert metrics.unit_rows(z).dtype == torch.float32
    assert float(found.all_pairs) == pytest.approx(brute_force(z.double()).mean(), rel=1e-6)


def test_float64_stays_float64():
    assert metrics.unit_rows(tokens(2, 2)).dtype == torch.float64


def test_identical_tokens_have_cosine_one():
    found = metrics.mean_cosine(tokens(1, 5).expand(20, 5))
    assert float(found.all_pairs) == pytest.approx(1, abs=1e-14)
    assert float(found.off_diagonal) == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("n", [2, 3, 64])
def test_orthogonal_tokens_leave_the_diagonal(n):
    found = metrics.mean_cosine(3 * torch.eye(n))
    assert float(found.all_pairs) == pytest.approx(1 / n, abs=1e-7)
    assert float(found.off_diagonal) == pytest.approx(0, abs=1e-7)


def test_antipodal_tokens_reach_the_lower_bound():
    found = metrics.mean_cosine(torch.tensor([[1.0, 2.0], [-2.0, -4.0]], dtype=torch.float64))
    assert float(found.all_pairs) == pytest.approx(0, abs=1e-14)
    assert float(found.off_diagonal) == pytest.approx(-1, abs=1e-14)


def test_simplex_reaches_the_lower_bound_of_n():
    n = 5
    simplex = torch.eye(n, dtype=torch.float64) - 1 / n
    assert float(metrics.mean_cosine(simplex).off_diagonal) == pytest.approx(-1 / (n - 1), abs=1e-14)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_tokens_is_an_error(n):
    with pytest.raises(ValueError, match=rf"at least 2 tokens, got {n}\. Give a longer text"):
        metrics.mean_cosine(torch.ones(n, 3))


def test_zero_vector_has_cosine_zero_even_to_itself():
    z = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    found = metrics.mean_cosine(z)
    assert float(found.all_pairs) == pytest.approx(4 / 9, abs=1e-7)
    assert float(found.off_diagonal) == pytest.approx(2 / 6, abs=1e-7)


def test_vector_shorter_than_eps_counts_less():
    z = torch.tensor([[5e-4, 0.0], [1.0, 0.0]], dtype=torch.float64)  # half of eps: as a vector of length 1/2
    assert float(metrics.mean_cosine(z).off_diagonal) == pytest.approx(0.5, abs=1e-12)
    assert float(metrics.mean_cosine(z).all_pairs) == pytest.approx((0.25 + 1 + 2 * 0.5) / 4, abs=1e-12)
    assert float(metrics.mean_cosine(z, eps=1e-6).off_diagonal) == pytest.approx(1, abs=1e-12)


def test_nan_is_not_hidden():
    z = tokens(4, 3)
    z[2, 1] = torch.nan
    found = metrics.mean_cosine(z)
    assert found.all_pairs.isnan()
    assert found.off_diagonal.isnan()


def test_shapes_are_checked_in_these_tests():
    with pytest.raises(TypeCheckError, match="mean_cosine"):
        metrics.mean_cosine(torch.ones(4))


@given_tokens
def test_mean_cosine_is_within_its_bounds(z, rng):
    found = metrics.mean_cosine(z)
    assert -1e-12 <= found.all_pairs <= 1 + 1e-12
    assert -1 / (len(z) - 1) - 1e-12 <= found.off_diagonal <= 1 + 1e-12


@given_tokens
def test_mean_cosine_does_not_depend_on_order(z, rng):
    shuffled = z[torch.from_numpy(rng.permutation(len(z)))]
    torch.testing.assert_close(metrics.mean_cosine(shuffled), metrics.mean_cosine(z), rtol=1e-10, atol=1e-12)


@given_tokens
def test_mean_cosine_does_not_depend_on_rotation(z, rng):
    rotation = torch.from_numpy(np.linalg.qr(rng.standard_normal((z.shape[1],) * 2))[0])
    torch.testing.assert_close(metrics.mean_cosine(z @ rotation), metrics.mean_cosine(z), rtol=1e-10, atol=1e-12)


@given_tokens
def test_mean_cosine_does_not_depend_on_the_length_of_a_token(z, rng):
    z = z / torch.linalg.vector_norm(z, dim=1, keepdim=True)
    scaled = z * torch.from_numpy(rng.uniform(0.01, 100, (len(z), 1)))
    torch.testing.assert_close(metrics.mean_cosine(scaled), metrics.mean_cosine(z), rtol=1e-10, atol=1e-12)


# --- histogram ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 127, 128, 129, 300])
def test_histogram_is_that_of_all_pairs(n):
    z = tokens(n, 16, dtype=torch.float32)
    expected, _ = np.histogram(np.clip(brute_force(z), -1, 1), bins=128, range=(-1, 1))
    found = metrics.cosine_histogram(z).numpy()
    assert found.shape == (128,)
    assert found.sum() == n**2
    # Rounding in float32 may move a few pairs over the edge of a bin, never further.
    moved = np.abs(np.cumsum(found - expected))
    assert moved.max() <= 8


def test_histogram_by_hand():
    z = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-3.0, 0.0]])  # cosines 1 (3 times), 0 (4 times), -1 (twice)
    assert metrics.cosine_histogram(z, bins=4).tolist() == [2, 0, 4, 3]


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_histogram_does_not_depend_on_the_block(block):
    z = tokens(65, 32)
    assert torch.equal(metrics.cosine_histogram(z, block=block), metrics.cosine_histogram(z))


def test_cosine_of_one_is_in_the_last_bin():
    z = tokens(1, 33, dtype=torch.float32).expand(40, 33)  # rounding puts these cosines on both sides of 1
    assert metrics.cosine_histogram(z)[-1] == 1600


def test_histogram_of_a_matrix_is_that_of_its_entries():
    cosines = torch.tensor([[1.0, -0.25], [-0.25, 1.0]])
    assert metrics.matrix_histogram(cosines, bins=4).tolist() == [0, 2, 0, 2]


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_cosines_are_added_on_and_above_the_diagonal(block):
    a, b = tokens(65, 32, dtype=torch.float64), tokens(65, 5, dtype=torch.float64)
    total = torch.zeros(65, 65, dtype=torch.float64)
    for z in (a, b):
        metrics.add_cosines(total, z, block=block)
    expected = torch.as_tensor(brute_force(a) + brute_force(b))
    torch.testing.assert_close(total.triu(), expected.triu())


# --- trend ----------------------------------------------------------------------------------------------------------

TRENDS = [(metrics.spearman, stats.spearmanr), (metrics.kendall, stats.kendalltau)]
TREND = pytest.mark.parametrize(("ours", "scipys"), TRENDS, ids=["spearman", "kendall"])


@TREND
@pytest.mark.parametrize("entries", [2, 3, 13, 49])
def test_trend_is_scipys(ours, scipys, entries):
    mu = np.random.default_rng(entries).uniform(size=entries)
    assert float(ours(mu)) == pytest.approx(scipys(mu, np.arange(entries)).statistic, abs=1e-12)


@TREND
def test_trend_with_ties_is_scipys(ours, scipys):
    rng = np.random.default_rng(0)
    for mu in rng.integers(0, 4, (50, 9)).astype(float):
        assert float(ours(mu)) == pytest.approx(scipys(mu, np.arange(9)).statistic, abs=1e-12)


@TREND
def test_trend_of_a_batch_is_that_of_each(ours, scipys):
    mu = np.random.default_rng(1).integers(0, 6, (3, 4, 7)).astype(float)
    found = ours(mu)
    assert found.shape == (3, 4)
    expected = [[scipys(row, np.arange(7)).statistic for row in rows] for rows in mu]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("ours", [metrics.spearman, metrics.kendall])
def test_trend_of_a_constant_is_nan(ours):
    assert np.isnan(ours(np.full(6, 0.3)))


@TREND
def test_trend_with_a_nan_is_nan_and_leaves_the_others(ours, scipys):
    mu = np.array([[0.1, np.nan, 0.3, 0.4], [0.1, 0.2, 0.4, 0.3]])
    found = ours(mu)
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(scipys(mu[1], range(4)).statistic)


def test_trend_by_hand():
    # Ranks 1 3 2 4: the squared differences sum to 2, and one pair of six is discordant.
    mu = np.array([0.1, 0.3, 0.2, 0.4])
    assert float(metrics.spearman(mu)) == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert float(metrics.kendall(mu)) == pytest.approx((5 - 1) / 6)


@TREND
@settings(max_examples=50, derandomize=True)
@given(mu=st.lists(st.integers(-50, 50), min_size=2, max_size=20).filter(lambda v: len(set(v)) > 1))
def test_trend_is_bounded_odd_and_sees_only_order(ours, scipys, mu):
    mu = np.array(mu, dtype=float)
    value = float(ours(mu))
    assert -1 - 1e-12 <= value <= 1 + 1e-12
    assert float(ours(mu[::-1])) == pytest.approx(-value, abs=1e-12)
    assert float(ours(-mu)) == pytest.approx(-value, abs=1e-12)
    assert float(ours(mu**3 + mu)) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(("entries", "expected"), [(1, 7.0), (2, 6.5), (7, 4.0), (None, 6.0)])
def test_mean_of_last_is_that_of_the_last_entries_or_half(entries, expected):
    mu = np.arange(1.0, 8.0)  # seven entries: the last half are three
    assert metrics.mean_of_last(mu, entries) == pytest.approx(expected)
    np.testing.assert_allclose(metrics.mean_of_last(np.stack([mu, 2 * mu]), entries)[1], 2 * expected)


def test_spread_of_a_histogram_is_that_of_its_cosines():
    cosines = np.random.default_rng(0).uniform(-0.9, 0.5, 20_000)
    density = np.stack([np.histogram(c, 128, (-1, 1), density=True)[0] for c in (cosines, cosines / 2)])
    np.testing.assert_allclose(metrics.histogram_std(density), [cosines.std(), cosines.std() / 2], rtol=1e-3)


# --- cone -----------------------------------------------------------------------------------------------------------


def test_cosine_to_mean_averages_to_the_root_of_mu():
    z = torch.randn(9, 6, generator=torch.Generator().manual_seed(0)) + 0.5
    cosines = metrics.cosine_to_mean(z)
    unit = z.double() / z.double().norm(dim=1, keepdim=True)
    expected = unit @ unit.mean(0) / unit.mean(0).norm()
    torch.testing.assert_close(cosines.double(), expected, atol=1e-6, rtol=0)
    assert float(cosines.mean()) == pytest.approx(float(metrics.mean_cosine(z).all_pairs) ** 0.5, abs=1e-6)
    torch.testing.assert_close(metrics.cone_coordinates(z)[:, 2], cosines)


def test_cosine_to_mean_in_closed_cases():
    east, north = [1.0, 0.0], [0.0, 2.0]
    near = lambda rows: metrics.cosine_to_mean(torch.tensor(rows)).tolist()
    assert near([east, east]) == pytest.approx([1, 1])
    assert near([east, north]) == pytest.approx([0.5**0.5, 0.5**0.5])
    assert near([east, [-1.0, 0.0]]) == [0, 0]  # no mean direction
    assert near([east, [0.0, 0.0]]) == pytest.approx([1, 0])
    assert near([east, east, [-1.0, 0.0]]) == pytest.approx([1, 1, -1])


@pytest.mark.parametrize(
    ("rows", "rank"),
    [
        ([[3.0, 0, 0]] * 4, 1),  # one direction
        (np.eye(3) * [[1.0], [20], [300]], 3),  # three, whatever their lengths
        ([[1.0, 0, 0], [-1, 0, 0], [0, 2, 0], [0, -2, 0]], 2),
        (
            [[1.0, 0], [1, 0], [1, 0], [0, 1]],
            np.exp(-sum(p * np.log(p) for p in (3**0.5 / (3**0.5 + 1), 1 / (3**0.5 + 1)))),
        ),
        ([[np.nan, 1.0], [1.0, 0]], np.nan),
        ([[0.0, 0.0], [0.0, 0.0]], np.nan),
    ],
)
def test_effective_rank(rows, rank):
    assert metrics.effective_rank(torch.tensor(np.array(rows)).float()) == pytest.approx(rank, rel=1e-6, nan_ok=True)


def test_effective_rank_is_that_of_the_singular_values():
    z = torch.randn(12, 5, generator=torch.Generator().manual_seed(0))
    for rows in (z, z.T.contiguous()):
        p = np.linalg.svd(metrics.unit_rows(rows.double()).numpy(), compute_uv=False)
        p = p / p.sum()
        assert metrics.effective_rank(rows) == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-6)


def test_cone_coordinates_keep_the_angle_to_the_mean():
    z = tokens(60, 20)
    points = metrics.cone_coordinates(z)
    u = metrics.unit_rows(z)
    mean = u.mean(0) / torch.linalg.vector_norm(u.mean(0))
    assert points.shape == (60, 3)
    torch.testing.assert_close(points[:, 2], (u @ mean).float(), rtol=0, atol=1e-6)
    torch.testing.assert_close(torch.linalg.vector_norm(points, dim=1), torch.ones(60), rtol=0, atol=1e-6)


def test_cone_coordinates_in_three_dimensions_are_a_rotation():
    # Nothing is projected away in R^3 but the length of the residual, so all angles between points are kept.
    z = tokens(30, 3)
    points = metrics.cone_coordinates(z).double()
    np.testing.assert_allclose(brute_force(points), brute_force(z), atol=1e-5)


@pytest.mark.parametrize("rank", [metrics.spearman, metrics.kendall])
def test_a_range_within_the_resolution_has_no_trend(rank):
    mu = np.array([[0.5, 0.5 + 4e-7, 0.5 + 9e-7], [0.5, 0.5 + 4e-7, 0.5 + 2e-6]])
    assert rank(mu).tolist() == [1, 1]
    found = rank(mu, metrics.resolution("float32"))
    assert np.isnan(found[0])
    assert found[1] == 1
    assert np.isnan(rank(np.array([0.5, np.nan, 0.7]), 1e-6))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("float64", 1e-6), ("float32", 1e-6), ("float16", 1e-3), ("bfloat16", 1e-2), ("float8_e4m3fn", 1e-2), ("x", 1e-2)],
)
def test_a_dtype_that_nobody_measured_has_the_coarsest_resolution(dtype, expected):
    assert metrics.resolution(dtype) == expected
