"""The door of every loss: what is cast, hidden, drawn and refused, and the mean over the sequences."""

import pytest
import torch

from decondense.losses import batch as sequences


def tokens(batch=3, n=8, d=4, seed=0, dtype=torch.float64):
    return torch.randn(batch, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def prepare(z, mask=None, subsample=None, generator=None):
    return sequences.prepare(z, mask, subsample, generator)


# --- prepare --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_at_least_float32(given):
    z = tokens(dtype=given)
    found, mask = prepare(z)
    assert found.dtype == (torch.float64 if given == torch.float64 else torch.float32)
    assert mask is None
    assert torch.equal(found.to(given), z)


@pytest.mark.parametrize("kind", [torch.bool, torch.int64, torch.int32, torch.float32])
def test_hidden_tokens_are_zero_whatever_they_held(kind):
    z = tokens(2)
    mask = torch.tensor([[0, 1, 1, 1, 0, 1, 1, 0], [1, 1, 1, 1, 1, 1, 1, 0]])
    z[0, 0], z[0, 4, 1], z[1, 7] = torch.nan, torch.inf, -torch.inf
    found, boolean = prepare(z, mask.to(kind))
    assert boolean.dtype == torch.bool
    assert torch.equal(boolean, mask.bool())
    assert found[~mask.bool()].eq(0).all()
    assert torch.equal(found[mask.bool()], z[mask.bool()])


def test_hidden_tokens_get_no_gradient():
    z = tokens(1).requires_grad_()
    mask = torch.tensor([[1, 1, 0, 1, 0, 1, 1, 1]])
    found, _ = prepare(z, mask)
    found.sum().backward()
    assert torch.equal(z.grad, mask[..., None].expand_as(z).to(z))


def test_what_is_given_is_not_changed():
    z, mask = tokens(2), torch.tensor([[True] * 8, [True] + [False] * 7])
    given = z.clone(), mask.clone()
    prepare(z, mask)
    assert torch.equal(z, given[0])
    assert torch.equal(mask, given[1])


def test_a_sequence_of_one_token_is_hidden_whole():
    z = tokens(2)
    z[1, 0] = torch.nan
    mask = torch.tensor([[1] * 8, [1] + [0] * 7])
    found, boolean = prepare(z, mask)
    assert boolean.tolist() == [[True] * 8, [False] * 8]
    assert found[1].eq(0).all()


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4, 5), (4,)])
def test_z_of_another_rank_is_refused(shape):
    with pytest.raises(ValueError, match=r"z must be \(batch, tokens, features\) of floats, got \(.*torch.float32"):
        prepare(torch.ones(shape))


def test_integers_are_refused():
    with pytest.raises(ValueError, match=r"of floats, got \(1, 2, 3\) of torch.int64"):
        prepare(torch.ones(1, 2, 3, dtype=torch.int64))


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_tokens_are_refused(n):
    with pytest.raises(ValueError, match=rf"z has {n} token\(s\); pairs need at least 2\. Give longer"):
        prepare(torch.ones(2, n, 3))


@pytest.mark.parametrize("shape", [(2, 7), (1, 8), (8, 2)])
def test_a_mask_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"mask must be \(2, 8\) as the tokens of z, got \(\d, \d\)"):
        prepare(tokens(2), torch.ones(shape))


@pytest.mark.parametrize("visible", [[], [(0, 3)], [(0, 3), (1, 5)]])
def test_a_mask_without_a_pair_is_refused(visible):
    mask = torch.zeros(2, 8)
    for place in visible:
        mask[place] = 1
    with pytest.raises(ValueError, match=r"leaves no sequence two tokens\. Give at least one text of two tokens"):
        prepare(tokens(2), mask)


def test_a_mask_with_one_pair_is_taken():
    mask = torch.zeros(2, 8)
    mask[1, 2] = mask[1, 6] = 1
    assert prepare(tokens(2), mask)[1].sum() == 2


# --- the draw -------------------------------------------------------------------------------------------------------


def numbered(batch, n):
    """Tokens whose one feature is their position, from 1."""
    return torch.arange(1.0, n + 1).expand(batch, n)[..., None]


def drawn(batch, n, count, mask=None, seed=0):
    found, kept = prepare(numbered(batch, n), mask, count, torch.Generator().manual_seed(seed))
    return found[..., 0], kept


def test_draw_has_each_position_at_most_once():
    found, mask = drawn(50, 9, 6)
    assert found.shape == (50, 6)
    assert mask is None
    assert all(len(set(row)) == 6 and set(row) <= set(range(1, 10)) for row in found.tolist())


def test_sequences_are_drawn_apart():
    found, _ = drawn(20, 30, 5)
    assert len({frozenset(row) for row in found.tolist()}) > 15


def test_generator_makes_the_draw_repeatable():
    assert torch.equal(drawn(2, 30, 5, seed=7)[0], drawn(2, 30, 5, seed=7)[0])
    assert not torch.equal(drawn(2, 30, 5, seed=7)[0], drawn(2, 30, 5, seed=8)[0])


def test_each_call_draws_anew():
    generator = torch.Generator().manual_seed(0)
    first, second = (prepare(numbered(2, 30), None, 5, generator)[0] for _ in range(2))
    assert not torch.equal(first, second)


def test_without_generator_the_global_random_state_decides():
    torch.manual_seed(3)
    first, second = (prepare(numbered(2, 30), None, 5)[0] for _ in range(2))
    torch.manual_seed(3)
    again = prepare(numbered(2, 30), None, 5)[0]
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_generator_leaves_the_global_random_state():
    before = torch.get_rng_state()
    drawn(2, 30, 5)
    assert torch.equal(torch.get_rng_state(), before)


def test_every_position_is_drawn_as_often():
    found, _ = drawn(4000, 8, 3)
    share = torch.bincount(found.flatten().long(), minlength=9)[1:] / 4000
    torch.testing.assert_close(share, torch.full((8,), 3 / 8), rtol=0, atol=0.035)  # 4.6 standard errors


def test_draw_takes_visible_tokens_first():
    mask = torch.arange(20) % 2 == 0  # the odd positions, counted from 1
    found, kept = drawn(40, 20, 6, mask.expand(40, 20))
    assert kept.all()
    assert found.remainder(2).eq(1).all()
    assert len({frozenset(row) for row in found.tolist()}) > 30


def test_a_sequence_with_fewer_visible_tokens_gives_them_all():
    mask = torch.zeros(2, 20)
    mask[0, [3, 8, 15]], mask[1] = 1, 1
    found, kept = drawn(2, 20, 6, mask)
    assert kept.sum(1).tolist() == [3, 6]
    assert sorted(found[0][kept[0]].tolist()) == [4, 9, 16]
    assert found[0][~kept[0]].eq(0).all()


@pytest.mark.parametrize("count", [8, 9, 10_000])
def test_a_draw_of_all_is_no_draw(count):
    z, mask = tokens(), torch.ones(3, 8).bool()
    before = torch.get_rng_state()
    found, kept = prepare(z, mask, count)
    assert torch.equal(found, z)
    assert torch.equal(kept, mask)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("count", [1, 0, -4])
def test_a_draw_of_fewer_than_two_is_refused(count):
    with pytest.raises(ValueError, match=f"subsample must be at least 2, got {count}"):
        prepare(tokens(), None, count)


def test_a_draw_of_two_is_taken():
    assert prepare(tokens(), None, 2)[0].shape == (3, 2, 4)


def test_only_drawn_tokens_get_a_gradient():
    z = tokens(2, 30).requires_grad_()
    prepare(z, None, 7, torch.Generator().manual_seed(0))[0].sum().backward()
    assert z.grad.ne(0).any(-1).sum(1).tolist() == [7, 7]


# --- small parts ----------------------------------------------------------------------------------------------------


def test_directions():
    z = torch.tensor([[[3.0, 4.0], [0.0, 0.0], [0.0, -0.25]]], dtype=torch.float64)
    expected = torch.tensor([[[0.5, 2 / 3], [0.0, 0.0], [0.0, -0.2]]], dtype=torch.float64)
    torch.testing.assert_close(sequences.directions(z, 1.0), expected)


def test_directions_of_a_zero_vector_have_a_finite_gradient():
    z = torch.zeros(1, 2, 3, requires_grad=True)
    sequences.directions(z, 0.5).sum().backward()
    assert z.grad.tolist() == [[[2.0] * 3] * 2]  # d/dz z / (||z|| + eps) = 1 / eps at zero


def test_directions_gradient_is_that_of_finite_differences():
    assert torch.autograd.gradcheck(lambda z: sequences.directions(z, 0.3), tokens(2, 3).requires_grad_())


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4)])
def test_masked(shape):
    mask = torch.tensor([[True, False, True], [False, True, True]])
    x = torch.full(shape, 2.0)
    assert sequences.masked(x, None) is x
    found = sequences.masked(x, mask)
    assert found[mask].eq(2).all()
    assert found[~mask].eq(0).all()


def test_counts():
    z, mask = tokens(3, 4), torch.tensor([[1, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]]).bool()
    assert sequences.counts(z, None).tolist() == [4, 4, 4]
    assert sequences.counts(z, mask).tolist() == [3, 1, 4]  # 1 in place of 0: it is divided by
    assert sequences.counts(z, mask).dtype == z.dtype


def test_mean_over_sequences():
    z, total = tokens(3, 4), torch.tensor([2.0, 4.0, 9.0])
    value = lambda s, n: s / n
    assert sequences.mean_over_sequences(value, total, z, None) == 15 / 12
    mask = torch.tensor([[1, 1, 0, 0], [0, 0, 1, 0], [1, 1, 1, 0]]).bool()
    assert sequences.mean_over_sequences(value, total, z, mask) == (2 / 2 + 9 / 3) / 2


@pytest.mark.parametrize("length", [1.0, torch.tensor([2.0, 0.5]).double().view(2, 1, 1)], ids=["float", "of a text"])
def test_directions_and_their_derivatives(length):
    z = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    found = sequences.directions(z, 0.1, length)
    torch.testing.assert_close(found, length * z / (z.norm(dim=-1, keepdim=True) + 0.1))
    assert torch.autograd.gradcheck(lambda z: sequences.directions(z, 0.1, length), z)
    assert torch.autograd.gradgradcheck(lambda z: sequences.directions(z, 0.1, length), z)


def test_gradient_of_a_direction_at_zero_is_that_of_a_quotient_by_eps():
    z = torch.zeros(1, 2, 3, requires_grad=True)
    sequences.directions(z, 0.1).sum().backward()
    assert z.grad.flatten().tolist() == pytest.approx([10.0] * 6)
