"""The history of a watched training: what is read from the log, the table, the figure."""

import numpy as np
import pytest

from decondense.trainers import history

MU = np.array([[0.1, 0.2, 0.3], [0.1, 0.3, 0.8], [0.2, 0.4, 0.9]])
STEPS = [0, 10, 15]


def row(step, mu, **others):
    layers = {f"condensation/mu_layer_{entry:02d}": float(value) for entry, value in enumerate(mu)}
    return {"step": step, "condensation/mu_last": float(mu[-1])} | layers | others


LOG = [row(step, mu, epoch=0.5) for step, mu in zip(STEPS, MU, strict=True)]


def test_rows_are_those_of_condensation_alone():
    mixed = [{"loss": 3.0, "step": 10}, LOG[0], {"eval_loss": 2.0, "step": 10}, *LOG[1:], {"train_runtime": 1.0}]
    assert history.rows(mixed) == [row(step, mu) for step, mu in zip(STEPS, MU, strict=True)]


def test_the_table_has_a_row_a_look_whatever_the_order_of_the_keys():
    backwards = dict(reversed(row(10, MU[1]).items()))
    lines = history.table([row(0, MU[0]), backwards]).splitlines()
    expected = ["step,mu_last,mu_layer_00,mu_layer_01,mu_layer_02", "0,0.3,0.1,0.2,0.3", "10,0.8,0.1,0.3,0.8"]
    assert lines == expected


def test_the_figure_draws_mu_over_steps_and_depth():
    lines, colours, _ = history.plot(LOG).axes
    drawn = {line.get_label(): line.get_xydata() for line in lines.lines}
    for name, entry in (("first entry", 0), ("middle entry", 1), ("last entry", 2)):
        np.testing.assert_array_equal(drawn[name], np.column_stack([STEPS, MU[:, entry]]))
    mesh = colours.collections[0]
    np.testing.assert_array_equal(mesh.get_array(), MU.T)
    x, y = np.moveaxis(mesh.get_coordinates(), -1, 0)
    np.testing.assert_allclose(x[0], [0, 5, 12.5, 15])
    np.testing.assert_allclose(y[:, 0], [0, 0.25, 0.75, 1])
    assert colours.get_xlim() == lines.get_xlim() == (0, 15)
    assert colours.get_ylim() == (0, 1)
    assert mesh.get_clim() == (0, 1)


def test_one_look_is_drawn_too():
    _, colours, _ = history.plot(LOG[:1]).axes
    np.testing.assert_allclose(colours.collections[0].get_coordinates()[0, :, 0], [-0.5, 0.5])


def test_more_than_a_hundred_entries_are_drawn_in_their_order():
    mu = np.linspace(0, 1, 121)
    keys = {f"condensation/mu_layer_{entry:03d}": value for entry, value in reversed(list(enumerate(mu)))}
    _, colours, _ = history.plot([{"step": 0, "condensation/mu_last": 1.0} | keys]).axes
    np.testing.assert_array_equal(colours.collections[0].get_array()[:, 0], mu)


@pytest.mark.parametrize("log", [[], [{"loss": 1.0, "step": 3}]])
def test_a_log_without_a_look_cannot_be_drawn(log):
    with pytest.raises(ValueError, match="Nothing was watched: the history has no row"):
        history.plot(log)


def test_it_is_saved_as_a_table_and_a_figure(tmp_path):
    history.save(history.rows(LOG), tmp_path)
    assert (tmp_path / "condensation.csv").read_text() == history.table(history.rows(LOG))
    assert (tmp_path / "condensation.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["condensation.csv", "condensation.png"]


def test_nothing_is_saved_of_nothing(tmp_path):
    history.save([], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_written_is_a_warning_after_hours_of_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="The history of condensation was not written: .*file"):
        history.save(history.rows(LOG), tmp_path / "file")
