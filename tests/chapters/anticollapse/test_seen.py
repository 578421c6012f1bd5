"""What a loss sees: answers to one change at a time, on tokens for which they are known."""

import pytest
import torch

from decondense import losses
from decondense.chapters.anticollapse import seen
from decondense.losses import forces

ALL = {
    label: seen._loss(label, seed=0)
    for label in ("dispersion", "cosine", "koleo", "covariance", "isoscore", "sigreg", "info_nce", "decorrelation")
}


@pytest.fixture(scope="module")
def z():
    shape = (4, 12, 6)
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 50 + 20


@pytest.fixture(scope="module")
def answers(z):
    return seen.answers(z, ALL)


def test_values_are_those_of_the_losses(z, answers):
    assert answers.value["cosine"] == pytest.approx(losses.cosine(z).item())
    assert answers.value["sigreg"] == pytest.approx(losses.sigreg(z, generator=torch.Generator().manual_seed(0)).item())


def test_losses_of_angles_are_blind_to_norms_and_axes(answers):
    for label in ("dispersion", "cosine", "koleo", "isoscore"):
        assert answers.loc[label, "norms"] < 5e-3  # as far as eps goes
        assert answers.loc[label, "axes turned"] < 1e-9
    assert answers.loc["covariance", "axes turned"] > 1e-2
    assert answers.loc["cosine", "scales of features"] > 1e-2


def test_losses_of_the_whole_batch_are_blind_to_which_text_a_token_is_of(answers):
    for label in ("covariance", "isoscore"):
        assert answers.loc[label, "tokens of texts mixed"] < 1e-9
    for label in ("koleo", "dispersion"):
        assert answers.loc[label, "tokens of texts mixed"] > 1e-3


def test_the_nearest_neighbour_is_seen_most_by_the_loss_of_it(answers):
    assert answers["a twin for every token"].idxmax() in ("koleo", "decorrelation")


def test_collapse_is_the_worst_for_cosines_and_the_best_for_covariances(answers):
    assert answers.loc["cosine", "collapsed"] == pytest.approx(1, abs=2e-3)
    assert answers.loc["covariance", "collapsed"] < answers.loc["covariance", "value"]


def test_each_change_is_of_what_its_name_says(z):
    norm = lambda x: x.norm(dim=-1)
    changed = {name: change(z) for name, change in seen.CHANGES.items()}
    moved = changed["a vector shared by all"] - z
    torch.testing.assert_close(moved, moved[:1, :1].expand_as(z))
    assert norm(moved[0, 0]).item() == pytest.approx(norm(z).median().item())
    each = changed["a vector for each text"] - z
    torch.testing.assert_close(each, each[:, :1].expand_as(z))
    assert not torch.allclose(each[0], each[1])
    torch.testing.assert_close(norm(changed["axes turned"]), norm(z))
    mixed = changed["tokens of texts mixed"].flatten(0, 1)
    assert sorted(mixed[:, 0].tolist()) == sorted(z.flatten(0, 1)[:, 0].tolist())
    twins = torch.cosine_similarity(
        changed["a twin for every token"][:, 0], changed["a twin for every token"][:, 1], dim=-1
    )
    assert (twins > 0.99).all()


def test_forces_alike_are_cosines_of_gradients(z):
    table = forces.alike(
        z, {"cosine": ALL["cosine"], "twice": lambda z: 2 * losses.cosine(z), "less": lambda z: -losses.cosine(z)}
    )
    assert table.loc["cosine"].tolist() == pytest.approx([1, 1, -1])


def test_radial_is_one_for_a_loss_of_norms_and_nothing_for_one_of_angles(z):
    assert forces.radial(lambda z: z.norm(dim=-1).mean(), z) == pytest.approx(1)
    assert forces.radial(losses.get("cosine", eps=1e-9), z) == pytest.approx(0, abs=1e-9)
    found = seen.pushed(z, {"cosine": ALL["cosine"]})
    assert found.columns.tolist() == ["in top 3", "along the mean", "first token", "radial"]


def test_a_depth_outside_of_the_model_is_refused():
    with pytest.raises(ValueError, match=r"depth must lie in \(0, 1\], got 0"):
        seen.seen("pocket-small", "documentation", {"a": {"loss": "cosine"}}, depth=0.0)
