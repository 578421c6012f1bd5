"""What the package says of all losses, for those against collapse: formula, gradient, mask, documents, precision."""

import math

import numpy as np
import pytest
import torch
from collapse import NAMES, OF_A_TEXT, gradient, of, other, reference, tokens
from toys import unchecked

from decondense import losses
from decondense.losses import batch

EVERY = pytest.mark.parametrize("name", NAMES)
VARIANTS = [
    *((name, {}) for name in NAMES),
    *((name, {"eps": 0.4}) for name in NAMES),
    ("cosine", {"n_squared": True}),
    *(("uniformity", {"t": t}) for t in (0.1, 5.0)),
    *(("hyperspherical_energy", {"power": power}) for power in (0.5, 2.0, 4.0)),
    *(("simctg", {"margin": margin}) for margin in (0.3, 1.5)),
    *(("log_det", {"distortion": distortion}) for distortion in (0.1, 2.0)),
    *(("rank_floor", {"floor": floor}) for floor in (0.95, 1.0)),
    *(("info_nce", {"temperature": temperature}) for temperature in (0.02, 1.0)),
    *(("variance", {"margin": margin}) for margin in (0.9, 2.0)),
    ("vicreg", {"variance_weight": 0.0}),
    ("vicreg", {"covariance_weight": 3.0, "margin": 0.95}),
    ("isoscore", {"isotropic": False}),
    *(("sigreg", {"slices": slices}) for slices in (1, 16)),
    ("barlow", {"off_diagonal": 1.0}),
]
VARIED = pytest.mark.parametrize(("name", "options"), VARIANTS, ids=lambda v: v if isinstance(v, str) else str(v))


# --- formula and gradient -------------------------------------------------------------------------------------------


@VARIED
@pytest.mark.parametrize("shape", [(2, 12, 5), (2, 9, 14)], ids=str)
def test_value_is_that_of_the_formula(name, options, shape):
    z = tokens(*shape)
    assert of(name, **options)(z).item() == pytest.approx(reference(name, z, **options), rel=1e-9, abs=1e-12)


@VARIED
@pytest.mark.parametrize("shape", [(2, 9, 3), (2, 8, 10)], ids=str)
def test_gradient_is_that_of_finite_differences(name, options, shape):
    z = tokens(*shape, seed=3)
    assert gradient(of(name, **options), z).norm() > 1e-6
    assert torch.autograd.gradcheck(of(name, **options), z.requires_grad_(), eps=1e-6, atol=1e-6, rtol=1e-6)


@EVERY
def test_descent_lowers_it(name):
    z = (torch.linspace(1, -1, 6).double() + 0.3 * tokens(2, 12, 6, shift=0)).requires_grad_()
    loss, optimiser = of(name), torch.optim.Adam([z], lr=0.03)
    before = loss(z).item()
    for _ in range(30):
        optimiser.zero_grad()
        loss(z).backward()
        optimiser.step()
    assert loss(z).item() < before - 0.1 * abs(before)


# --- which tokens take part -----------------------------------------------------------------------------------------

MASK = torch.zeros(3, 12).long()
for row, seen in enumerate((range(9), (0, 2, 3, 4, 6, 7, 9, 10, 11), (5, 6))):
    MASK[row, list(seen)] = 1
IDS = torch.tensor([[0] * 5 + [4] * 7, [1, 1, 2, 1, 2, 2, 2, 1, 2, 1, 1, 3], [5] * 12])
TEXTS = [tokens(3, 12, 4)[row][m.bool()] for row, m in enumerate(MASK)]


def views(name, z):
    """Views of their own, through which no gradient goes to z."""
    return {"views": other(z)} if losses.needs_views(losses.get(name)) else {}


@EVERY
def test_padding_takes_no_part_whatever_it_holds(name):
    padded = tokens(3, 12, 4).masked_fill(MASK[..., None] == 0, torch.nan)
    loss = lambda z: of(name)(z, mask=MASK, **views(name, padded))
    assert loss(padded).item() == pytest.approx(reference(name, TEXTS), rel=1e-9, abs=1e-12)
    found = gradient(loss, padded)
    assert found[MASK == 0].eq(0).all()
    assert found[MASK == 1].ne(0).any()
    torch.testing.assert_close(found, gradient(loss, tokens(3, 12, 4)), rtol=1e-12, atol=1e-15)


@EVERY
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
def test_packed_documents_are_texts(name, mask):
    z = tokens(3, 12, 4)
    seen = torch.ones_like(IDS) if mask is None else mask
    texts = [row[(one == i) & (m == 1)] for row, one, m in zip(z, IDS, seen, strict=True) for i in one.unique()]
    found = of(name)(z, mask=mask, document_ids=IDS).item()
    assert found == pytest.approx(reference(name, [text for text in texts if len(text) > 1]), rel=1e-9, abs=1e-12)


@EVERY
def test_documents_in_rows_of_their_own_have_the_same_gradient(name):
    z, ids = tokens(1, 20, 4), torch.tensor([[0] * 10 + [1] * 10])
    packed = gradient(lambda z: of(name)(z, document_ids=ids), z)
    torch.testing.assert_close(packed.view(2, 10, 4), gradient(of(name), z.view(2, 10, 4)), rtol=1e-9, atol=1e-12)


@EVERY
def test_a_sequence_of_one_token_is_left_out(name):
    z, mask = tokens(3, 12, 4), torch.ones(3, 12)
    mask[1, 1:], z[1, 0] = 0, torch.nan
    assert of(name)(z, mask=mask).item() == pytest.approx(reference(name, z[[0, 2]]), rel=1e-9)
    assert gradient(lambda x: of(name)(x, mask=mask, **views(name, z)), z)[1].eq(0).all()


@EVERY
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
def test_subsample_is_the_loss_of_what_is_drawn(name, mask):
    z, one, twin = tokens(3, 12, 4), torch.Generator().manual_seed(5), torch.Generator().manual_seed(5)
    drawn, kept = batch.prepare(z, mask, 8, one)
    found = of(name)(z, mask=mask, subsample=8, generator=twin)
    assert found == of(name)(drawn, mask=kept, generator=one)
    assert found != of(name)(z, mask=mask)
    assert of(name)(z, mask=MASK, subsample=12) == of(name)(z, mask=MASK)


@EVERY
def test_order_of_tokens_does_not_matter(name):
    z = tokens(2, 12, 4)
    mixed = z[:, torch.randperm(12, generator=torch.Generator().manual_seed(1))]
    assert of(name)(mixed).item() == pytest.approx(of(name)(z).item(), rel=1e-9)


@EVERY
def test_texts_are_averaged_or_taken_together(name):
    z = tokens(3, 12, 4) + torch.tensor([0.0, 1.0, -1.0]).view(3, 1, 1)
    each = [reference(name, [text]) for text in z]
    assert math.isclose(of(name)(z).item(), np.mean(each), rel_tol=1e-9) is (name in OF_A_TEXT)


# --- collapse, precision and memory ---------------------------------------------------------------------------------

EDGES = {
    "identical": torch.tensor([0.3, -1.7, 5.0, 0.1]).expand(2, 9, 4),
    "long": 9e3 * torch.ones(2, 9, 4),
    "short": 1e-6 * torch.ones(2, 9, 4),
    "antipodes": torch.tensor([[0.3, -1.7], [-0.3, 1.7]]).repeat(2, 5, 1),
    "zero": torch.zeros(2, 9, 4),
    "one zero": torch.tensor([[1.0, 2.0], [0.0, 0.0], [2.0, 1.0]]).repeat(2, 3, 1),
    "nearly identical": 1 + 1e-3 * tokens(2, 9, 4).float(),
    "one feature": tokens(2, 9, 1).float(),
    "one huge": torch.cat([3e4 * torch.ones(2, 1, 4), tokens(2, 9, 4).float()], 1),
}


@EVERY
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_value_and_gradient_are_finite(name, edge, dtype):
    z = EDGES[edge].to(dtype)
    found, on_z = of(name)(z), gradient(of(name), z)
    assert (found.dtype, on_z.dtype) == (torch.float32, dtype)
    assert found.isfinite()
    assert on_z.isfinite().all()


@EVERY
@pytest.mark.parametrize("place", [(0, 0, 0), (1, 3, 2)], ids=str)
@pytest.mark.parametrize("shape", [(2, 9, 4), (2, 9, 12)], ids=str)
def test_one_nan_gives_nan(name, place, shape):
    z = tokens(*shape)
    z[place] = torch.nan
    assert math.isnan(of(name)(z))
    assert of(name)(z.float().requires_grad_()).isnan()


@EVERY
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_is_reduced_in_float32(name, dtype):
    z = tokens(2, 40, 16, scale=30.0 if dtype == torch.float16 else 1.0).to(dtype)
    loss = lambda x: of(name)(x, **views(name, z))
    assert torch.equal(loss(z), loss(z.float()))
    half, full = gradient(loss, z), gradient(loss, z.float())
    torch.testing.assert_close(half, full.to(dtype), rtol=0, atol=0)


@EVERY
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("shape", [(2, 40, 16), (2, 16, 40)], ids=str)
def test_autocast_changes_nothing(name, dtype, shape):
    z, mask = tokens(*shape).to(dtype).requires_grad_(), torch.arange(shape[1]).expand(2, -1) < 15
    loss = lambda: of(name)(z, mask=mask)
    usual = loss()
    expected = usual.detach(), *torch.autograd.grad(usual, z)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss()
    assert found.dtype == torch.float32
    torch.testing.assert_close((found.detach(), *torch.autograd.grad(found, z)), expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "sigreg"])  # its lines in float64 are others
def test_float32_is_close_to_float64_where_tokens_are_condensed(name):
    z = (5 + 0.3 * tokens(2, 100, 32)).float()
    assert of(name)(z).item() == pytest.approx(of(name)(z.double()).item(), rel=1e-3, abs=1e-6)


@EVERY
def test_float64_stays_float64(name):
    assert of(name)(tokens(2, 9, 2)).dtype == torch.float64


# Of 1,200 tokens of 6 features, or 6 tokens of 1,200, nothing larger may be kept than the tokens themselves; random
# lines are a number a token and line, a complex one.
@EVERY
@pytest.mark.parametrize("shape", [(2, 600, 6), (2, 8, 450)], ids=str)
def test_nothing_of_n_by_n_or_d_by_d_is_kept(name, shape):
    z, kept = tokens(*shape).requires_grad_(), []
    how = {"slices": 6} if name == "sigreg" else {}
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        of(name, **how)(z)
    assert max(kept) <= z.numel() * (2 if views(name, z) else 1) + (shape[2] ** 2 if name == "barlow" else 0)


# --- where there is nothing to push ---------------------------------------------------------------------------------

GAUSSIAN = torch.randn(2, 64, 768, generator=torch.Generator().manual_seed(0))
FLOORS = ("simctg", "rank_floor")  # 0, the least that they can be, where tokens are spread: they ask for no more


@EVERY
@pytest.mark.filterwarnings("error")
def test_no_loss_is_flat_but_at_its_floor(name):
    spread = gradient(of(name), GAUSSIAN)
    assert bool(spread.any()) is (name not in FLOORS)
    assert name not in FLOORS or of(name)(GAUSSIAN) == 0
    assert gradient(of(name), GAUSSIAN + 2).norm() * GAUSSIAN.norm() > 1e-2  # a cone: what a loss is there for


# --- what is refused ------------------------------------------------------------------------------------------------


@EVERY
def test_bad_tokens_and_masks_are_refused(name):
    z, loss = tokens(2, 9, 3), unchecked(losses.LOSSES[name])
    if name in ("info_nce", "barlow"):
        loss = of(name)  # the shape of a mask is looked at in the same place
    with pytest.raises(ValueError, match="z has 1 token"):
        loss(z[:, :1])
    with pytest.raises(ValueError, match="leaves no sequence two tokens"):
        loss(z, mask=torch.zeros(2, 9))
    if loss is unchecked(losses.LOSSES[name]):
        with pytest.raises(ValueError, match=r"mask must be \(2, 9\)"):
            loss(z, mask=torch.ones(2, 5))
    with pytest.raises(ValueError, match="subsample must be at least 2, got 1"):
        loss(z, subsample=1)
    with pytest.raises(ValueError, match=r"two tokens.* Give at least one"):
        of(name)(z, document_ids=torch.arange(9).expand(2, -1))


BAD = [
    *((name, "eps", bad) for name in NAMES for bad in (0.0, -0.01, math.nan)),
    *(("uniformity", "t", bad) for bad in (0.0, -1.0, 50.0, math.inf)),
    *(("hyperspherical_energy", "power", bad) for bad in (0.0, 9.0)),
    *((name, "margin", bad) for name in ("simctg", "variance", "vicreg") for bad in (0.0, -1.0)),
    *(("vicreg", f"{part}_weight", bad) for part in ("variance", "covariance") for bad in (-0.1, math.inf)),
    *(("log_det", "distortion", bad) for bad in (0.0, -1.0)),
    *(("rank_floor", "floor", bad) for bad in (0.0, 1.1)),
    *(("info_nce", "temperature", bad) for bad in (0.0, 0.01)),
    ("barlow", "off_diagonal", -1.0),
]


@pytest.mark.parametrize(("name", "option", "bad"), BAD)
def test_an_option_out_of_its_range_is_refused(name, option, bad):
    with pytest.raises(ValueError, match=rf"^{option} must lie between .* and .*, got {bad}\.$"):
        of(name, **{option: bad})(tokens(2, 9, 3))
