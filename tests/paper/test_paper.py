"""The published numbers: loaded as they were read, and changed by nobody by accident."""

from pathlib import Path

import pytest

from decondense import paper
from decondense.base.files import sha256

PINNED = {
    "figure_heatmap_means": "815cdde8370d72be351109dd7e4f8ab60c21174bcff3a6a24d5df7380a2793f4",
    "figure_heatmap_modes": "367a4672c02400aad0cd1051cf4101f11a06c5c11642dbb44aa58dc4084f65fe",
    "figure_points": "b2214fb3f89d11fbefeffb3e9e3ed9b381ea948543431c18fd9c5bc345b16703",
    "table2_midtraining": "ae94a031c1cbaceb4acba9f7f3c3e78d339fe14d7b7967f04f28d7a6046f635a",
    "table3_layers": "4cbb7f13165f3c1a3d0d86d1f2ba61519eb86737efa6931d57e7804da070b457",
    "table4_hyperparameters": "0f917d574581d977a1f265cefb8bfa1f321756441422e59eba38718c8c69ba2e",
    "table5_pretraining": "6d508164feeb57179eaa33efbad0d9b79f9f1007bfb2f91f008f7d6a310562b7",
    "tableS1_settings": "4e6c309a7b0b5ab3f4b2bfc1ecf6b73922ad49f97a3f013c86130061306200ae",
}
FOLDER = Path(paper.__file__).parent


def test_every_file_is_a_table_and_pinned():
    assert {path.stem for path in FOLDER.glob("*.csv")} == set(paper.TABLES) == set(PINNED)


@pytest.mark.parametrize("name", PINNED)
def test_published_numbers_are_unchanged(name):
    assert sha256(FOLDER / f"{name}.csv") == PINNED[name]


@pytest.mark.parametrize(
    ("name", "rows"), [("figure_points", 126), ("table2_midtraining", 439), ("figure_heatmap_means", 176)]
)
def test_tables_have_all_their_rows(name, rows):
    assert len(paper.table(name)) == rows


@pytest.mark.parametrize("name", paper.TABLES)
def test_a_table_is_a_copy(name):
    table = paper.table(name)
    table.iloc[0, 0] = "changed"
    assert paper.table(name).iloc[0, 0] != "changed"


def test_trend_of_gpt2_is_that_of_figure_2():
    found = paper.trend("Fig2", "spearman", "GPT2")
    assert found.columns.tolist() == ["model", "value", "error"]
    assert found.model.tolist() == ["GPT2", "GPT2-medium", "GPT2-large", "GPT2-xl"]
    assert found.value[0] == 0.3853
    assert found.error[0] == 0.002
    assert paper.trend("Fig2", "kendall", "GPT2").value[0] == 0.257


def test_correlations_are_bounded():
    assert paper.table("figure_points").value.between(-1, 1).all()


def test_dispersion_has_the_best_average_of_table_2():
    table = paper.table("table2_midtraining")
    average = table[(table.model == "GPT2") & (table.benchmark == "average")].set_index("condition")["mean"]
    assert average["dispersion"] == 35.61
    assert average.idxmax() == "dispersion"


def test_average_of_table_2_is_that_of_its_ten_benchmarks():
    table = paper.table("table2_midtraining")
    rows = table[(table.model == "GPT2") & (table.condition == "dispersion")].set_index("benchmark")["mean"]
    assert len(rows) == 12
    assert rows.drop(["average", "rank"]).mean() == pytest.approx(rows["average"], abs=0.06)


def test_training_run_goes_from_initialisation_to_the_end():
    table = paper.training_run()
    assert table.checkpoint[[0, 1, 12]].tolist() == ["S1-0", "S1-353k", "Main"]
    assert len(table) == 13
    assert table.spearman[[0, 12]].tolist() == [0.9986, -0.4647]
    assert table.kendall[[0, 12]].tolist() == [0.9984, -0.3867]
    assert table["kendall error"][0] == 0.002


def test_mean_cosines_have_an_entry_for_every_layer():
    found = paper.mean_cosines("Fig2a", "GPT2")
    assert found.layer_index.tolist() == list(range(13))
    assert found.cosine_mean[0] == 0.2735
    assert len(paper.mean_cosines("Fig2a", "GPT2-xl")) == 49


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: paper.table("table_2"), "Unknown table 'table_2'"),
        (lambda: paper.trend("Fig2", "spearman", "GPT-2"), r"Unknown family of Fig2 .*Did you mean 'GPT2'"),
        (lambda: paper.trend("Fig2", "spearman", "GPT2", "imdb"), r"Unknown family of Fig2 \(spearman, imdb\)"),
        (lambda: paper.mean_cosines("Fig2a", "GPT2xl"), "Unknown heat map of Fig2a 'GPT2xl'.*'GPT2-xl'"),
    ],
)
def test_unknown_names_are_errors(ask, message):
    with pytest.raises(ValueError, match=message):
        ask()
