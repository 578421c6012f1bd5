"""The sizes of a run fit the notebooks: nothing is set that is not there, and nothing that has no effect."""

import ast
from pathlib import Path

import pytest

from decondense.book import cells, profiles
from decondense.chapters.table5 import design
from decondense.paper import designs, family
from decondense.runs import PreTraining

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
EACH = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
PROFILE = pytest.mark.parametrize("profile", profiles.PROFILES)


def own_parameters(notebook):
    """The values in the notebook's `parameters` cell."""
    (cell,) = [c for c in cells.read(notebook) if "parameters" in c["metadata"].get("tags", [])]
    return {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(cell["source"]).body}


def test_there_are_notebooks():
    assert NOTEBOOKS


@EACH
@PROFILE
def test_every_parameter_is_defined_and_read(profile, notebook):
    cells.check_parameters(notebook, profiles.parameters(profile, profiles.notebook_id(notebook)))


@EACH
@PROFILE
def test_every_parameter_has_the_type_of_the_notebooks_own(profile, notebook):
    own = own_parameters(notebook)
    for name, value in profiles.parameters(profile, profiles.notebook_id(notebook)).items():
        assert type(value) in (type(own[name]), list if isinstance(own[name], tuple) else type(own[name])), name


@EACH
def test_own_parameters_are_those_of_the_laptop(notebook):
    own = own_parameters(notebook)
    laptop = profiles.parameters("laptop", profiles.notebook_id(notebook))
    assert own["PROFILE"] == "laptop"
    assert {name: own.get(name) for name in laptop} == laptop


@PROFILE
def test_profile_knows_exactly_the_notebooks(profile):
    tables = set(profiles._table()[profile]) - {"all"}
    assert tables == {profiles.notebook_id(path) for path in NOTEBOOKS}


def test_needs_and_minutes_are_of_known_notebooks():
    known = {profiles.notebook_id(path) for path in NOTEBOOKS}
    table = profiles._table()
    assert set(table["needs"]) | {need for needs in table["needs"].values() for need in needs} <= known
    assert set(table["minutes"]) <= set(profiles.PROFILES)
    assert {name for minutes in table["minutes"].values() for name in minutes} <= known


def values(profile, notebook):
    """Every parameter of a notebook in a profile."""
    (path,) = (path for path in NOTEBOOKS if profiles.notebook_id(path) == notebook)
    return own_parameters(path) | profiles.parameters(profile, notebook)


def trained_for_fig4(profile):
    fig4 = values(profile, "fig4")
    how = fig4["TRAINING"] | fig4["GEOMETRY"] | {"sources": fig4["SOURCES"]}
    shared = {name: PreTraining(experiment="table5", shape=shape, **how) for name, shape in fig4["SHAPES"].items()}
    return fig4["SEEDS"]["trained"], shared


def test_figure_4_finds_the_pilot_runs_of_table_5():
    seeds, shared = trained_for_fig4("laptop")
    assert list(shared) == values("laptop", "table5")["PILOT"] == list(design.PILOT_SHAPES)
    assert set(seeds) <= set(design.PILOT_SEEDS)
    for name, here in shared.items():
        assert here.changed(**design.PILOT_CHANGES["train"]) == design.pilot(name)


def test_figure_4_finds_the_runs_of_table_5_on_a_gpu():
    seeds, shared = trained_for_fig4("gpu")
    table5 = values("gpu", "table5")
    assert table5["TUNING"] == {}  # so every condition has the rate of all
    assert set(seeds) <= set(table5["SEEDS"])
    assert list(shared) == list(table5["SHAPES"])
    own = {"tasks": table5["TASKS"], "sources": table5["SOURCES"], "processes": table5["PROCESSES"]}
    how = table5["TRAINING"] | table5["GEOMETRY"] | own
    for name, shape in table5["SHAPES"].items():
        there = PreTraining(experiment="table5", shape=shape, corpus=table5["CORPUS"], **how)
        assert shared[name] == there.changed(**table5["CHANGES"]["train"])


@PROFILE
def test_three_pages_ask_for_the_same_sizes_trained_here(profile):
    asked = [
        [values(profile, page)[name] for name in ("FAMILY", "FAMILY_TEXTS")] for page in ("fig2", "figS2", "figS3")
    ]
    assert asked[0] == asked[1] == asked[2]
    shared, sizes, seeds = family.asked(*asked[0])
    planned = designs.load("family")
    if profile != "ci":
        assert len(sizes) == 4
        assert len(seeds) == planned.n == 5
        assert f"{shared.tokens / 1e6:.1f} M tokens" in planned.what
        assert f"{shared.shape['n_layer']} blocks" in planned.what


def test_own_table_goes_over_that_of_all(monkeypatch):
    table = {
        "ci": {"all": {"A": 1, "B": 1}, "fig2": {"B": 2}, "audit": {}},
        "without": {"audit": ["B"]},
        "needs": {"fig3": ["fig2"]},
        "minutes": {"ci": {"fig2": 0.5}},
    }
    monkeypatch.setattr(profiles, "_table", lambda: table)
    assert profiles.parameters("ci", "fig2") == {"A": 1, "B": 2}
    assert profiles.parameters("ci", "audit") == {"A": 1}
    assert profiles.needs("fig3") == ["fig2"]
    assert profiles.needs("fig2") == []
    assert profiles.estimate_minutes("ci", "fig2") == 0.5
    assert profiles.estimate_minutes("gpu", "fig2") is None


def test_a_check_of_the_code_shows_nothing_of_the_committed_run():
    assert [name for name in profiles.PROFILES if profiles.shows_committed(name)] == ["laptop", "gpu", "paper"]


def test_unknown_names_are_errors():
    with pytest.raises(ValueError, match=r"Unknown profile 'lap'\. Did you mean 'laptop'"):
        profiles.parameters("lap", "fig2")
    with pytest.raises(ValueError, match=r"Unknown notebook 'fig22'\. Did you mean 'fig2'") as error:
        profiles.parameters("ci", "fig22")
    assert "all" not in str(error.value).split("Known: ")[1].rstrip(".").split(", ")


def test_notebook_id_is_the_second_part_of_the_name():
    assert profiles.notebook_id("notebooks/02_fig2_model_families.ipynb") == "fig2"
