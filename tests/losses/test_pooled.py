"""Losses of the tokens of a batch together: by hand, as VICReg has them, and with one text."""

import math

import pytest
import torch
from collapse import gradient, of, tokens

from decondense import losses
from decondense.losses import pooled

NAMES = ("variance", "covariance", "vicreg")
EVERY = pytest.mark.parametrize("name", NAMES)
CORNERS = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])  # variances 4/3, no covariance
CLOSED = [  # two texts, and their variance and covariance terms
    (CORNERS.view(2, 2, 2), 0, 0),
    (torch.ones(2, 3, 4), 1 - 0.01, 0),  # nothing but the floor under the root
    (torch.tensor([[1.0, 1.0], [-1.0, -1.0]]).expand(2, 2, 2), 0, (4 / 3) ** 2),
    (torch.tensor([[1.0, 1.0], [1.0, -1.0]]).expand(2, 2, 2), 0.5 * (1 - 0.01), 0),
    (torch.zeros(2, 3, 4), 1 - 0.01, 0),
]


@pytest.mark.parametrize(("z", "spread", "together"), CLOSED)
def test_value_by_hand(z, spread, together):
    found = [of(name, eps=1e-9)(z.double()).item() for name in NAMES]
    assert found == pytest.approx([spread, together, 25 * spread + together], abs=1e-7)


def test_vicreg_is_the_sum_of_its_terms():
    z, weights = tokens(2, 9, 5), {"variance_weight": 3.0, "covariance_weight": 0.5}
    expected = 3 * losses.variance(z, margin=2.0) + 0.5 * losses.covariance(z)
    assert losses.vicreg(z, margin=2.0, **weights).item() == pytest.approx(expected.item(), rel=1e-12)


def test_terms_are_those_of_vicreg_on_tokens_of_length_root_d():
    z = tokens(2, 9, 5)
    x = torch.nn.functional.normalize(z.flatten(0, 1), dim=-1) * math.sqrt(5)
    c = torch.cov(x.T)
    assert losses.covariance(z, eps=1e-12).item() == pytest.approx((c - c.diag().diag()).square().sum().item() / 5)
    spread = (1 - (x.var(0) + 1e-4).sqrt()).relu().mean()
    assert losses.variance(z, eps=1e-12).item() == pytest.approx(spread.item())


@EVERY
def test_scale_does_not_matter(name):
    z = tokens(2, 9, 4)
    scaled = z * torch.linspace(0.5, 20, 9)[:, None]
    assert of(name, eps=1e-12)(scaled).item() == pytest.approx(of(name, eps=1e-12)(z).item(), rel=1e-9)


def test_pooled_tokens_have_one_length_and_the_order_of_the_rows():
    z = tokens(2, 4, 9)
    x = pooled.pooled(z, None, None, None, None, 1e-12)
    torch.testing.assert_close(x, torch.nn.functional.normalize(z, dim=-1).flatten(0, 1) * 3)


@EVERY
def test_one_text_is_refused(name):
    z = tokens(3, 9, 4)
    mask, ids = torch.ones(3, 9), torch.zeros(1, 9).long()
    mask[1:, 1:] = 0
    for how in ({"z": z[:1]}, {"z": z, "mask": mask}, {"z": z[:1], "document_ids": ids}):
        with pytest.raises(ValueError, match=rf"^{name} is of the tokens of a whole batch, and the batch has one text"):
            losses.get(name)(**how)
    assert losses.get(name)(z[:1], document_ids=torch.arange(9)[None] // 5).isfinite()


def test_a_shared_direction_costs_variance():
    free = torch.randn(2, 200, 16, generator=torch.Generator().manual_seed(0))
    assert losses.variance(free + 3) > losses.variance(free) + 0.3


@pytest.mark.filterwarnings("error")
def test_variances_above_the_margin_are_not_pushed():
    z = CORNERS.view(2, 2, 2).double()
    assert losses.variance(z) == 0
    assert gradient(losses.variance, z).eq(0).all()
