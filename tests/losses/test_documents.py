"""Packed rows: the loss of documents behind one another is that of the documents in rows of their own."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import unchecked

from decondense import losses
from decondense.losses import documents

pytestmark = pytest.mark.filterwarnings(r"ignore:\w+ (is flat on|pushes no) :UserWarning")
OF_ONE_TEXT = losses.names()[: losses.names().index("mean_direction")]  # the others: `test_between`, `test_shared`
EVERY = pytest.mark.parametrize("name", OF_ONE_TEXT)
PACKED = torch.tensor([[0, 0, 0, 0, 1, 1, 1], [0, 0, 1, 2, 2, 2, 2]])  # of 4, 3; 2, 1, 4 tokens


def tokens(*shape, seed=0, scale=0.5):
    return scale * (0.3 + torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


def apart(z, ids, mask=None):
    """The visible tokens of each document of two or more, each a batch of one row."""
    mask = torch.ones_like(ids).bool() if mask is None else mask.bool()
    rows = [row[seen & (one == i)] for row, one, seen in zip(z, ids, mask, strict=True) for i in one.unique()]
    return [row[None] for row in rows if len(row) > 1]


def value_and_gradient(loss, z):
    z = z.detach().clone().requires_grad_()
    value = loss(z)
    return value.detach(), torch.autograd.grad(value, z)[0]


def assert_is_that_of_rows_of_their_own(loss, z, ids, mask=None):
    found = value_and_gradient(lambda z: loss(z, mask=mask, document_ids=ids), z)
    expected = value_and_gradient(lambda z: torch.stack([loss(row) for row in apart(z, ids, mask)]).mean(), z)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-13)


# --- the loss -------------------------------------------------------------------------------------------------------


@EVERY
def test_packed_documents_are_rows_of_their_own(name):
    z = tokens(2, 7, 4)
    assert_is_that_of_rows_of_their_own(losses.get(name), z, PACKED)
    pooled, own = losses.get(name)(z).item(), losses.get(name)(z, document_ids=PACKED).item()
    assert pooled != pytest.approx(own, rel=0.01)


@EVERY
def test_a_packed_row_of_two_is_their_mean(name):
    a, b = tokens(1, 5, 3, seed=1), tokens(1, 3, 3, seed=2, scale=0.8)
    ids = torch.tensor([[0] * 5 + [1] * 3])
    found = losses.get(name)(torch.cat([a, b], dim=1), document_ids=ids).item()
    assert found == pytest.approx((losses.get(name)(a).item() + losses.get(name)(b).item()) / 2, rel=1e-12)


@EVERY
def test_masked_tokens_are_of_no_document(name):
    z, mask = tokens(2, 7, 4), torch.tensor([[0, 1, 1, 0, 1, 1, 0], [1, 0, 1, 1, 1, 1, 1]])
    assert_is_that_of_rows_of_their_own(losses.get(name), z, PACKED, mask)
    hidden = z.masked_fill(mask[..., None] == 0, torch.nan)
    found = value_and_gradient(lambda z: losses.get(name)(z, mask=mask, document_ids=PACKED), hidden)
    expected = value_and_gradient(lambda z: losses.get(name)(z, mask=mask, document_ids=PACKED), z)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@EVERY
def test_one_document_a_row_is_no_packing(name):
    z = tokens(3, 6, 4)
    for ids in (torch.zeros(3, 6).long(), torch.tensor([[7], [7], [-2]]).expand(3, 6)):
        found = losses.get(name)(z, document_ids=ids).item()
        assert found == pytest.approx(losses.get(name)(z).item(), rel=1e-12)


@settings(max_examples=30, derandomize=True)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 40), many=st.integers(1, 9), hidden=st.booleans())
def test_any_documents_in_any_order(seed, n, many, hidden):
    rng = np.random.default_rng(seed)
    ids = torch.from_numpy(rng.integers(-3, many, (2, n)) * 10**6)
    mask = torch.from_numpy(rng.random((2, n)) < 0.8) if hidden else None
    z = tokens(2, n, 3, seed=seed)
    if losses.has_pairs(z, mask, ids):
        for name in ("dispersion", "wang_he_covariance"):
            assert_is_that_of_rows_of_their_own(losses.get(name), z, ids, mask)
    else:
        assert not apart(z, ids, mask)


def test_a_number_that_comes_back_is_the_same_document():
    z, ids = tokens(1, 6, 3), torch.tensor([[0, 0, 1, 1, 0, 0]])
    together = torch.tensor([0, 1, 4, 5, 2, 3])
    found = losses.dispersion(z, document_ids=ids).item()
    assert found == pytest.approx(losses.dispersion(z[:, together], document_ids=ids[:, together]).item(), rel=1e-12)


def test_no_token_feels_another_document():
    z = tokens(1, 9, 4)
    ids = torch.tensor([[0, 0, 0, 0, 1, 1, 1, 1, 1]])
    moved = z.clone()
    moved[:, 4:] = 100 * tokens(1, 5, 4, seed=3)
    gradients = [value_and_gradient(lambda z: losses.dispersion(z, document_ids=ids), one)[1] for one in (z, moved)]
    torch.testing.assert_close(gradients[0][:, :4], gradients[1][:, :4], rtol=1e-12, atol=0)


def test_a_module_takes_documents():
    z = tokens(2, 7, 4)
    assert losses.Loss()(z, None, PACKED) == losses.dispersion(z, document_ids=PACKED)


@pytest.mark.parametrize("order", [1, 2])
def test_expansions_are_by_document(order):
    assert_is_that_of_rows_of_their_own(losses.get("dispersion", order=order), tokens(2, 7, 4), PACKED)


def test_subsample_is_of_each_document():
    z, ids = tokens(1, 40, 4), torch.tensor([[0] * 30 + [1] * 4 + [2] * 6])
    z[0, 30:34], z[0, 34:] = torch.ones(4), torch.eye(6, 4)  # too short to be drawn from: always whole
    whole = [losses.dispersion(row).item() for row in apart(z, ids)]
    drawn = losses.dispersion(z, document_ids=ids, subsample=6, generator=torch.Generator().manual_seed(0)).item()
    part = 3 * drawn - whole[1] - whole[2]
    few = [losses.dispersion(z[:, [*pick]]).item() for pick in ((0, 1, 2, 3, 4, 5), (6, 9, 12, 15, 18, 21))]
    assert part != pytest.approx(whole[0], rel=1e-3)
    assert abs(part - np.mean(few)) < 0.2
    _, gradient = value_and_gradient(
        lambda z: losses.dispersion(z, document_ids=ids, subsample=6, generator=torch.Generator().manual_seed(0)), z
    )
    assert gradient[0, :30].ne(0).any(-1).sum() == 6


@EVERY
def test_half_precision_is_reduced_in_float32(name):
    z = tokens(2, 7, 4).bfloat16()
    found = value_and_gradient(lambda z: losses.get(name)(z, document_ids=PACKED), z)
    exact = losses.get(name)(z.float(), document_ids=PACKED)
    assert (found[0].dtype, found[1].dtype) == (torch.float32, torch.bfloat16)
    assert found[0] == exact


# --- memory ---------------------------------------------------------------------------------------------------------


def test_padding_at_most_doubles_the_tokens():
    lengths = [1000] + [2] * 500 + [3, 17, 33, 65, 129]
    ids = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))[None]
    groups = list(documents._gathered(torch.zeros(1, ids.shape[1], 1), None, ids))
    assert sum(mask.numel() for _, mask in groups) < 2 * ids.shape[1]
    assert sum(mask.sum().item() for _, mask in groups) == ids.shape[1]
    assert sorted(n for _, mask in groups for n in mask.sum(1).tolist()) == sorted(lengths)


def test_nothing_of_documents_by_longest_is_kept():
    ids = torch.arange(201).repeat_interleave(torch.tensor([400] + [2] * 200))[None]
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        losses.dispersion(tokens(1, 800, 8).requires_grad_(), document_ids=ids)
    assert max(kept) == 400 * 8  # of either group; one padded batch would keep 201 * 400 * 8


# --- where documents begin ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ([0, 1, 2, 0, 1, 0], [0, 0, 0, 1, 1, 2]),
        ([0, 1, 2, 3], [0, 0, 0, 0]),
        ([5, 6, 7], [0, 0, 0]),  # a row that begins within a document
        ([0, 1, 2, 5, 6], [0, 0, 0, 1, 1]),
        ([0, 0, 0], [0, 1, 2]),
        ([1, 1, 0, 1, 2], [0, 1, 2, 2, 2]),  # padded on the left, as `generate` has it
        ([0, 1, 0, 0, 0], [0, 0, 1, 2, 3]),  # padded on the right
    ],
)
def test_documents_begin_where_positions_do(positions, expected):
    assert losses.document_ids(torch.tensor([positions])).tolist() == [expected]


def test_each_row_begins_anew():
    assert losses.document_ids(torch.tensor([[0, 1, 0], [2, 0, 1]])).tolist() == [[0, 0, 1], [0, 1, 1]]


def test_padding_without_a_mask_is_left_out():
    z, positions = tokens(1, 9, 4), torch.tensor([[0, 1, 2, 3, 0, 1, 2, 0, 0]])
    found = losses.dispersion(z, document_ids=losses.document_ids(positions)).item()
    expected = [losses.dispersion(z[:, :4]).item(), losses.dispersion(z[:, 4:7]).item()]
    assert found == pytest.approx(np.mean(expected), rel=1e-12)


@pytest.mark.parametrize("shape", [(4,), (3, 1, 4)])
def test_positions_of_another_rank_are_refused(shape):
    with pytest.raises(ValueError, match=r"^position_ids must be \(batch, tokens\), got \("):
        unchecked(losses.document_ids)(torch.zeros(shape).long())


@pytest.mark.parametrize(
    ("ends", "expected"),
    [([0, 3, 5], [0, 0, 0, 1, 1]), ([0, 5], [0] * 5), ([0, 1, 1, 5], [0, 2, 2, 2, 2])],
)
def test_documents_end_where_cumulated_lengths_say(ends, expected):
    found = losses.document_ids_from_lengths(torch.tensor(ends, dtype=torch.int32), 5)
    assert found.tolist() == [expected]


@pytest.mark.parametrize(
    ("ends", "wrong"),
    [
        ([0, 3, 4], "go from 0 to the 5 tokens"),
        ([1, 5], "go from 0 to the 5 tokens"),
        ([5], "go from 0 to the 5 tokens"),
        ([0, 4, 3, 5], "not go down"),
    ],
)
def test_cumulated_lengths_of_another_row_are_refused(ends, wrong):
    with pytest.raises(ValueError, match=rf"^cu_seq_lens must {wrong}.*, got \["):
        losses.document_ids_from_lengths(torch.tensor(ends), 5)


# --- pairs, and bad input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "ids", "expected"),
    [
        (None, None, True),
        ([[1, 1, 0], [0, 0, 0]], None, True),
        ([[1, 0, 0], [0, 0, 1]], None, False),
        (None, [[0, 1, 2], [0, 1, 1]], True),
        (None, [[0, 1, 2], [0, 1, 2]], False),  # equal numbers of different rows are different documents
        ([[1, 1, 1], [1, 1, 0]], [[0, 1, 2], [0, 1, 1]], False),
    ],
)
@EVERY
def test_without_a_pair_every_loss_refuses(name, mask, ids, expected):
    mask, ids = (None if x is None else torch.tensor(x) for x in (mask, ids))
    z = tokens(2, 3, 4)
    assert losses.has_pairs(z, mask, ids) is expected
    if expected:
        assert losses.get(name)(z, mask=mask, document_ids=ids).isfinite()
    else:
        with pytest.raises(ValueError, match=r"two tokens.* Give at least one"):
            losses.get(name)(z, mask=mask, document_ids=ids)


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (0, 5), (2, 0)])
def test_too_short_a_batch_has_no_pairs(shape):
    z = torch.zeros(*shape, 3)
    assert losses.has_pairs(z) is False
    assert losses.has_pairs(z, None, torch.zeros(shape).long()) is False
    with pytest.raises(ValueError, match=r"z has \d (token|sequence)|No document"):
        losses.dispersion(z)


@pytest.mark.parametrize("ids", [torch.zeros(2, 4).long(), torch.zeros(3).long(), torch.zeros(2, 3)])
def test_numbers_of_another_shape_or_kind_are_refused(ids):
    z = tokens(2, 3, 4)
    for refuses in (
        lambda: unchecked(losses.has_pairs)(z, None, ids),
        lambda: list(unchecked(documents._gathered)(z, None, ids)),
    ):
        with pytest.raises(ValueError, match=r"^document_ids must be whole numbers, \(2, 3\) as the tokens of z, got"):
            refuses()
