"""What is measured on the way: at which steps, on which texts, once; as `measure` gives it."""

import numpy as np
import pytest
import torch
from toy_runs import mid, scratch, toy_model

from decondense import corpora, measurement, models
from decondense.condensation import Condensation, from_arrays
from decondense.corpora import streams
from decondense.runs import watch

pytestmark = pytest.mark.usefixtures("world")


def watched(folder, config, whole=lambda: None):
    held_out = streams.stream(corpora.load("imdb", ["local"]), models.load_tokenizer(toy_model())).held_out
    return watch.Watch(config, whole, held_out, folder, lambda step: None)


@pytest.mark.parametrize(
    ("config", "steps", "validated"),
    [
        (lambda: mid(steps=5, checkpoints=2), [0, 2, 5], [0, 5]),
        (lambda: mid(steps=10, checkpoints=5, stop_after=5), [0, 2, 4, 5], [0, 5]),
        (lambda: mid(steps=10, checkpoints=5, stop_after=99), [0, 2, 4, 6, 8, 10], [0, 10]),
        (lambda: mid(steps=0, checkpoints=5), [0], [0, 0]),
        (lambda: scratch(steps=27, checkpoints=3), [0, 1, 3, 9, 27], [0, 1, 3, 9, 27]),
        (lambda: scratch(steps=27, checkpoints=3, stop_after=4), [0, 1, 3, 4], [0, 1, 3, 4]),
    ],
)
def test_looks_are_spaced_as_the_kind_of_run_says(tmp_path, config, steps, validated):
    found = watched(tmp_path, config())
    assert (found.steps, found.validated) == (steps, validated)


def test_a_look_is_what_measure_gives_and_the_loss(tmp_path):
    loaded = models.load(toy_model())
    found = watched(tmp_path, mid(steps=0, held_out=9), lambda: loaded)
    found.look(0)
    ids = streams.stream(corpora.load("imdb", ["local"]), loaded.tokenizer).held_out
    texts, windows = streams.spread(ids, 2, 24), torch.tensor(streams.spread(ids, 9, 16))
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        expected = measurement.measure(loaded.model, None, texts, max_length=24, name="step 0", progress=False)
        losses = [float(loaded.model(input_ids=window[None], labels=window[None]).loss) for window in windows]
    (look,) = from_arrays(found.arrays())
    assert look.settings.pop("validation_loss") == found.losses()[0] == pytest.approx(np.mean(losses), abs=1e-3)
    assert (look.name, look.settings) == (expected.name, expected.settings)
    for name in ("mu_per_text", "mu_off_diagonal_per_text", "tokens", "zero_vectors", "nonfinite_vectors"):
        np.testing.assert_array_equal(getattr(look, name), getattr(expected, name))
    np.testing.assert_array_equal(look.histogram, expected.histogram.astype(np.float32))
    exact = measurement.measure(loaded.model, None, texts, max_length=24, progress=False)
    assert (look.mu != exact.mu).any()
    np.testing.assert_allclose(look.mu, exact.mu, atol=5e-3)  # bfloat16 changes little


def test_what_was_seen_is_not_measured_again_and_only_the_first_process_measures(tmp_path):
    found = watched(tmp_path, mid(steps=2, checkpoints=1))
    found.look(2)  # no model is whole in the other processes
    assert list(tmp_path.iterdir()) == []
    found.whole = lambda: models.load(toy_model())
    found.look(1)  # between the looks that are validated
    path = tmp_path / watch.LOOK.format(1)
    assert Condensation.load(path).settings["validation_loss"] is None
    written = path.stat().st_mtime_ns
    found.look(1)
    assert path.stat().st_mtime_ns == written


def test_the_fingerprint_is_of_every_bit():
    one, same = (models.load(toy_model()).model for _ in range(2))
    assert watch.fingerprint(one) == watch.fingerprint(same)
    with torch.no_grad():
        same.transformer.ln_f.bias[3] = -0.0
    assert watch.fingerprint(one) != watch.fingerprint(same)


def test_an_unsharded_model_is_whole_as_it_is():
    loaded = models.load(toy_model())
    assert watch.whole_model(loaded, lambda: pytest.fail("loaded again")) is loaded


def test_looks_have_their_controls_where_they_are_asked_for(tmp_path):
    loaded = models.load(toy_model())
    found = watched(tmp_path, mid(steps=0, texts=3, controls=True), lambda: loaded)
    found.look(0)
    (look,) = from_arrays(found.arrays())
    exact = measurement.measure(loaded.model, None, found.texts, max_length=24, controls=True, progress=False)
    for name in ("within", "between", "excess"):
        np.testing.assert_allclose(look.controls[name], exact.controls[name], atol=5e-3)  # bfloat16 changes little
    assert "controls" not in mid().as_dict()
    assert "effective_rank" not in look.controls.quantities


def test_all_controls_hold_the_effective_rank(tmp_path):
    loaded = models.load(toy_model())
    found = watched(tmp_path, config := mid(steps=0, texts=3, controls="all"), lambda: loaded)
    found.look(0)
    (look,) = from_arrays(found.arrays())
    assert config.as_dict()["controls"] == "all"
    assert (look.controls["effective_rank"] >= 1).all()
