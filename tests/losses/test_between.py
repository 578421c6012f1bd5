"""The two losses that look at several texts: against loops over all pairs, by what they push, and as all losses."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from toys import unchecked

from decondense import losses, metrics
from decondense.losses import batch, centre

CENTRED = partial(losses.dispersion, centre="batch")
BOTH = pytest.mark.parametrize("loss", [losses.mean_direction, CENTRED], ids=["mean_direction", "centred"])
MASK = torch.tensor([[1, 1, 1, 1, 1, 0], [0, 1, 1, 0, 1, 1], [1, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]])
PACKED = torch.tensor([[0, 0, 0, 0, 1, 1, 1], [0, 0, 1, 2, 2, 2, 2]])  # of 4, 3; 2, 1, 4 tokens


def tokens(*shape, seed=0, shift=0.3):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def gradient(loss, z):
    z = z.detach().clone().requires_grad_()
    return torch.autograd.grad(loss(z), z)[0]


def texts(z, ids=None, mask=None):
    """The visible tokens of each sequence, or document, of two or more."""
    ids = torch.zeros(z.shape[:2]).long() if ids is None else ids
    mask = torch.ones(z.shape[:2]).bool() if mask is None else mask.bool()
    found = [row[seen & (one == i)] for row, one, seen in zip(z, ids, mask, strict=True) for i in one.unique()]
    return [text for text in found if len(text) > 1]


def between(those, eps=0.01):
    """The mean over pairs of texts of the mean cosine of their tokens, pair by pair."""
    u = [[token / (np.linalg.norm(token) + eps) for token in text.detach().numpy()] for text in those]
    pairs = [(s, t) for s in range(len(u)) for t in range(len(u)) if s != t]
    return np.mean([np.mean([a @ b for a in u[s] for b in u[t]]) for s, t in pairs])


def centred(those):
    """The dispersion loss of each text without the mean of the others."""
    apart = [one - torch.cat([*those[:i], *those[i + 1 :]]).mean(0) for i, one in enumerate(those)]
    return np.mean([losses.dispersion(one[None]).item() for one in apart])


REFERENCES = {losses.mean_direction: between, CENTRED: centred}


# --- value ----------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("shape", [(4, 6, 3), (2, 2, 5), (5, 3, 1)], ids=str)
def test_value_is_that_of_all_pairs(loss, shape):
    z = tokens(*shape)
    assert loss(z).item() == pytest.approx(REFERENCES[loss](texts(z)), rel=1e-11, abs=1e-13)


@BOTH
def test_padding_takes_no_part(loss):
    z = tokens(4, 6, 3)
    padded = z.masked_fill(MASK[..., None] == 0, torch.nan)
    padded[3, 2] = torch.nan  # alone in its row
    found = loss(padded, mask=MASK).item()
    assert found == pytest.approx(REFERENCES[loss](texts(z, mask=MASK)), rel=1e-11)
    on_z = gradient(lambda z: loss(z, mask=MASK), padded)
    assert on_z[MASK == 0].eq(0).all()
    torch.testing.assert_close(on_z[:3], gradient(lambda z: loss(z, mask=MASK[:3]), z[:3]), rtol=1e-12, atol=1e-15)


@BOTH
@pytest.mark.parametrize("hidden", [False, True])
def test_packed_documents_are_texts(loss, hidden):
    z, mask = tokens(2, 7, 3), torch.tensor([[1, 1, 1, 0, 1, 1, 1], [1, 1, 1, 1, 0, 1, 1]]) if hidden else None
    found = loss(z, mask=mask, document_ids=PACKED).item()
    assert found == pytest.approx(REFERENCES[loss](texts(z, PACKED, mask)), rel=1e-11)
    assert found != pytest.approx(loss(z, mask=mask).item(), rel=0.01)


@BOTH
def test_documents_in_rows_of_their_own_have_the_same_gradient(loss):
    z = tokens(1, 8, 3)
    packed = gradient(lambda z: loss(z, document_ids=torch.tensor([[0, 0, 0, 0, 1, 1, 1, 1]])), z)
    torch.testing.assert_close(packed.view(2, 4, 3), gradient(loss, z.view(2, 4, 3)), rtol=1e-11, atol=1e-14)


SAME = torch.tensor([3.0, 4.0, 0.0]).expand(3, 5, 3)
CLOSED = [  # three texts that are one token; each its own axis; two antipodes; zero vectors; a text of two halves
    (SAME, 1.0),
    (2 * torch.eye(3)[:, None].expand(3, 4, 3), 0.0),
    (torch.tensor([[[0.6, 0.8]], [[-0.6, -0.8]]]).expand(2, 3, 2), -1.0),
    (torch.eye(4, 3)[:, None].expand(4, 2, 3) - 0.25, None),
    (torch.zeros(2, 3, 4), 0.0),
    (torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [2.0, 0.0]]]), 0.5),
]


@pytest.mark.parametrize(("z", "expected"), CLOSED)
def test_mean_direction_by_hand(z, expected):
    found = losses.mean_direction(z.double(), eps=1e-9).item()
    expected = between(list(z.double()), eps=1e-9) if expected is None else expected
    assert found == pytest.approx(expected, abs=1e-8)
    assert -1 / (len(z) - 1) - 1e-8 <= found <= 1


def test_mean_direction_of_texts_that_point_apart_is_at_its_lowest():
    corners = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]).double()
    found = losses.mean_direction(corners[:, None].expand(4, 3, 3), eps=1e-9).item()
    assert found == pytest.approx(-1 / 3)


@BOTH
def test_one_nan_gives_nan(loss):
    z = tokens(3, 5, 3)
    z[1, 3, 2] = torch.nan
    assert math.isnan(loss(z))


@BOTH
def test_subsample_is_of_each_text(loss):
    z = tokens(4, 6, 3)
    one = lambda: torch.Generator().manual_seed(5)
    whole = loss(z, mask=MASK)
    found = loss(z, mask=MASK, subsample=4, generator=one())
    if loss is CENTRED:  # the centre is that of all tokens
        drawn, kept = batch.prepare(centre.centred(z, "batch", MASK, None), MASK, 4, one())
        assert found == losses.dispersion(drawn, mask=kept)
    else:
        drawn, kept = batch.prepare(z, MASK, 4, one())
        assert found == loss(drawn, mask=kept)
    assert found != whole
    assert loss(z, mask=MASK, subsample=6) == whole
    assert loss(tokens(2, 7, 3), document_ids=PACKED, subsample=2).isfinite()


# --- gradient -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
def test_gradient_of_mean_direction_is_that_of_finite_differences(mask):
    assert torch.autograd.gradcheck(lambda z: losses.mean_direction(z, mask=mask), tokens(4, 6, 3).requires_grad_())


@BOTH
def test_a_small_step_against_the_gradient_lowers_it(loss):
    z = tokens(4, 6, 3)
    g = gradient(loss, z)
    fall = (loss(z) - loss(z - 1e-3 * g / g.norm())).item()
    assert fall > 0
    if loss is not CENTRED:  # whose centre moves with the step
        assert fall == pytest.approx(1e-3 * g.norm().item(), rel=1e-2)


SHARED = torch.eye(64)[0].double()


def shared_and_own(own=0.35, noise=1.5):
    """24 texts of 20 tokens around a vector that all share, each also around one of its own, and noise."""
    each = torch.nn.functional.normalize(tokens(24, 1, 64, shift=0), dim=-1)
    return SHARED + own * each + noise / 8 * tokens(24, 20, 64, seed=1, shift=0)


def share_of_turning_all_to(direction, pushed, z):
    """Share of a force on z that is the one which turns every token towards `direction`, or away from it."""
    u = metrics.unit_rows(z)
    turning = direction - u * (u @ direction)[..., None]
    return (pushed * turning).sum().square() / (pushed.square().sum() * turning.square().sum())


def test_one_pushes_the_shared_vector_and_the_other_all_but_that():
    z = shared_and_own()
    shares = [share_of_turning_all_to(SHARED, gradient(f, z), z) for f in (losses.mean_direction, CENTRED)]
    assert shares[0] > 0.95
    assert shares[1] < 0.01
    assert 0.4 < share_of_turning_all_to(SHARED, gradient(losses.dispersion, z), z) < 0.9


def parts(z):
    """Mean cosine between texts, and within a text without the vector that all share."""
    own = metrics.mean_cosine(z * (1 - SHARED)).off_diagonal.mean().item()
    return np.array([losses.mean_direction(z, eps=1e-9).item(), own])


@pytest.mark.parametrize(("loss", "lowered"), [(losses.mean_direction, 0), (CENTRED, 1)], ids=["shared", "own"])
def test_descent_lowers_its_own_part_and_leaves_the_other(loss, lowered):
    z = shared_and_own()
    before = parts(z)
    assert before.min() > 0.04
    for _ in range(60):
        g = gradient(loss, z)
        z = z - 0.01 * z.norm() * g / g.norm()
        if parts(z)[lowered] < before[lowered] / 2:
            break
    change = parts(z) / before
    assert change[lowered] < 0.5
    assert change[1 - lowered] == pytest.approx(1, abs=0.05)


# --- precision and edges --------------------------------------------------------------------------------------------

EDGES = {
    "identical": torch.tensor([0.3, -1.7, 5.0, 0.1]).expand(2, 9, 4),
    "long": 9e3 * torch.ones(2, 9, 4),
    "short": 1e-6 * torch.ones(2, 9, 4),
    "antipodes": torch.tensor([[[0.3, -1.7], [-0.3, 1.7]], [[0.3, -1.7], [-0.3, 1.7]]]),
    "zero": torch.zeros(2, 3, 4),
    "one zero": torch.tensor([[[1.0, 2.0], [0.0, 0.0]], [[1.0, 1.0], [2.0, 1.0]]]),
    "mostly zero": torch.eye(4)[:3].repeat(2, 1, 1).index_fill(1, torch.tensor([0, 1]), 0.0),
    "nearly identical": 1 + 1e-3 * tokens(2, 9, 4).float(),
    "two tokens": tokens(2, 2, 4).float(),
}


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_value_and_gradient_are_finite(loss, dtype):
    for edge, z in EDGES.items():
        found, on_z = loss(z.to(dtype)), gradient(loss, z.to(dtype))
        assert (found.dtype, on_z.dtype) == (torch.float32, dtype)
        assert found.isfinite(), edge
        assert on_z.isfinite().all(), edge


@BOTH
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_is_reduced_in_float32(loss, dtype):
    z = 30 * tokens(2, 40, 16).to(dtype)  # squared norms overflow float16
    assert torch.equal(loss(z), loss(z.float()))
    torch.testing.assert_close(gradient(loss, z), gradient(loss, z.float()).to(dtype), rtol=0, atol=0)


@BOTH
@pytest.mark.parametrize("how", [{}, {"document_ids": torch.arange(40).expand(2, 40) // 15}], ids=["rows", "packed"])
def test_autocast_changes_nothing(loss, how):
    z = tokens(2, 40, 16).float()
    expected = loss(z, **how), gradient(partial(loss, **how), z)
    z = z.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(z, **how)
    torch.testing.assert_close((found, *torch.autograd.grad(found, z)), expected, rtol=0, atol=0)


@BOTH
def test_float64_stays_float64(loss):
    assert loss(tokens(2, 3, 2)).dtype == torch.float64


@BOTH
@pytest.mark.parametrize("shape", [(2, 400, 8), (2, 8, 400)], ids=str)
def test_nothing_of_n_by_n_or_d_by_d_is_kept(loss, shape):
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        loss(tokens(*shape).requires_grad_())
    assert max(kept) == 2 * 400 * 8


# --- bad input ------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("how", "found"),
    [
        ({}, 1),
        ({"mask": torch.tensor([[1, 1, 1, 1], [0, 0, 1, 0]])}, 1),
        ({"mask": torch.zeros(2, 4)}, 0),
        ({"document_ids": torch.tensor([[0, 0, 0, 1]])}, 1),
        ({"document_ids": torch.tensor([[0, 1, 2, 3]])}, 0),
    ],
    ids=["one row", "one is hidden", "all are hidden", "one document", "documents of one token"],
)
def test_one_text_is_refused(loss, how, found):
    z = tokens(len(how.get("mask", [0])), 4, 3)
    assert not losses.has_pairs(z, **how, least=2)
    several = rf"the batch has {found} of two tokens or more\. Give .*two.* or more"
    expected = several if found or loss is CENTRED or "document_ids" in how else "The mask leaves no sequence two"
    with pytest.raises(ValueError, match=expected):
        loss(z, **how)


@BOTH
def test_bad_tokens_and_masks_are_refused(loss):
    loss = partial(unchecked(losses.dispersion), centre="batch") if loss is CENTRED else unchecked(loss)
    z = tokens(2, 4, 3)
    with pytest.raises(ValueError, match=r"mask must be \(2, 4\)"):
        loss(z, mask=torch.ones(2, 5))
    with pytest.raises(ValueError, match="subsample must be at least 2, got 1"):
        loss(z, subsample=1)
    with pytest.raises(ValueError, match="of floats"):
        loss(torch.ones(2, 4, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match="document_ids must be whole numbers"):
        loss(z, document_ids=torch.ones(2, 4))
    with pytest.raises(ValueError, match="eps must lie between"):
        loss(z, eps=0.0)


@pytest.mark.parametrize(
    ("name", "options", "least"),
    [
        ("mean_direction", {"eps": 0.1}, 2),
        ("dispersion", {"centre": "batch"}, 2),
        ("dispersion", {"centre": torch.ones(3), "order": 1}, 1),
        ("dispersion", {}, 1),
        (None, {}, 1),
    ],
)
def test_who_needs_two_texts(name, options, least):
    assert losses.least_texts(losses.get(name, **options) if name else None) == least
    if name and least == 1:
        assert losses.get(name, **options)(tokens(1, 4, 3)).isfinite()


def test_it_is_one_of_the_losses():
    z = tokens(3, 4, 3)
    assert losses.get("mean_direction", eps=0.5)(z) == losses.mean_direction(z, eps=0.5)
    assert losses.Loss("mean_direction")(z, torch.ones(3, 4)) == losses.mean_direction(z)
    with pytest.raises(ValueError, match="Unknown option of mean_direction 'centre'"):
        losses.get("mean_direction", centre="batch")
