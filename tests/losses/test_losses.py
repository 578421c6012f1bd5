"""Losses against double loops in float64, finite differences, cases known by hand, and their symmetries."""

import math

import collapse
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import unchecked

from decondense import losses, metrics
from decondense.losses import batch

# Tokens are drawn at any scale here. Which losses are flat on which, and say so, has a section of its own.
pytestmark = pytest.mark.filterwarnings(r"ignore:\w+ (is flat on|pushes no) :UserWarning")

NAMES = ("dispersion", "decorrelation", "decorrelation_tokens", "l2_repel", "orthogonalization")
ORIGINS = ("wang_he_l2", "wang_he_cosine", "wang_he_hinge", "wang_he_covariance")
ANGULAR = ("dispersion", "orthogonalization", "wang_he_cosine")  # of the directions alone, as eps goes to 0
CLAMPED = ("dispersion", "orthogonalization")
EVERY = pytest.mark.parametrize("name", NAMES + ORIGINS)


# --- the formulas of the docstrings, pair by pair -------------------------------------------------------------------


def pairs(n, diagonal=False):
    return [(i, j) for i in range(n) for j in range(n) if diagonal or i != j]


def cosine(a, b, eps):
    return a @ b / ((math.sqrt(a @ a) + eps) * (math.sqrt(b @ b) + eps))


def angle(a, b, clamp, eps, acute=False):
    return math.acos(min(max(cosine(a, b, eps), clamp if acute else -1 + clamp), 1 - clamp)) / math.pi


def dispersion(z, temperature=1.0, clamp=0.1, eps=0.01, acute=False):
    found = [math.exp(-angle(z[i], z[j], clamp, eps, acute) / temperature) for i, j in pairs(len(z))]
    return math.log(np.mean(found))


def orthogonalization(z, clamp=0.1, eps=0.01):
    return np.mean([max(0, 0.5 - angle(z[i], z[j], clamp, eps)) ** 2 for i, j in pairs(len(z))])


def squared_distance(a, b):
    return (a - b) @ (a - b)


def wang_he_l2(z, temperature=1.0):
    terms = [math.exp(-squared_distance(z[i], z[j]) / temperature) for i, j in pairs(len(z), diagonal=True)]
    return math.log(np.mean(terms))


def l2_repel(z, temperature=1.0, norm_weight=0.1):
    return wang_he_l2(z, temperature) + norm_weight * np.mean(z**2)


def wang_he_cosine(z, temperature=1.0, eps=0.01):
    terms = [math.exp(cosine(z[i], z[j], eps) / temperature) for i, j in pairs(len(z), diagonal=True)]
    return math.log(np.mean(terms))


def wang_he_hinge(z, margin=1.0):
    return np.mean([max(0, margin - squared_distance(z[i], z[j])) ** 2 for i, j in pairs(len(z), diagonal=True)])


def decorrelation(z, eps=0.001):
    columns = [(column - column.mean()) / (column.std() + eps) for column in z.T]
    squares = [np.mean(columns[a] * columns[b]) ** 2 for a, b in pairs(len(columns))]
    return np.mean(squares) if squares else 0.0


def decorrelation_tokens(z, eps=0.001):
    rows = [(row - row.mean()) / (row.std() + eps) for row in z]
    return np.mean([np.mean(rows[i] * rows[j]) ** 2 for i, j in pairs(len(rows))])


def wang_he_covariance(z):
    centred = z - z.mean(0)
    return sum(np.mean(centred[:, a] * centred[:, b]) ** 2 for a, b in pairs(z.shape[1]))


def reference(name, z, **options):
    """The mean over the sequences of the double loop."""
    return np.mean([globals()[name](sequence, **options) for sequence in z.detach().double().numpy()])


VARIANTS = [
    *((name, {}) for name in NAMES + ORIGINS),
    *((name, {"temperature": t}) for name in ("dispersion", "l2_repel", *ORIGINS[:2]) for t in (0.2, 3.0)),
    *((name, {"clamp": c}) for name in CLAMPED for c in (0.01, 0.25, 0.6)),
    *((name, {"eps": 0.7}) for name in (*ANGULAR, "decorrelation", "decorrelation_tokens")),
    ("dispersion", {"temperature": 0.3, "clamp": 0.3, "eps": 0.2}),
    *(("dispersion", {"acute": True} | more) for more in ({}, {"clamp": 1e-4, "temperature": 0.3}, {"clamp": 0.4})),
    ("l2_repel", {"norm_weight": 0.0}),
    ("l2_repel", {"norm_weight": 2.5, "temperature": 2.0}),
    ("wang_he_hinge", {"margin": 4.0}),
]
EVERY_VARIANT = pytest.mark.parametrize(
    ("name", "options"), VARIANTS, ids=lambda v: v if isinstance(v, str) else str(v)
)


def tokens(*shape, seed=0, scale=1.0, shift=0.3):
    z = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return scale * (z + shift)


def gradient(loss, z):
    z = z.detach().clone().requires_grad_()
    return torch.autograd.grad(loss(z), z)[0]


def value(name, z, **options):
    return losses.get(name, **options)(z).item()


# --- value ----------------------------------------------------------------------------------------------------------


@EVERY_VARIANT
def test_value_is_that_of_the_double_loop(name, options):
    z = tokens(3, 6, 2)
    assert value(name, z, **options) == pytest.approx(reference(name, z, **options), rel=1e-11, abs=1e-13)


@EVERY
def test_value_of_other_shapes_is_that_of_the_double_loop(name):
    for shape in ((1, 2, 3), (2, 3, 7), (1, 5, 1)):
        z = tokens(*shape)
        assert value(name, z) == pytest.approx(reference(name, z), rel=1e-11, abs=1e-13), shape


def test_cut_cosines_are_among_those_compared():
    z = tokens(3, 6, 2)[0].numpy()
    cosines = [cosine(z[i], z[j], 0.01) for i, j in pairs(6)]
    assert min(cosines) < -0.9
    assert max(cosines) > 0.9
    assert sum(abs(c) < 0.9 for c in cosines) > 6


A = math.acos(0.9) / math.pi  # the smallest angular distance that the usual clamp leaves
EXACT = {"eps": 1e-9}
CLOSED = {  # identical tokens (3, 4, 0); basis vectors of length 2 in R^4; (0.6, 0.8) and its antipode; zero vectors
    "dispersion": (-A, -1 / 2, -(1 - A), -1 / 2, EXACT),
    "orthogonalization": ((1 / 2 - A) ** 2, 0, 0, 0, EXACT),
    "wang_he_cosine": (1, math.log((4 * math.e + 12) / 16), math.log(math.cosh(1)), 0, EXACT),
    "wang_he_l2": (0, math.log((4 + 12 * math.exp(-8)) / 16), math.log((1 + math.exp(-4)) / 2), 0, {}),
    "l2_repel": (2.5 / 3, math.log((4 + 12 * math.exp(-8)) / 16) + 0.1, math.log((1 + math.exp(-4)) / 2) + 0.05, 0, {}),
    "wang_he_hinge": (1, 1 / 4, 1 / 2, 1, {}),
    "wang_he_covariance": (0, 12 / 16, 2 * 0.48**2, 0, {}),
    "decorrelation": (0, 1 / 9, 1, 0, EXACT),
    "decorrelation_tokens": (1, 1 / 9, 1, 0, EXACT),
}
SETS = {
    "identical": torch.tensor([3.0, 4.0, 0.0]).expand(1, 5, 3),
    "basis": 2 * torch.eye(4)[None],
    "antipodes": torch.tensor([[[0.6, 0.8], [-0.6, -0.8]]]),
    "zero": torch.zeros(1, 3, 2),
}


@EVERY
def test_value_by_hand(name):
    *expected, options = CLOSED[name]
    found = [value(name, z.double(), **options) for z in SETS.values()]
    assert found == pytest.approx(expected, abs=1e-7)


@EVERY
def test_one_nan_gives_nan(name):
    for place in ((0, 0, 0), (1, 3, 2)):
        z = tokens(2, 5, 3)
        z[place] = torch.nan
        assert math.isnan(value(name, z))


@EVERY
def test_sequences_are_averaged(name):
    z = tokens(3, 6, 4, scale=0.5)
    each = [value(name, sequence[None]) for sequence in z]
    assert value(name, z) == pytest.approx(np.mean(each), rel=1e-12)
    assert len({round(v, 6) for v in each}) == 3


def test_decorrelation_is_that_of_numpys_correlations():
    z = tokens(1, 9, 5)
    for name, by_column in (("decorrelation", False), ("decorrelation_tokens", True)):
        r = np.corrcoef(z[0].numpy(), rowvar=by_column)
        expected = np.mean(r[~np.eye(len(r), dtype=bool)] ** 2)
        assert value(name, z, eps=1e-12) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("shape", [(2, 9, 4), (2, 4, 9)])
def test_the_two_decorrelations_are_each_others_transpose(shape):
    z = tokens(*shape)
    assert value("decorrelation", z) == pytest.approx(value("decorrelation_tokens", z.mT), rel=1e-11)
    assert value("decorrelation", z) != pytest.approx(value("decorrelation_tokens", z), rel=0.1)


def test_l2_repel_is_wang_he_l2_with_a_norm():
    z = tokens(2, 6, 4)
    assert value("l2_repel", z, norm_weight=0.0) == pytest.approx(value("wang_he_l2", z), rel=1e-13)
    more = value("l2_repel", z, norm_weight=0.5) - value("wang_he_l2", z)
    assert more == pytest.approx(0.5 * z.square().mean().item(), rel=1e-12)


# --- gradient -------------------------------------------------------------------------------------------------------


def in_band(*shape):
    """Tokens whose cosines the clamp does not cut."""
    return torch.eye(shape[1], shape[2], dtype=torch.float64) + 0.25 * tokens(*shape, shift=0.1)


@EVERY_VARIANT
def test_gradient_is_that_of_finite_differences(name, options):
    options = {k: v for k, v in options.items() if (k, v) != ("clamp", 0.6)}
    loss, z = losses.get(name, **options), in_band(2, 4, 5)
    assert torch.autograd.gradcheck(loss, z.requires_grad_())


@EVERY
@pytest.mark.parametrize("shape", [(2, 6, 3), (2, 3, 6)])
def test_gradient_with_a_mask_is_that_of_finite_differences(name, shape):
    z, mask = in_band(*shape), torch.ones(*shape[:2])
    mask[0, 1] = 0
    wide = {"clamp": 0.001} if name in CLAMPED else {}  # more tokens than dimensions: cosines reach further
    assert torch.autograd.gradcheck(lambda z: losses.get(name, **wide)(z, mask=mask), z.requires_grad_())


def straight_through(z, clamp, eps):
    """Angular distances of the pairs i != j; the clamp cuts the value and hands the gradient on as it is."""
    u = z / (z.norm(dim=-1, keepdim=True) + eps)
    c = u @ u.mT
    c = c[:, ~torch.eye(z.shape[1], dtype=torch.bool)]
    return (c + (c.clamp(-1 + clamp, 1 - clamp) - c).detach()).arccos() / math.pi


def straight_dispersion(z, temperature=1.0, clamp=0.1, eps=0.01):
    return (-straight_through(z, clamp, eps) / temperature).exp().mean(1).log().mean()


def cut_dispersion(z, temperature=1.0, clamp=0.1, eps=0.01, **_):
    """Of acute pairs: PyTorch's own clamp hands no gradient on outside of its band."""
    u = z / (z.norm(dim=-1, keepdim=True) + eps)
    c = (u @ u.mT)[:, ~torch.eye(z.shape[1], dtype=torch.bool)].clamp(clamp, 1 - clamp)
    return (-c.arccos() / math.pi / temperature).exp().mean(1).log().mean()


def straight_orthogonalization(z, clamp=0.1, eps=0.01):
    return (0.5 - straight_through(z, clamp, eps)).clamp_min(0).square().mean()


@pytest.mark.parametrize(("name", "options"), [v for v in VARIANTS if v[0] in CLAMPED], ids=str)
def test_gradient_through_the_clamp_is_that_at_the_edge_of_the_band(name, options):
    z = tokens(3, 6, 2)
    kind = "cut" if "acute" in options else "straight"
    expected = gradient(lambda z: globals()[f"{kind}_{name}"](z, **options), z)
    torch.testing.assert_close(gradient(losses.get(name, **options), z), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("degrees", "pushed"), [(1.0, False), (30.0, True), (80.0, True), (91.0, False), (170.0, False)]
)
def test_acute_pushes_pairs_at_an_acute_angle_alone(degrees, pushed):
    angle = math.radians(degrees)
    z = torch.tensor([[[1.0, 0.0], [math.cos(angle), math.sin(angle)]]], dtype=torch.float64)
    usual, acute = (losses.get("dispersion", clamp=0.01, eps=1e-12, acute=acute) for acute in (False, True))
    assert bool(gradient(acute, z).any()) is pushed
    assert gradient(usual, z).any()


@pytest.mark.parametrize("order", [None, 1, 2])
def test_acute_is_the_usual_loss_where_all_pairs_are_acute(order):
    z = tokens(2, 5, 8, scale=0.3, shift=2.0)  # cosines of about 0.8
    usual, acute = (losses.get("dispersion", clamp=0.05, order=order, acute=acute) for acute in (False, True))
    assert acute(z).item() == usual(z).item()
    torch.testing.assert_close(gradient(acute, z), gradient(usual, z), rtol=1e-12, atol=0)


def test_acute_with_a_clamp_that_leaves_no_cosine_is_refused():
    with pytest.raises(ValueError, match=r"clamp must be below 0\.5, got 0\.5"):
        losses.dispersion(tokens(1, 3, 2), acute=True, clamp=0.5)


@pytest.mark.parametrize("degrees", [1e-3, 5.0, 20.0, 160.0, 179.0])
def test_gradient_of_one_pair_outside_the_band_by_hand(degrees):
    # The loss of one pair is -arccos(c) / (pi temperature): its slope in c is that at |c| = 0.9, the slope of c in
    # the angle is the true one.
    temperature, theta = 0.5, torch.tensor(math.radians(degrees), dtype=torch.float64, requires_grad=True)
    z = torch.stack([torch.stack([theta.cos(), theta.sin()]), torch.tensor([2.0, 0.0], dtype=torch.float64)])[None]
    losses.dispersion(z, temperature=temperature, eps=1e-12).backward()
    expected = -math.sin(math.radians(degrees)) / (math.pi * temperature * math.sqrt(1 - 0.9**2))
    assert theta.grad.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", CLAMPED)
def test_value_outside_the_band_is_that_at_its_edge(name):
    narrow = [[1.0, 0.0], [1.0, 0.01]]
    edge = [[1.0, 0.0], [0.9, math.sqrt(1 - 0.81)]]
    found = [value(name, torch.tensor([z], dtype=torch.float64), eps=1e-12) for z in (narrow, edge)]
    assert found[0] == pytest.approx(found[1], abs=1e-10)


@pytest.mark.parametrize("name", ANGULAR)
def test_tokens_that_nearly_coincide_are_pushed_apart(name):
    z = torch.tensor([1.0, 2.0, 3.0]) + 1e-3 * tokens(1, 6, 3, shift=0)
    apart = z - z.mean(1, keepdim=True)
    assert (gradient(losses.get(name, **EXACT), z) * apart).sum(-1).lt(0).all()


@pytest.mark.parametrize("name", [n for n in NAMES + ORIGINS if n not in ("wang_he_covariance", *NAMES[1:3])])
def test_a_second_derivative_is_refused(name):
    z = tokens(2, 4, 3).requires_grad_()
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(losses.get(name)(z), z, create_graph=True)


# --- descent --------------------------------------------------------------------------------------------------------


def descend(loss, z, steps=40, rate=0.03):
    """The values on the way, and the tokens at the end."""
    z = z.detach().clone().requires_grad_()
    optimiser = torch.optim.Adam([z], lr=rate)
    values = []
    for _ in range(steps):
        optimiser.zero_grad()
        values.append(loss(z))
        values[-1].backward()
        optimiser.step()
    return [*(v.item() for v in values), loss(z).item()], z.detach()


def cone():
    return torch.tensor([1.0, 2.0, 0.5, -1.0]) + 0.3 * tokens(2, 10, 4, shift=0)


@EVERY
def test_a_small_step_against_the_gradient_lowers_it_as_much_as_the_gradient_says(name):
    loss, z = losses.get(name), in_band(2, 4, 5)
    g = gradient(loss, z)
    step = 1e-4 / g.norm()
    fall = (loss(z) - loss(z - step * g)).item()
    assert fall == pytest.approx(1e-4 * g.norm().item(), rel=1e-2)


@EVERY
def test_descent_lowers_it(name):
    values, _ = descend(losses.get(name), cone())
    assert values[-1] < values[0] - 0.2 * abs(values[0])


@pytest.mark.parametrize("name", ANGULAR)
def test_descent_spreads_a_cone(name):
    z = cone()
    _, after = descend(losses.get(name), z)
    before, after = metrics.mean_cosine(z).off_diagonal, metrics.mean_cosine(after).off_diagonal
    assert before.gt(0.9).all()
    assert after.lt(0.5).all()


def test_dispersion_drives_two_tokens_to_antipodes():
    _, z = descend(losses.dispersion, tokens(1, 2, 3), steps=150, rate=0.05)
    assert metrics.mean_cosine(z).off_diagonal.item() < -0.9


def test_orthogonalization_stops_at_right_angles():
    start = torch.tensor([1.0, 1.0, 1.0]) + 0.1 * tokens(1, 3, 3)
    values, z = descend(losses.orthogonalization, start, steps=200)
    assert values[-1] < 1e-5
    assert -0.15 < metrics.mean_cosine(z).off_diagonal.item() < 0.02
    _, z = descend(losses.dispersion, start, steps=200)
    assert metrics.mean_cosine(z).off_diagonal.item() < -0.4  # three tokens can come down to -1/2


def test_orthogonalization_leaves_wide_angles_alone():
    z = torch.tensor([[[1.0, 0.0], [-0.1, 1.0], [-1.0, -0.5]]])
    assert value("orthogonalization", z[:, :2]) == 0
    assert gradient(losses.orthogonalization, z[:, :2]).eq(0).all()
    assert gradient(losses.dispersion, z[:, :2]).ne(0).any()


# --- collapse and half precision ------------------------------------------------------------------------------------

EDGES = {
    "identical": torch.tensor([0.3, -1.7, 5.0, 0.1]).expand(2, 9, 4),
    "long": 9e3 * torch.ones(1, 9, 4),
    "short": 1e-6 * torch.ones(1, 9, 4),
    "antipodes": torch.tensor([[[0.3, -1.7], [-0.3, 1.7], [0.3, -1.7], [-0.3, 1.7]]]),
    "zero": torch.zeros(2, 3, 4),
    "one zero": torch.tensor([[[1.0, 2.0], [0.0, 0.0], [2.0, 1.0]]]),
    "nearly identical": 1 + 1e-3 * tokens(2, 9, 4).float(),
    "one feature": tokens(2, 9, 1).float(),
    "two tokens": tokens(2, 2, 4).float(),
}


@EVERY
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_value_and_gradient_are_finite(name, dtype):
    for edge, z in EDGES.items():
        found, on_z = losses.get(name)(z.to(dtype)), gradient(losses.get(name), z.to(dtype))
        assert (found.dtype, on_z.dtype) == (torch.float32, dtype)
        assert found.isfinite(), edge
        assert on_z.isfinite().all(), edge


@pytest.mark.parametrize("name", ["dispersion", "l2_repel", "wang_he_l2", "wang_he_cosine"])
def test_the_lowest_temperature_is_finite(name):
    loss = losses.get(name, temperature=losses.LOWEST_TEMPERATURE)
    for edge, few in EDGES.items():
        z = few.repeat(1, 40, 1)
        assert gradient(loss, z).isfinite().all(), edge
        assert loss(z).item() == pytest.approx(loss(z.double()).item(), rel=1e-4, abs=1e-4), edge


@pytest.mark.parametrize("name", ANGULAR)
def test_tokens_so_long_that_cosines_are_exactly_one(name):
    z = 3e8 * SETS["antipodes"].repeat(1, 2, 1)
    assert batch.directions(z, losses.EPS).square().sum(-1).max() >= 1
    assert losses.get(name)(z).isfinite()
    assert gradient(losses.get(name), z).isfinite().all()


@EVERY
@pytest.mark.parametrize("shape", [(1, 400, 8), (1, 8, 400)], ids=str)
def test_nothing_of_n_by_n_or_d_by_d_is_kept(name, shape):
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        losses.get(name)(tokens(*shape).requires_grad_())
    assert max(kept) == 400 * 8


@EVERY
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_is_reduced_in_float32(name, dtype):
    z = tokens(2, 40, 16, scale=30.0 if dtype == torch.float16 else 1.0).to(dtype)  # squared norms overflow float16
    assert torch.equal(losses.get(name)(z), losses.get(name)(z.float()))
    expected = gradient(losses.get(name), z.float())
    torch.testing.assert_close(gradient(losses.get(name), z), expected.to(dtype), rtol=0, atol=0)


@EVERY
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_autocast_changes_nothing(name, dtype):
    for shape in ((2, 40, 16), (2, 16, 40)):
        z, mask = tokens(*shape).to(dtype), torch.arange(shape[1]).expand(2, -1) < 15
        loss = lambda z, mask=mask: losses.get(name)(z, mask=mask)
        expected = loss(z), gradient(loss, z)
        z = z.requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            found = loss(z)
        assert found.dtype == torch.float32
        torch.testing.assert_close((found, *torch.autograd.grad(found, z)), expected, rtol=0, atol=0)


@EVERY
def test_float64_stays_float64(name):
    assert losses.get(name)(tokens(1, 3, 2)).dtype == torch.float64


@EVERY
def test_float32_is_close_to_float64_where_tokens_are_condensed(name):
    z = (5 + 0.03 * tokens(2, 300, 256)).float()  # distances near 1 between vectors of norm 80
    assert value(name, z) == pytest.approx(value(name, z.double()), rel=2e-4, abs=1e-6)


@pytest.mark.parametrize(("name", "bound"), [("wang_he_l2", math.log(1 / 4)), ("wang_he_hinge", 1 / 4)])
def test_rounding_makes_no_distance_negative(name, bound):
    z = tokens(1, 4, 64, scale=100.0).float().repeat(1, 2, 1)  # four tokens, each twice
    assert value(name, z) <= bound + 1e-6


# --- flat losses ----------------------------------------------------------------------------------------------------

GAUSSIAN = torch.randn(1, 64, 768, generator=torch.Generator().manual_seed(0))  # squared distances near 2 * 768
FLAT = [
    ("wang_he_l2", {}, "wang_he_l2 pushes no tokens apart here: .* about 2e+03, and exp.-distance / 1. is lost "),
    ("l2_repel", {}, "l2_repel pushes no tokens apart here: .* Set temperature near 2e+03"),
    ("wang_he_hinge", {}, "wang_he_hinge is flat on these tokens: .* about 2e+03, are beyond the margin 1"),
    ("wang_he_hinge", {"margin": 900.0}, "beyond the margin 900. Set the margin near 2e+03"),
    ("wang_he_cosine", {"temperature": 0.03, "eps": 1e-6}, "at temperature 0.03 all pairs .* Set a higher temp"),
]  # fmt: skip
STEEP = [
    *((name, {}) for name in NAMES + ORIGINS if name not in ("wang_he_l2", "wang_he_hinge", "l2_repel")),
    ("wang_he_l2", {"temperature": 1500.0}),
    ("l2_repel", {"temperature": 1500.0}),
    ("wang_he_hinge", {"margin": 1500.0}),
    ("dispersion", {"temperature": losses.LOWEST_TEMPERATURE}),
]
LOUD = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize(("name", "options", "why"), FLAT)
@pytest.mark.parametrize("mask", [None, torch.arange(64)[None] < 50], ids=["all", "masked"])
def test_a_flat_loss_says_why(name, options, why, mask):
    with pytest.warns(UserWarning, match=why.replace("+", r"\+")):
        losses.get(name, **options)(GAUSSIAN, mask=mask)
    repulsion = options | ({"norm_weight": 0.0} if name == "l2_repel" else {})
    with pytest.warns(UserWarning, match=r"^\w+ (is flat on|pushes no) "):
        pushed = gradient(lambda z: losses.get(name, **repulsion)(z, mask=mask), GAUSSIAN)
    assert pushed.norm() * GAUSSIAN.norm() < 1e-4  # what a move as large as the tokens themselves would gain


@LOUD
@pytest.mark.parametrize(("name", "options"), STEEP)
def test_a_loss_that_is_not_flat_says_nothing(name, options):
    loss = losses.get(name, **options)
    pushed = gradient(loss, GAUSSIAN)
    if name != "orthogonalization":  # half of the angles are beyond 90 degrees, and the other half is near
        assert pushed.norm() * GAUSSIAN.norm() > 1e-2


@LOUD
@EVERY
def test_tokens_that_coincide_are_no_flat_loss(name):
    losses.get(name)(torch.ones(2, 5, 4))


@LOUD
def test_wide_angles_are_the_minimum_of_orthogonalization():
    assert losses.orthogonalization(torch.eye(5)[None]) < 1e-12


@LOUD
def test_one_sequence_that_is_not_flat_is_enough():
    losses.wang_he_l2(torch.cat([GAUSSIAN, 0.01 * GAUSSIAN]))


# --- mask -----------------------------------------------------------------------------------------------------------

MASK = torch.tensor([[1, 1, 1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 0, 1, 1, 0], [1, 1, 0, 0, 0, 0, 0, 0]])


@EVERY
def test_padding_takes_no_part(name):
    z = tokens(3, 8, 4)
    cut = [s[m.bool()][None] for s, m in zip(z, MASK, strict=True)]
    padded = z.masked_fill(MASK[..., None] == 0, torch.nan)
    loss = lambda z: losses.get(name)(z, mask=MASK)
    expected = np.mean([value(name, sequence) for sequence in cut])
    assert loss(padded).item() == pytest.approx(expected, rel=1e-11)
    on_z = gradient(loss, padded)
    assert on_z[MASK == 0].eq(0).all()
    for g, m, sequence in zip(on_z, MASK, cut, strict=True):
        torch.testing.assert_close(3 * g[m.bool()], gradient(losses.get(name), sequence)[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", [torch.bool, torch.float32], ids=str)
def test_a_mask_may_be_of_any_kind(kind):
    z = tokens(3, 8, 4)
    assert losses.dispersion(z, mask=MASK.to(kind)) == losses.dispersion(z, mask=MASK)


@EVERY
def test_a_sequence_of_one_token_is_left_out(name):
    z, mask = tokens(3, 6, 4), torch.ones(3, 6)
    mask[1, 1:] = 0
    z[1, 0] = torch.nan
    loss = lambda z: losses.get(name)(z, mask=mask)
    assert loss(z).item() == pytest.approx(value(name, z[[0, 2]]), rel=1e-12)
    assert gradient(loss, z)[1].eq(0).all()


@EVERY
def test_a_mask_of_ones_is_no_mask(name):
    z = tokens(2, 6, 4)
    assert losses.get(name)(z, mask=torch.ones(2, 6)).item() == pytest.approx(value(name, z), rel=1e-13)


@EVERY
def test_mask_with_collapsed_tokens_is_finite(name):
    z = torch.ones(3, 8, 4)
    loss = lambda z: losses.get(name)(z, mask=MASK)
    assert loss(z).isfinite()
    assert gradient(loss, z).isfinite().all()


# --- subsample ------------------------------------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
def test_subsample_is_the_loss_of_what_is_drawn(name, mask):
    z = tokens(3, 8, 4)
    one = lambda: torch.Generator().manual_seed(5)
    drawn, kept = batch.prepare(z, mask, 4, one())
    found = losses.get(name)(z, mask=mask, subsample=4, generator=one())
    assert found == losses.get(name)(drawn, mask=kept)
    assert found == losses.get(name, subsample=4, generator=one())(z, mask=mask)
    assert found != losses.get(name)(z, mask=mask)


@EVERY
def test_a_subsample_of_all_is_exact(name):
    z = tokens(3, 8, 4)
    for count in (8, 50):
        assert losses.get(name)(z, mask=MASK, subsample=count) == losses.get(name)(z, mask=MASK)


@pytest.mark.parametrize(("name", "tolerance"), [("orthogonalization", 0.002), ("dispersion", 0.01)])
def test_subsample_is_the_whole_on_average(name, tolerance):
    z = tokens(1, 30, 4, shift=1.0)
    exact = value(name, z)
    many = z.expand(4000, -1, -1)  # as many draws
    torch.manual_seed(0)
    assert losses.get(name, subsample=8)(many).item() == pytest.approx(exact, abs=tolerance)


# --- symmetries and bounds ------------------------------------------------------------------------------------------


def given_tokens(*names):
    """Run `test(name, z, rng)` for these losses on 15 random batches each."""

    def decorator(test):
        @pytest.mark.parametrize("name", names)
        @settings(max_examples=15, derandomize=True)
        @given(n=st.integers(2, 9), d=st.integers(1, 5), seed=st.integers(0, 10_000))
        def drawn(name, n, d, seed):
            rng = np.random.default_rng(seed)
            test(name, tokens(2, n, d, seed=seed, scale=rng.uniform(0.2, 3)), rng)

        return drawn

    return decorator


def assert_same(name, z, other, **options):
    assert value(name, other, **options) == pytest.approx(value(name, z, **options), rel=1e-8, abs=1e-10)


@given_tokens(*NAMES, *ORIGINS)
def test_order_of_tokens_does_not_matter(name, z, rng):
    assert_same(name, z, z[:, torch.from_numpy(rng.permutation(z.shape[1]))])


@given_tokens(*NAMES, *ORIGINS)
def test_order_of_features_does_not_matter(name, z, rng):
    assert_same(name, z, z[..., torch.from_numpy(rng.permutation(z.shape[2]))])


def rotation(d, seed=0):
    return torch.from_numpy(np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0])


BY_FEATURE = ("decorrelation", "decorrelation_tokens", "wang_he_covariance")


@given_tokens(*(name for name in NAMES + ORIGINS if name not in BY_FEATURE))
def test_rotation_does_not_matter(name, z, rng):
    assert_same(name, z, z @ rotation(z.shape[2], rng.integers(1000)))


@pytest.mark.parametrize("name", BY_FEATURE)
def test_rotation_matters_where_features_count(name):
    z = tokens(1, 9, 4)
    assert value(name, z @ rotation(4)) != pytest.approx(value(name, z), rel=0.05)


SCALED = (*ANGULAR, "decorrelation", "decorrelation_tokens")


@given_tokens(*SCALED)
def test_scale_does_not_matter_for_angles_and_correlations(name, z, rng):
    assert_same(name, z, float(rng.uniform(0.1, 10)) * z, eps=1e-12)


@given_tokens(*SCALED)
def test_scale_of_one_token_or_feature_does_not_matter_for_them(name, z, rng):
    shape = (2, 1, z.shape[2]) if name == "decorrelation" else (2, z.shape[1], 1)
    assert_same(name, z, z * torch.from_numpy(rng.uniform(0.1, 10, shape)), eps=1e-12)


def scaled_options(name, s):
    """The options and the factor with which a loss of s z is that of z."""
    return {
        "wang_he_l2": ({"temperature": s**2}, 1),
        "l2_repel": ({"temperature": s**2, "norm_weight": 0.1 / s**2}, 1),
        "wang_he_hinge": ({"margin": s**2}, s**4),
        "wang_he_covariance": ({}, s**4),
    }[name]


@given_tokens("wang_he_l2", "l2_repel", "wang_he_hinge", "wang_he_covariance")
def test_scale_of_the_others_goes_with_their_options(name, z, rng):
    s = float(rng.uniform(0.5, 2))
    options, factor = scaled_options(name, s)
    assert value(name, s * z, **options) == pytest.approx(factor * value(name, z), rel=1e-9, abs=1e-12)


@given_tokens("wang_he_l2", "wang_he_hinge", "wang_he_covariance", "decorrelation")
def test_a_common_shift_does_not_matter_for_distances_and_covariances(name, z, rng):
    assert_same(name, z, z + torch.from_numpy(rng.normal(0, 3, (2, 1, z.shape[2]))))


def bounds(name, z):
    n = z.shape[1]
    return {
        "dispersion": (-(1 - A), -A),
        "orthogonalization": (0, 0.25),
        "l2_repel": (-math.log(n) + 0.1 * z.square().mean().item(), 0.1 * z.square().mean().item()),
        "wang_he_l2": (-math.log(n), 0),
        "wang_he_cosine": (-1, 1),
        "wang_he_hinge": (1 / n, 1),
        "wang_he_covariance": (0, math.inf),
        "decorrelation": (0, 1),
        "decorrelation_tokens": (0, 1),
    }[name]


@given_tokens(*NAMES, *ORIGINS)
def test_bounds(name, z, rng):
    low, high = bounds(name, z)
    assert low - 1e-12 <= value(name, z) <= high + 1e-12


@pytest.mark.parametrize("temperature", [0.02, 0.3, 4.0])
def test_bounds_of_dispersion_go_with_clamp_and_temperature(temperature):
    narrow, wide = SETS["identical"].double(), SETS["antipodes"].double()
    edge = math.acos(1 - 0.25) / math.pi
    options = {"temperature": temperature, "clamp": 0.25, "eps": 1e-9}
    assert value("dispersion", narrow, **options) == pytest.approx(-edge / temperature)
    assert value("dispersion", wide, **options) == pytest.approx(-(1 - edge) / temperature)


def test_the_papers_sum_is_log_of_the_number_of_pairs_more():
    z = tokens(1, 7, 3)
    d = straight_through(z, 0.1, 0.01)
    assert value("dispersion", z) + math.log(7 * 6) == pytest.approx((-d).exp().sum().log().item(), rel=1e-12)


# --- registry, module and bad input ---------------------------------------------------------------------------------


def test_names():
    assert losses.names()[:10] == [*NAMES, *ORIGINS, "mean_direction"]  # the last has tests of its own: test_between
    assert set(losses.names()[10:]) == set(collapse.NAMES)  # as these: test_shared


@EVERY
def test_get_gives_the_function(name):
    z = tokens(2, 4, 3)
    assert losses.get(name)(z) == getattr(losses, name)(z)


def test_get_sets_options():
    z = tokens(2, 4, 3)
    found = losses.get("dispersion", temperature=0.5, clamp=0.3)(z)
    assert found == losses.dispersion(z, temperature=0.5, clamp=0.3)
    assert found != losses.dispersion(z)


@pytest.mark.parametrize("make", [losses.get, losses.Loss])
def test_unknown_loss_names_the_nearest(make):
    with pytest.raises(ValueError, match=r"Unknown loss 'dispersoin'\. Did you mean 'dispersion'\? Known: disp"):
        make("dispersoin")


@pytest.mark.parametrize("make", [losses.get, losses.Loss])
def test_unknown_option_names_the_nearest(make):
    expected = r"Unknown option of dispersion 'temprature'\. Did you mean 'temperature'\? Known: subsample, generator, "
    with pytest.raises(ValueError, match=expected):
        make("dispersion", temprature=0.5)


@pytest.mark.parametrize("option", ["temperature", "mask", "z", "margin"])
def test_an_option_of_another_loss_is_unknown(option):
    with pytest.raises(ValueError, match=f"Unknown option of decorrelation '{option}'.*subsample, generator, eps"):
        losses.get("decorrelation", **{option: 1.0})


def test_module_is_the_function():
    z = tokens(3, 8, 4)
    module = losses.Loss("dispersion", temperature=0.5)
    assert module(z) == losses.dispersion(z, temperature=0.5)
    assert module(z, MASK) == module(z, mask=MASK) == losses.dispersion(z, mask=MASK, temperature=0.5)
    assert losses.Loss()(z) == losses.dispersion(z)


def test_module_has_no_parameters_and_says_what_it_is():
    module = losses.Loss("l2_repel", temperature=0.5, norm_weight=0.2)
    assert not list(module.parameters())
    assert not module.state_dict()
    assert repr(module) == "Loss('l2_repel', temperature=0.5, norm_weight=0.2)"


WEIGHTS = {"dispersion": 0.1, "koleo": 0.02, "vicreg": 3}


def test_several_losses_are_their_weighted_sum():
    z, mask = tokens(2, 6, 4), torch.tensor([[1] * 6, [1] * 4 + [0] * 2])
    expected = sum(weight * losses.get(name)(z, mask=mask) for name, weight in WEIGHTS.items())
    assert losses.combined(WEIGHTS)(z, mask=mask).item() == pytest.approx(expected.item(), rel=1e-12)
    push = sum(weight * gradient(losses.get(name), z) for name, weight in WEIGHTS.items())
    torch.testing.assert_close(gradient(losses.combined(WEIGHTS), z), push, rtol=1e-9, atol=1e-12)


def test_views_go_to_the_losses_that_take_them():
    z, views = tokens(2, 6, 4), tokens(2, 6, 4, seed=1)
    expected = losses.info_nce(z, views=views) + 2 * losses.cosine(z)
    assert losses.combined({"info_nce": 1, "cosine": 2})(z, views=views).item() == pytest.approx(expected.item())
    assert losses.Loss("info_nce")(z, views=views) == losses.info_nce(z, views=views)


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        ({}, "^No loss given. Give one or more, such as"),
        ({"dispersoin": 1.0}, "Unknown loss 'dispersoin'. Did you mean 'dispersion'"),
        *(
            ({"koleo": bad}, f"^The weight of koleo must be above 0, got {bad!r}")
            for bad in (-1.0, 0, math.inf, math.nan)
        ),
        ({"koleo": True}, "^The weight of koleo must be above 0, got True"),
        ({"koleo": "much"}, "^The weight of koleo must be above 0, got 'much'"),
    ],
)
def test_a_bad_table_of_losses_is_refused(weights, why):
    with pytest.raises(ValueError, match=why):
        unchecked(losses.combined)(weights)


@pytest.mark.parametrize(
    ("loss", "texts", "views"),
    [
        (None, 1, False),
        (losses.get("dispersion"), 1, False),
        (losses.get("dispersion", centre="batch"), 2, False),
        (losses.get("mean_direction"), 2, False),
        (losses.get("vicreg"), 2, False),
        (losses.get("sigreg", slices=3), 1, False),
        (losses.get("barlow"), 1, True),
        (losses.combined({"dispersion": 1, "covariance": 1}), 2, False),
        (losses.combined({"dispersion": 1, "info_nce": 1}), 1, True),
        (losses.combined({"dispersion": 1}), 1, False),
        (lambda z, **how: z.sum(), 1, False),
    ],
)
def test_what_a_loss_needs(loss, texts, views):
    assert losses.least_texts(loss) == texts if loss is not None else True
    assert losses.needs_views(loss) is views


@pytest.mark.parametrize(
    ("loss", "subsample", "texts", "why"),
    [
        (losses.get("dispersion", temperature=0.001), None, 2, "temperature must lie"),
        (losses.get("koleo"), 1, 2, "subsample must be at least 2"),
        (losses.get("vicreg"), None, 1, "vicreg is of the tokens of a whole batch"),
        (losses.get("sigreg"), 4, 2, "for which 8 tokens are too few"),
        (losses.combined({"cosine": 1, "variance": 1}), None, 1, "variance is of the tokens"),
    ],
)
def test_a_trial_refuses_what_the_loss_would(loss, subsample, texts, why):
    with pytest.raises(ValueError, match=why):
        losses.trial(loss, subsample, texts)


@pytest.mark.parametrize("name", losses.names())
def test_a_trial_leaves_the_global_random_state(name):
    before = torch.get_rng_state()
    losses.trial(losses.get(name), 8)
    assert torch.equal(torch.get_rng_state(), before)


BAD = [
    *(("temperature", t, n) for t in (0.0, -1.0, 0.0199, math.inf, math.nan) for n in ("dispersion", "l2_repel")),
    *(("temperature", 0.0, n) for n in ("wang_he_l2", "wang_he_cosine")),
    *(("clamp", c, n) for c in (0.0, 1.0, -0.1, 1.5, math.nan) for n in CLAMPED),
    *(("eps", 0.0, n) for n in SCALED),
    ("eps", -0.01, "dispersion"),
    *(("margin", m, "wang_he_hinge") for m in (0.0, -1.0)),
    *(("norm_weight", w, "l2_repel") for w in (-0.1, math.inf)),
]


@pytest.mark.parametrize(("option", "bad", "name"), BAD)
def test_a_bad_option_is_refused(option, bad, name):
    with pytest.raises(ValueError, match=rf"^{option} must lie between .* and .*, got {bad}\.$"):
        losses.get(name, **{option: bad})(tokens(1, 4, 3))


@EVERY
def test_bad_tokens_and_masks_are_refused_by_all(name):
    loss, z = unchecked(losses.LOSSES[name]), tokens(2, 4, 3)
    with pytest.raises(ValueError, match="z has 1 token"):
        loss(z[:, :1])
    with pytest.raises(ValueError, match="leaves no sequence two tokens"):
        loss(z, mask=torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"mask must be \(2, 4\)"):
        loss(z, mask=torch.ones(2, 5))
    with pytest.raises(ValueError, match="subsample must be at least 2, got 1"):
        loss(z, subsample=1)
    with pytest.raises(ValueError, match="of floats"):
        loss(torch.ones(2, 4, 3, dtype=torch.int64))
