"""Forces of the losses: against finite differences, in closed cases, and what steps along them do."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from decondense import losses, metrics
from decondense.losses import forces

EXACT = {"eps": 1e-12}  # directions are divided by (norm + eps)
EDGE = np.degrees(np.arccos(1 - losses.CLAMP))  # from here to 180 - EDGE the cosine is not cut
BY_DIRECTION = ("dispersion", "orthogonalization", "wang_he_cosine")
BY_DISTANCE = ("l2_repel", "wang_he_l2", "wang_he_hinge")
OF_ONE_TEXT = losses.names()[: losses.names().index("mean_direction")]  # those of the paper and their origins
NAMES = pytest.mark.parametrize("name", OF_ONE_TEXT)


def spread_out(tokens=6, features=5, seed=0):
    """Tokens of different lengths, none of them within the angle where the straight-through gradient is another."""
    z = torch.from_numpy(np.random.default_rng(seed).normal(size=(tokens, features)))
    z = 0.25 * (z - 0.6 * z.mean(0))  # near enough for the hinge
    u = torch.nn.functional.normalize(z, dim=-1)
    assert ((u @ u.T).abs() - torch.eye(tokens)).max() < 1 - losses.CLAMP
    return z


def along(degrees, names, **options):
    return forces.by_angle(names, np.asarray(degrees, dtype=float), **options)


# --- force ----------------------------------------------------------------------------------------------------------


@NAMES
def test_force_is_minus_the_gradient(name):
    z, h = spread_out(), 1e-6
    loss = losses.get(name)
    found, expected = forces.force(name, z), torch.zeros_like(z)
    for i in range(len(z)):
        for j in range(z.shape[1]):
            step = torch.zeros_like(z)
            step[i, j] = h
            expected[i, j] = -(loss((z + step)[None]) - loss((z - step)[None])) / (2 * h)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-8)
    assert found.abs().max() > 1e-4


@NAMES
def test_force_is_autograds_in_double_precision(name):
    z = forces.cloud(12).float()
    leaf = z.double().requires_grad_()
    losses.get(name)(leaf[None]).backward()
    found = forces.force(name, z)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, -leaf.grad, rtol=0, atol=0)
    assert z.grad is None


def test_options_reach_the_loss():
    z = spread_out()
    assert not torch.equal(forces.force("dispersion", z, temperature=0.5), forces.force("dispersion", z))
    with pytest.raises(ValueError, match="Unknown loss 'dispersal'"):
        forces.force("dispersal", z)
    with pytest.raises(ValueError, match="Unknown option of orthogonalization 'temperature'"):
        forces.force("orthogonalization", z, temperature=0.5)


@pytest.mark.parametrize("name", [*BY_DIRECTION, *BY_DISTANCE])
@given(seed=st.integers(0, 1000))
def test_forces_do_not_turn_the_cloud_as_a_whole(name, seed):
    z = torch.from_numpy(np.random.default_rng(seed).normal(size=(7, 3)))
    torque = torch.linalg.cross(z, forces.force(name, z)).sum(0)
    torch.testing.assert_close(torque, torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["wang_he_l2", "wang_he_hinge", "wang_he_covariance"])
def test_forces_of_distances_do_not_move_the_mean(name):
    torch.testing.assert_close(
        forces.force(name, spread_out()).sum(0), torch.zeros(5, dtype=torch.float64), rtol=0, atol=1e-12
    )


# --- by angle -------------------------------------------------------------------------------------------------------


def test_table_has_a_row_an_angle_and_a_column_a_loss():
    table = forces.by_angle(["dispersion", "l2_repel"])
    assert list(table.columns) == ["dispersion", "l2_repel"]
    np.testing.assert_array_equal(table.index, np.arange(2, 179, 2))
    assert table.index.name == "angle in degrees"
    assert np.isfinite(table.to_numpy()).all()


def test_dispersion_pushes_the_same_at_every_angle_within_the_band():
    """Of two tokens it is minus their angle over pi: a slope of 1 / pi."""
    table = along([26, 60, 90, 120, 154], ["dispersion"], **EXACT)
    np.testing.assert_allclose(table["dispersion"], 1 / np.pi, rtol=1e-9)
    at_90 = along([90], ["dispersion"])["dispersion"].item()
    assert at_90 == pytest.approx(1 / np.pi / (1 + losses.EPS) ** 2, rel=1e-9)  # what the eps of the release leaves


def test_dispersion_beyond_the_band_has_the_slope_of_its_edge():
    degrees = np.array([2, 10, 25, 155, 178])
    expected = np.sin(np.radians(degrees)) / np.sin(np.radians(EDGE)) / np.pi
    np.testing.assert_allclose(along(degrees, ["dispersion"], **EXACT)["dispersion"], expected, rtol=1e-9)


@pytest.mark.parametrize("temperature", [0.25, 2.0])
def test_temperature_divides_the_push_of_two_tokens(temperature):
    table = along([40, 90], ["dispersion"], temperature=temperature, **EXACT)
    np.testing.assert_allclose(table["dispersion"], 1 / np.pi / temperature, rtol=1e-9)


def test_orthogonalization_pushes_up_to_90_degrees_and_never_beyond():
    degrees = np.array([26, 45, 60, 89])
    short = 0.5 - degrees / 180
    np.testing.assert_allclose(along(degrees, ["orthogonalization"], **EXACT)["orthogonalization"], 2 * short / np.pi)
    assert (along([91, 120, 178], ["orthogonalization"]) == 0).all(axis=None)
    assert along([90], ["orthogonalization"]).abs().max(axis=None) < 1e-15


def test_closed_forms_of_the_losses_of_wang_and_he():
    degrees = np.array([2.0, 30, 59, 61, 90, 150, 178])
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    table = along(degrees, ["wang_he_l2", "wang_he_hinge"])
    closeness = np.exp(-2 * (1 - cosine))  # exp(-distance^2)
    np.testing.assert_allclose(table["wang_he_l2"], 2 * sine * closeness / (1 + closeness))
    np.testing.assert_allclose(table["wang_he_hinge"], 2 * sine * np.maximum(0, 1 - 2 * (1 - cosine)), atol=1e-15)
    by_cosine = along(degrees, ["wang_he_cosine"], **EXACT)["wang_he_cosine"]
    np.testing.assert_allclose(by_cosine, sine * np.exp(cosine) / (np.e + np.exp(cosine)))


def test_norms_do_not_push_along_the_circle():
    table = forces.by_angle(["l2_repel", "wang_he_l2"])
    np.testing.assert_allclose(table["l2_repel"], table["wang_he_l2"], rtol=1e-9)


@pytest.mark.parametrize("name", [*BY_DIRECTION, *BY_DISTANCE])
def test_force_by_angle_is_antisymmetric(name):
    degrees = np.array([1.0, 20, 45, 100, 179])
    np.testing.assert_allclose(along(-degrees, [name])[name], -along(degrees, [name])[name], atol=1e-15)


# --- radial share ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BY_DIRECTION)
def test_losses_of_directions_leave_norms_alone(name):
    assert forces.radial_share(name, spread_out(), **EXACT) < 1e-20
    assert 0 < forces.radial_share(name, spread_out()) < 0.01  # for eps


def test_radial_share_is_all_where_only_norms_change():
    same = torch.ones(4, 3)
    assert forces.radial_share("l2_repel", same) == pytest.approx(1)
    assert forces.radial_share("wang_he_l2", same) == 0  # no force, no share


@NAMES
def test_radial_share_is_the_part_along_each_token(name):
    z = spread_out()
    push, u = forces.force(name, z).numpy(), torch.nn.functional.normalize(z, dim=-1).numpy()
    along_tokens = [np.dot(a, b) for a, b in zip(push, u, strict=True)]
    found = forces.radial_share(name, z)
    assert found == pytest.approx(np.square(along_tokens).sum() / np.square(push).sum(), abs=1e-12)
    assert 0 <= found <= 1


# --- cloud and flow -------------------------------------------------------------------------------------------------


def test_cloud_is_on_the_sphere_and_seeded():
    points = forces.cloud(50, seed=3)
    assert points.shape == (50, 3)
    torch.testing.assert_close(points.norm(dim=1), torch.ones(50, dtype=torch.float64))
    assert torch.equal(points, forces.cloud(50, seed=3))
    assert not torch.equal(points, forces.cloud(50, seed=4))


@pytest.mark.parametrize("opening", [2.0, 5.0])
def test_narrow_cloud_has_its_opening_around_the_axis(opening):
    points = forces.cloud(4000, opening).numpy()
    angles = np.degrees(np.arccos((points @ np.ones(3) / 3**0.5).clip(-1, 1)))
    assert np.sqrt((angles**2).mean()) == pytest.approx(opening, rel=0.05)
    np.testing.assert_allclose(points.mean(0), 1 / 3**0.5, atol=0.01)


def test_wider_clouds_are_less_condensed():
    mu = [float(metrics.mean_cosine(forces.cloud(500, opening)).all_pairs) for opening in (5.0, 20.0, 35.0, 60.0)]
    assert mu == sorted(mu, reverse=True)
    assert mu[0] > 0.98
    assert mu[2] < 0.7


@NAMES
def test_each_step_of_a_flow_has_the_same_length(name):
    path = forces.flow(name, forces.cloud(15), steps=6, length=0.03)
    assert path.shape == (7, 15, 3)
    np.testing.assert_array_equal(path[0], forces.cloud(15).numpy())
    lengths = np.sqrt((np.diff(path, axis=0) ** 2).sum(-1).mean(-1))
    np.testing.assert_allclose(lengths, 0.03)


@NAMES
def test_a_short_flow_descends_its_loss(name):
    path = torch.from_numpy(forces.flow(name, forces.cloud(15), steps=4, length=0.005))
    values = [float(losses.get(name)(moment[None])) for moment in path]
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0]


def test_dispersion_spreads_the_cloud_step_by_step():
    path = torch.from_numpy(forces.flow("dispersion", forces.cloud(), steps=10))
    mu = [float(metrics.mean_cosine(moment).all_pairs) for moment in path]
    assert mu == sorted(mu, reverse=True)
    assert mu[-1] < 0.3 < 0.6 < mu[0]


def test_flow_stays_where_there_is_no_force():
    apart = torch.eye(3, dtype=torch.float64)
    path = forces.flow("orthogonalization", apart, steps=3)
    np.testing.assert_allclose(path, np.broadcast_to(np.eye(3), (4, 3, 3)), atol=1e-8)
    same = torch.ones(4, 3, dtype=torch.float64)
    np.testing.assert_array_equal(forces.flow("wang_he_l2", same, steps=2), np.ones((3, 4, 3)))


def test_options_reach_the_flow():
    paths = [forces.flow("dispersion", forces.cloud(), steps=3, temperature=t) for t in (1.0, 0.1)]
    assert np.abs(paths[0][-1] - paths[1][-1]).max() > 1e-3


# --- probe ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def layer():
    """Tokens of different lengths around a common direction, as float32."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(20, 8)) + 2 * rng.normal(size=8)
    return torch.from_numpy(z * rng.uniform(1, 3, (20, 1))).float()


def test_probe_has_a_row_a_loss_and_its_columns(layer):
    table = forces.probe(layer, ["l2_repel", "dispersion"])
    assert list(table.index) == ["l2_repel", "dispersion"]
    assert list(table.columns) == [
        "value", "cosine with l2_repel", "radial share", "share along the mean", "mu after", "change of mu",
        "change of norm in %",
    ]  # fmt: skip


def test_probe_is_one_step_of_the_asked_length(layer):
    z, step = layer.double(), 0.02
    names = [name for name in OF_ONE_TEXT if name != "wang_he_hinge"]  # its tokens are too far apart for a force
    table = forces.probe(layer, names, step)
    before = metrics.mean_cosine(z).all_pairs
    mean = torch.nn.functional.normalize(torch.nn.functional.normalize(z, dim=-1).mean(0), dim=0)
    first = forces.force(names[0], z).flatten()
    for name, row in table.iterrows():
        push = forces.force(name, z)
        after = z + step * z.square().sum().sqrt() * push / push.square().sum().sqrt()
        assert (after - z).norm() == pytest.approx(step * z.norm())
        expected = [
            losses.get(name)(z[None]),
            torch.cosine_similarity(push.flatten(), first, dim=0),
            forces.radial_share(name, z),
            (push @ mean).square().sum() / push.square().sum(),
            metrics.mean_cosine(after).all_pairs,
            metrics.mean_cosine(after).all_pairs - before,
            100 * (after.norm(dim=1).mean() / z.norm(dim=1).mean() - 1),
        ]
        assert row.tolist() == pytest.approx([float(value) for value in expected], abs=1e-9)


def test_one_step_of_dispersion_lowers_mu_and_hardly_changes_norms(layer):
    (row,) = forces.probe(layer, ["dispersion"]).to_dict("records")
    assert row["change of mu"] < -0.005
    assert row["mu after"] - row["change of mu"] == pytest.approx(float(metrics.mean_cosine(layer).all_pairs), abs=1e-6)
    assert row["cosine with dispersion"] == pytest.approx(1)
    assert row["share along the mean"] > 0.1
    assert abs(row["change of norm in %"]) < 1


def test_probe_of_a_loss_without_force_stays(layer):
    apart = torch.eye(4) * torch.tensor([1.0, 2.0, 3.0, 4.0])
    row = forces.probe(apart, ["dispersion", "wang_he_hinge"]).loc["wang_he_hinge"]
    assert row["change of mu"] == row["radial share"] == row["cosine with dispersion"] == 0


# --- in which dimensions, and on which tokens -----------------------------------------------------------------------


def test_angular_and_radial_parts_are_the_force():
    z, push = torch.randn(2, 5, 4, dtype=torch.float64), torch.randn(2, 5, 4, dtype=torch.float64)
    turning = forces.angular(push, z)
    torch.testing.assert_close((turning * z).sum(-1), torch.zeros(2, 5).double(), rtol=0, atol=1e-12)
    rest = push - turning
    torch.testing.assert_close(rest, z * ((push * z).sum(-1) / z.square().sum(-1))[..., None], rtol=1e-12, atol=0)


BATCH = torch.randn(3, 6, 7, generator=torch.Generator().manual_seed(0)).double() + torch.tensor(
    [3.0, 0, 0, -1, 0, 0, 0]
)


@pytest.mark.parametrize("how", [{}, {"centre": "batch"}], ids=["plain", "centred"])
def test_concentration_is_that_of_the_gradient_token_by_token(how):
    loss = losses.get("dispersion", **how)
    (row,) = forces.concentration(BATCH, {"it": loss}, top=(1, 2)).to_numpy()
    leaf = BATCH.clone().requires_grad_()
    push = -torch.autograd.grad(loss(leaf), leaf)[0].numpy()
    u = (BATCH / BATCH.norm(dim=-1, keepdim=True)).numpy()
    mean = u.reshape(-1, 7).mean(0)
    turning = np.array([[p - (p @ v) * v for p, v in zip(*rows, strict=True)] for rows in zip(push, u, strict=True)])
    by_dimension, whole = (turning**2).sum((0, 1)), (turning**2).sum()
    assert np.abs(mean).argsort()[::-1][:2].tolist() == [0, 3]
    along = ((turning @ mean) ** 2).sum() / (mean @ mean) / whole
    size = np.linalg.norm(turning, axis=-1)
    first = np.mean([text[0] / sorted(text[1:])[2] for text in size])
    np.testing.assert_allclose(row, [by_dimension[0] / whole, by_dimension[[0, 3]].sum() / whole, along, first])


def test_concentration_by_hand():
    z = torch.tensor([[3.0, 0, 0], [0, 0, 2], [1, 0, 0], [1, 0, 0]])  # the mean direction is (3, 0, 1) / sqrt(10)
    across = lambda z: -(z * torch.tensor([0.0, 2, 1])).sum()  # turns all by (0, 2, 1), the second by (0, 2, 0)
    table = forces.concentration(z, {"across": across, "norms": lambda z: z.square().sum()}, top=(1, 2, 3))
    assert list(table.columns) == ["in top 1", "in top 2", "in top 3", "along the mean", "first token"]
    assert table.loc["across"].tolist() == pytest.approx([0, 3 / 19, 1, 0.3 / 19, 1])
    assert table.loc["norms"].isna().all()


def test_a_long_first_token_feels_little():
    """The gradient of a loss of directions is inverse to the norm."""
    first = lambda z: forces.concentration(z, {"it": losses.dispersion}).loc["it", "first token"]
    longer = BATCH.clone()
    longer[:, 0] *= 100
    assert first(longer) == pytest.approx(first(BATCH) / 100, rel=0.02)


def test_one_text_is_a_batch_of_one():
    chosen = {name: losses.get(name) for name in ("dispersion", "orthogonalization")}
    one, batch = forces.concentration(BATCH[0].float(), chosen), forces.concentration(BATCH[:1].float(), chosen)
    assert list(one.index) == list(chosen)
    assert one.equals(batch)
    with pytest.raises(ValueError, match="mean_direction is between texts"):
        forces.concentration(BATCH[0], {"between": losses.mean_direction})
    assert forces.concentration(BATCH, {"between": losses.mean_direction}).notna().all(axis=None)


# --- elongation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("axes", "expected"), [((1, 1, 1), 1), ((2, 1, 0.5), 4), ((1, 3, 3), 3), ((5, 5, 2), 2.5)])
def test_elongation_of_closed_cases(axes, expected):
    """Six points at the ends of three axes, turned and moved."""
    z = np.concatenate([np.diag(axes), -np.diag(axes)]).astype(float)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    assert forces.elongation(z) == pytest.approx(expected)
    assert forces.elongation(7 * z @ turn + [3, -1, 2]) == pytest.approx(expected)


def test_elongation_of_normal_tokens_is_that_of_their_spread():
    z = np.random.default_rng(0).normal(size=(20000, 3)) * [1, 2, 6]
    assert forces.elongation(z) == pytest.approx(6, rel=0.03)


def test_a_flat_cloud_is_very_long():
    z = np.random.default_rng(0).normal(size=(10, 3)) * [1, 1, 0]
    assert forces.elongation(z) > 1e9
