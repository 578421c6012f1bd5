"""The differences of the released code: each has its source, and its settings are those of a run here."""

import re

import pytest

from decondense import losses, models, paper
from decondense.paper import released
from decondense.runs import PreTraining

FOUND = released.differences()


@pytest.mark.parametrize("name", FOUND)
def test_every_difference_has_its_source(name):
    entry = FOUND[name]
    commits = [*entry["commits"], *([entry["mended"]] if "mended" in entry else [])]
    assert all(re.fullmatch("[0-9a-f]{40}", commit) for commit in commits)
    assert len(set(commits)) == len(commits) > 0
    assert entry["released"]
    assert entry["paper"]
    assert entry["file"].startswith("torchtitan/")
    assert ("switch" in entry) == ("default" in entry) == (name != "perplexity_entropy")


def test_the_table_has_a_row_a_difference():
    table = released.table()
    assert table.index.tolist() == list(FOUND)
    assert table.commits["undivided"] == "997d55d, 1ba4329; mended in 664f019"
    assert table["as a run here"]["perplexity_entropy"] == ""
    assert released.source() == "a public fork of torchtitan, `xingzhis/torchtitan`"
    assert "is not known" in released.unknown()


def test_the_papers_text_is_the_default_of_a_run():
    config = PreTraining(
        experiment="table5", shape={"like": "qwen3-0.6b"}, corpus="documentation", steps=8, loss="dispersion"
    )
    assert FOUND["undivided"]["default"] == f"weight = {config.weight}"
    assert FOUND["clamp"]["default"] == f"clamp = {losses.CLAMP}"
    assert (config.clamp, config.acute, config.layers) == (None, False, "all")
    assert models.table()["qwen3-0.6b"]["config"]["tie_word_embeddings"] is True


def test_undivided_changes_nothing_with_the_accumulation_of_table_s1():
    printed = paper.table("tableS1_settings").set_index(["experiment", "setting"])["value"]
    assert printed["qwen3-0.6b_pretraining", "gradient_accumulation_steps"] == "1"


def test_a_loss_without_a_formula_is_not_made():
    assert "perplexity_entropy" not in losses.names()
