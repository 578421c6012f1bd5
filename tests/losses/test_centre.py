"""The centre that is taken away before the cosines: of the other texts, without long tokens, and without a gradient."""

import pytest
import torch
from toys import unchecked

from decondense import losses, metrics
from decondense.losses import centre

OPTIONS = [{}, {"order": 1}, {"order": 2}, {"temperature": 0.3, "clamp": 0.3, "eps": 0.2}, {"subsample": 3}]


def tokens(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.3


def value_and_gradient(z, **how):
    z = z.detach().clone().requires_grad_()
    draw = {"generator": torch.Generator().manual_seed(3)} if "subsample" in how else {}
    value = losses.dispersion(z, **how, **draw)
    return value.detach(), torch.autograd.grad(value, z)[0]


def others(z):
    """The mean of the other rows, for each row."""
    return torch.stack([torch.cat([z[:i], z[i + 1 :]]).mean((0, 1)) for i in range(len(z))])[:, None]


@pytest.mark.parametrize("how", OPTIONS, ids=str)
def test_it_is_the_loss_of_z_without_the_mean_of_the_other_texts(how):
    z = tokens(3, 5, 4)
    found, expected = value_and_gradient(z, centre="batch", **how), value_and_gradient(z - others(z), **how)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-14)
    assert found[0] != value_and_gradient(z, **how)[0]


@pytest.mark.parametrize("how", OPTIONS, ids=str)
@pytest.mark.parametrize("ids", [None, torch.tensor([[0, 0, 0, 1, 1], [0, 0, 1, 1, 1], [2, 2, 2, 2, 2]])])
def test_a_tensor_is_taken_away_as_it_is(how, ids):
    z, c = tokens(3, 5, 4), tokens(4, seed=1)
    how = how | {"document_ids": ids}
    assert torch.equal(value_and_gradient(z, centre=c, **how)[0], value_and_gradient(z - c, **how)[0])
    one = value_and_gradient(z[:1], centre=c.float())[0]  # one text is enough
    torch.testing.assert_close(one, value_and_gradient(z[:1] - c.float())[0], rtol=1e-12, atol=0)


def test_a_tensor_may_be_of_another_precision_than_z():
    z, c = tokens(2, 5, 4).bfloat16(), tokens(4, seed=1).bfloat16()
    assert losses.dispersion(z, centre=c) == losses.dispersion(z.float() - c.float())


def test_no_gradient_goes_through_the_centre():
    z, c = tokens(2, 5, 4).requires_grad_(), tokens(4, seed=1).requires_grad_()
    losses.dispersion(z, centre=c).backward()
    assert c.grad is None
    found = value_and_gradient(z, centre="batch")[1]
    first = value_and_gradient(z[:1], centre=z[1].mean(0))[1]
    torch.testing.assert_close(2 * found[:1], first, rtol=1e-11, atol=1e-14)


def test_gradient_is_that_of_finite_differences_where_the_centre_stays():
    z = torch.eye(4, 6, dtype=torch.float64) + 0.25 * tokens(3, 4, 6)
    c = others(z)
    assert torch.autograd.gradcheck(lambda z: losses.dispersion(z - c, clamp=0.001), z.clone().requires_grad_())
    found = value_and_gradient(z, centre="batch", clamp=0.001)[1]
    torch.testing.assert_close(found, value_and_gradient(z - c, clamp=0.001)[1], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("longer", [5.0, 150.0])
def test_long_tokens_are_in_no_mean(longer):
    z = tokens(3, 9, 4)
    z[:, 0] = longer * z.norm(dim=-1).median() * torch.eye(4)[0]
    found = centre.mean_of_others(z, None, None)
    expected = others(z) if longer < centre.MASSIVE else others(z[:, 1:])
    torch.testing.assert_close(found, expected.expand(3, 9, 4), rtol=1e-12, atol=0)


def test_long_tokens_would_hide_what_the_texts_share():
    """As in trained models: the first token 150 times as long as the others, and the others around one vector."""
    z = 4 * torch.eye(32)[1].double() + tokens(4, 40, 32) - 0.3
    z[:, 0] = 150 * z.norm(dim=-1).median() * torch.eye(32)[0]
    within = lambda z: metrics.mean_cosine(z[:, 1:]).off_diagonal.mean().item()
    ruled = z - others(z)
    assert within(z) > 0.3
    assert within(ruled) > 0.3
    assert abs(within(centre.centred(z, "batch", None, None))) < 0.05


def test_hidden_tokens_have_no_part_in_it():
    z, mask = tokens(3, 6, 4), torch.tensor([[1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1], [0, 1, 0, 0, 0, 0]])
    found = centre.mean_of_others(z.masked_fill(mask[..., None] == 0, torch.nan), mask.bool(), None)
    torch.testing.assert_close(found[0, :4], z[1, 2:].mean(0).expand(4, 4), rtol=1e-12, atol=0)
    torch.testing.assert_close(found[1, 2:], z[0, :4].mean(0).expand(4, 4), rtol=1e-12, atol=0)
    assert found[mask == 0].eq(0).all()
    assert found[2].eq(0).all()  # one token is no text


def test_texts_that_are_all_long_have_the_centre_zero():
    z = torch.cat([torch.ones(1, 9, 4), 1000 * torch.ones(1, 2, 4).repeat(1, 5, 1)[:, :9]])
    z[1, 2:] = 1.0
    mask = torch.ones(2, 9)
    mask[1, 2:] = 0
    found = centre.mean_of_others(z, mask.bool(), None)
    assert found[0].eq(0).all()
    assert found[1, :2].eq(1).all()


BAD = [
    ("bach", r"^centre must be 'batch', a tensor \(features,\) or None, got 'bach'\.$"),
    (0.5, r"^centre must be 'batch', a tensor .*, got 0\.5\.$"),
    (torch.ones(3), r"^centre must have the 4 features of z, got \(3,\)\.$"),
    (torch.ones(2, 1, 4), r"^centre must have the 4 features of z, got \(2, 1, 4\)\.$"),
]


@pytest.mark.parametrize(("bad", "message"), BAD, ids=str)
def test_a_bad_centre_is_refused(bad, message, monkeypatch):
    with pytest.raises(ValueError, match=message):
        unchecked(centre.centred)(tokens(2, 5, 4), bad, None, None)


def test_options_reach_it_by_name():
    z = tokens(3, 5, 4)
    expected = losses.dispersion(z, centre="batch", temperature=0.5)
    assert losses.get("dispersion", centre="batch", temperature=0.5)(z) == expected
    module = losses.Loss("dispersion", centre="batch", temperature=0.5)
    assert module(z) == expected
    assert "centre='batch'" in repr(module)
