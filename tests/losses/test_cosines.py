"""Losses of cosines: by hand, as their sources compute them, and what they push."""

import math

import pytest
import torch
from collapse import EPS, gradient, of, tokens

from decondense import losses, metrics
from decondense.losses import cosines

NAMES = ("cosine", "uniformity", "hyperspherical_energy", "simctg", "koleo")
SETS = {  # identical tokens; basis vectors of length 2 in R^4; two antipodes; zero vectors
    "identical": torch.tensor([3.0, 4.0, 0.0]).expand(1, 5, 3),
    "basis": 2 * torch.eye(4)[None],
    "antipodes": torch.tensor([[[0.6, 0.8], [-0.6, -0.8]]]),
    "zero": torch.zeros(1, 3, 2),
}
CLOSED = {
    "cosine": (1, 0, -1, 0),
    "uniformity": (0, -4, -8, -4),
    "simctg": (0.5, 0, 0, 0),
    "koleo": (-math.log(1e-9), -math.log(2**0.5), -math.log(2), -math.log(1e-9)),
}


@pytest.mark.parametrize("name", CLOSED)
def test_value_by_hand(name):
    found = [of(name, eps=1e-9)(z.double()).item() for z in SETS.values()]
    assert found == pytest.approx(CLOSED[name], abs=1e-7)


def test_energy_by_hand():
    long = {kind: 1e9 * z.double() for kind, z in SETS.items()}  # so that eps is nothing to the norms
    found = [losses.hyperspherical_energy(z, eps=0.01, power=2.0).item() for z in long.values()]
    assert found == pytest.approx([1 / 0.01, 1 / 2.01, 1 / 4.01, 1 / 2.01], rel=1e-5)


def test_cosine_is_the_mean_cosine_that_is_measured():
    z = tokens(2, 9, 5)
    assert losses.cosine(z, eps=1e-12).item() == pytest.approx(metrics.mean_cosine(z).off_diagonal.mean().item())


def test_cosine_over_n_squared_is_that_of_its_pairs_times_a_share():
    z = tokens(2, 9, 5)
    assert losses.cosine(z, n_squared=True).item() == pytest.approx(8 / 9 * losses.cosine(z).item(), rel=1e-12)


def test_cosine_pushes_as_dispersion_to_first_order():
    z = tokens(1, 9, 5)
    ours, theirs = gradient(losses.cosine, z), gradient(lambda z: losses.dispersion(z, order=1), z)
    torch.testing.assert_close(ours / ours.norm(), theirs / theirs.norm(), rtol=1e-9, atol=1e-12)


def test_uniformity_is_that_of_its_authors_on_the_sphere():
    z = tokens(1, 9, 5)
    x = torch.nn.functional.normalize(z[0], dim=-1)
    expected = torch.pdist(x).pow(2).mul(-2).exp().mean().log()  # the code printed in their paper
    assert losses.uniformity(z, eps=1e-12).item() == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_scale_and_rotation_do_not_matter(name):
    z, options = tokens(2, 9, 4), {"eps": 1e-12} if name != "hyperspherical_energy" else {"eps": 1e-6}
    turn = torch.linalg.qr(tokens(4, 4, seed=2))[0]
    scaled = z * torch.linspace(0.5, 20, 9)[:, None]
    for change in (scaled, 100 * z, z @ turn):
        assert of(name, **options)(change).item() == pytest.approx(of(name, **options)(z).item(), rel=1e-5)


@pytest.mark.parametrize(("margin", "degrees", "pushed"), [(0.5, 50, True), (0.5, 70, False), (1.2, 100, True)])
def test_simctg_pushes_pairs_above_its_margin_alone(margin, degrees, pushed):
    angle = math.radians(degrees)
    z = torch.tensor([[[1.0, 0.0], [math.cos(angle), math.sin(angle)]]], dtype=torch.float64)
    assert gradient(of("simctg", margin=margin), z).ne(0).any() == pushed


def test_koleo_pushes_from_the_nearest_alone():
    angles = torch.tensor([0.0, 0.5, 2.0, 3.0], dtype=torch.float64)
    z = torch.stack([angles.cos(), angles.sin()], -1)[None]
    moved = z.clone()
    moved[0, 3] = torch.tensor([-2.0, 0.1])  # still nearest to the third, and to no other
    first, second = gradient(losses.koleo, z), gradient(losses.koleo, moved)
    torch.testing.assert_close(first[0, :2], second[0, :2], rtol=1e-12, atol=0)
    assert not torch.equal(first[0, 2], second[0, 2])


@pytest.mark.parametrize("shift", [0, 7])
def test_duplicates_are_finite_to_koleo_and_not_pushed(shift):
    z = tokens(1, 1, 6, seed=shift).expand(1, 5, 6)
    assert losses.koleo(z).item() == pytest.approx(-math.log(EPS))
    assert gradient(losses.koleo, z).eq(0).all()


@pytest.mark.parametrize("block", [1, 4, 512])
def test_the_nearest_is_that_of_all_pairs_whatever_the_block(block):
    u = torch.nn.functional.normalize(tokens(2, 10, 3), dim=-1)
    mask = torch.arange(10).expand(2, -1) < torch.tensor([[10], [7]])
    far = (u @ u.mT).masked_fill(torch.eye(10).bool() | ~mask[:, None], -2)
    assert torch.equal(cosines._nearest(u, mask, block), far.argmax(-1))
