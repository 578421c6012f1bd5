"""Sums of unit vectors: closed cases, and no loss of digits where one dimension holds nearly all of a norm."""

import numpy as np
import pytest
import torch
from made_controls import EPS, unit, within_text

from decondense.controls import sums


def made(n=9, features=7):
    return torch.randn(n, features, dtype=torch.float64, generator=torch.manual_seed(0)) + 1


def every(z):
    return sums.of_subsets(z, z.norm(dim=-1), torch.ones(1, len(z), dtype=torch.bool), EPS)


@pytest.mark.parametrize(
    ("z", "expected"),
    [(torch.ones(5, 3), 1), (torch.eye(4), 0), (torch.tensor([[1.0, 0], [-2.0, 0]]), -1), (torch.zeros(3, 4), 0)],
    ids=["identical", "orthogonal", "antipodal", "zero"],
)
def test_closed_cases(z, expected):
    assert float(sums.within(every(z))) == pytest.approx(expected)


def test_subsets_are_those_of_the_tokens_that_are_kept():
    z = made()
    kept = torch.rand(4, len(z), generator=torch.manual_seed(1)) < 0.6
    found = sums.of_subsets(z, z.norm(dim=-1), kept, EPS)
    expected = [within_text(z[of_view].numpy()) for of_view in kept]
    np.testing.assert_allclose(sums.within(found), expected, atol=1e-12)
    np.testing.assert_allclose(sums.means(found)[2], unit(z[kept[2]].numpy()).mean(0), atol=1e-12)


def test_one_token_has_no_pair():
    assert sums.within(every(made(1))).isnan().all()


def test_without_dimensions_keeps_its_digits():
    z = made().float()
    z[:, 3] = 1e5  # all but 1e-10 of the squared norm
    found = sums.without_dimensions(z, torch.tensor([3, 1]), (1, 2), EPS)
    for view, dropped in enumerate(([3], [3, 1])):
        expected = within_text(np.delete(z.double().numpy(), dropped, axis=1))
        assert float(sums.within(found)[view]) == pytest.approx(expected, abs=1e-6)
    assert (found.total[1, [3, 1]] == 0).all()


def test_joined_views_keep_their_order():
    z = made()
    found = sums.joined([every(z), every(z[:4])])
    assert found.tokens.tolist() == [9, 4]


def test_cosines_to_others_are_those_of_brute_force():
    u = unit(made().numpy())
    others = u.sum(0) - u
    expected = [one @ rest / np.linalg.norm(one) / np.linalg.norm(rest) for one, rest in zip(u, others, strict=True)]
    found = sums.cosines_to_others(torch.as_tensor(u), torch.as_tensor(others))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    nothing = sums.cosines_to_others(torch.as_tensor(u), torch.zeros(u.shape))
    assert (nothing == 0).all()
