"""A trained model on other corpora: the same as measured by hand, and nothing beside it moves."""

import numpy as np
import pytest
from toy_runs import mid

from decondense import corpora, measurement
from decondense.corpora import streams
from decondense.records import Record
from decondense.runs import loop
from decondense.runs.run import Run

pytestmark = pytest.mark.usefixtures("frozen", "world")
OTHER = "python-reference"


@pytest.fixture
def run(tmp_path):
    def made(**changes):
        config = mid(steps=0, **changes)
        results, arrays = loop.train(config, tmp_path / "run")
        (tmp_path / "run.npz").write_bytes(arrays)
        content = {"config": config.as_dict(), "results": results}
        return Run("none", 0, Record(tmp_path / "run.json", content, tmp_path / "run.npz"))

    return made


def test_it_is_what_measure_gives_on_held_out_windows_of_that_corpus(run):
    found = run(elsewhere=[OTHER])
    assert list(found.elsewhere) == [OTHER]
    config, loaded = mid(), mid().load()
    held_out = streams.stream(corpora.load(OTHER), loaded.tokenizer, config.needs).held_out
    windows = streams.spread(held_out, config.texts, config.text_length)
    by_hand = measurement.measure(loaded.model, None, windows, max_length=config.text_length, progress=False)
    np.testing.assert_array_equal(found.elsewhere[OTHER].mu, by_hand.mu)
    assert (found.elsewhere[OTHER].mu != found.look().mu).any()
    assert found.elsewhere[OTHER].settings["max_length"] == config.text_length


def test_without_a_corpus_there_is_nothing(run):
    found = run()
    assert found.elsewhere == {}
    assert len(found.looks) == 1
