"""Losses of two views of the same tokens: against cross entropy and correlations, by hand, and views that are none."""

import math

import numpy as np
import pytest
import torch
from collapse import gradient, of, other, tokens
from toys import unchecked

from decondense import losses
from decondense.losses import views

NAMES = ("info_nce", "barlow")
EVERY = pytest.mark.parametrize("name", NAMES)


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_info_nce_is_the_cross_entropy_of_the_cosines(temperature):
    z, twin = tokens(3, 9, 5), tokens(3, 9, 5, seed=1)
    u, v = (torch.nn.functional.normalize(x, dim=-1) for x in (z, twin))
    logits = (u @ v.mT / temperature).flatten(0, 1)
    expected = torch.nn.functional.cross_entropy(logits, torch.arange(9).repeat(3))
    found = losses.info_nce(z, views=twin, temperature=temperature, eps=1e-12)
    assert found.item() == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize("block", [1, 4, 256])
def test_the_block_of_info_nce_does_not_matter(monkeypatch, block):
    z, mask = tokens(2, 9, 5), torch.arange(9).expand(2, -1) < torch.tensor([[9], [6]])
    usual = of("info_nce")(z, mask=mask), gradient(lambda z: of("info_nce")(z, mask=mask), z)
    monkeypatch.setattr(views, "BLOCK", block)
    found = of("info_nce")(z, mask=mask), gradient(lambda z: of("info_nce")(z, mask=mask), z)
    torch.testing.assert_close(found, usual, rtol=1e-10, atol=1e-13)


def test_info_nce_by_hand():
    z = torch.eye(4)[None].double()
    assert losses.info_nce(z, views=2 * z, temperature=1.0, eps=1e-12).item() == pytest.approx(
        math.log(1 + 3 / math.e)
    )  # each finds itself at 1, three others at 0
    same = torch.ones(1, 5, 3).double()
    assert losses.info_nce(same, views=2 * same).item() == pytest.approx(math.log(5))  # no token can be told


def test_barlow_is_that_of_numpys_correlations():
    z = tokens(2, 20, 4)
    first, second = (x.flatten(0, 1).numpy() for x in (z, other(z)))
    c = np.corrcoef(first, second, rowvar=False)[:4, 4:]
    off = c[~np.eye(4, dtype=bool)]
    expected = (((1 - np.diag(c)) ** 2).sum() + 0.1 * (off**2).sum()) / 4
    assert of("barlow", off_diagonal=0.1, eps=1e-12)(z).item() == pytest.approx(expected, rel=1e-9)


def test_barlow_by_hand():
    corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]).view(2, 2, 2).double()
    found = [
        losses.barlow(corners, views=x, off_diagonal=0.5, eps=1e-12).item()
        for x in (2 * corners, corners.flip(-1), -corners)
    ]
    assert found == pytest.approx([0, (2 + 0.5 * 2) / 2, 4], abs=1e-9)


@EVERY
def test_the_gradient_goes_to_both_views(name):
    z, twin = tokens(2, 9, 4).requires_grad_(), other(tokens(2, 9, 4)).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda a, b: losses.get(name)(a, views=b), (z, twin), eps=1e-6, atol=1e-6, rtol=1e-6
    )


@EVERY
def test_equal_views_are_refused(name):
    z = tokens(2, 9, 4)
    with pytest.raises(ValueError, match=r"^The two views are equal: the model has no dropout, .* Set its dropout"):
        losses.get(name)(z, views=z.clone())


@EVERY
def test_views_of_another_shape_are_refused(name):
    z = tokens(2, 9, 4)
    with pytest.raises(ValueError, match=r"^views must be \(2, 9, 4\) as z, got \(2, 8, 4\)"):
        unchecked(losses.LOSSES[name])(z, views=z[:, :8])


def test_memory_of_info_nce_is_a_block_of_similarities():
    z, kept = tokens(1, 1500, 4).requires_grad_(), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        of("info_nce")(z)
    assert max(kept) <= 2 * z.numel()


@EVERY
def test_scale_does_not_matter(name):
    z = tokens(2, 9, 4)
    loss = lambda z, twin: losses.get(name, eps=1e-12)(z, views=twin).item()
    assert loss(7 * z, 0.3 * other(z)) == pytest.approx(loss(z, other(z)), rel=1e-9)
