"""The runs of a file, refused before any run if they are bad; and the recipes that ship."""

import re
from pathlib import Path

import pytest
from toy_runs import GPT2, scratch, write_runs

from decondense import models, paper
from decondense.book import cells, profiles
from decondense.chapters.table5 import released
from decondense.paper import accuracies
from decondense.runs import MidTraining, PreTraining, grid, midtraining, runfile

ROOT = Path(__file__).parents[2]
RECIPES = Path(runfile.__file__).parent / "recipes"
MID = """
model = "gpt2"
corpus = "imdb"
steps = 6
checkpoints = 3
seeds = [0, 1]
[changes.none]
steps = 0
[changes.train]
[changes.dispersion]
loss = "dispersion"
weight = 1
"""


@pytest.fixture
def file(tmp_path):
    """A file of mid-training, with its lines as they are given."""

    def write(text=MID, name="toy.toml", **lines):
        for key, value in lines.items():
            (old,) = [line for line in text.splitlines() if line.startswith(f"{key} =")]
            text = text.replace(old, "" if value is None else f"{key} = {value}")
        (tmp_path / name).write_text(text, errors="surrogateescape")
        return tmp_path / name

    return write


@pytest.fixture
def from_scratch(tmp_path):
    return lambda more="", **keys: write_runs(tmp_path / "toy.toml", more, **keys)


def test_a_file_with_a_model_goes_on_training_it(file):
    shared = MidTraining(model="gpt2", corpus="imdb", steps=6, checkpoints=3)
    changes = {"none": {"steps": 0}, "train": {}, "dispersion": {"loss": "dispersion", "weight": 1.0}}
    assert runfile.read(file()) == grid.jobs(shared, changes, [0, 1])


def test_several_models_are_a_grid(file):
    jobs = runfile.read(file(model='["gpt2", "pocket-small"]'))
    assert [label for label, _ in jobs][::5] == ["gpt2, none", "pocket-small, none"]
    assert [config.model for _, config in jobs] == ["gpt2"] * 5 + ["pocket-small"] * 5


def test_a_file_with_a_shape_trains_from_scratch(from_scratch):
    ((label, config),) = runfile.read(from_scratch('tokenizer = "pocket-small"'))
    assert (label, config) == ("dispersion", scratch(tokenizer="pocket-small", loss="dispersion", seed=5))


def test_keys_are_the_fields_of_the_kind_less_those_of_a_condition():
    of_both = {"corpus", "steps", "learning_rate", "tasks", "seeds"}
    assert of_both | {"model"} <= set(runfile.keys({"model": "gpt2"}))
    assert of_both | {"shape", "processes", "warm_up"} <= set(runfile.keys({"shape": GPT2}))
    for kind in ({"model": "gpt2"}, {"shape": GPT2}):
        assert not {"loss", "weight", "seed", "noise_alpha", "stop_after", "distillation"} & set(runfile.keys(kind))
    assert (runfile.kind({"model": 1}), runfile.kind({"shape": 1})) == (MidTraining, PreTraining)


# --- bad files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("stepz = 3", r"Unknown key in toy\.toml 'stepz'\. Did you mean 'steps'"),
        ("weight = 3.0", r"Unknown key in toy\.toml 'weight'"),
        ("processes = 3", r"toy\.toml is for 3 processes: 2 do not divide it"),
        ("processes = 'two'", "processes must be a number, got 'two'"),
        ("accumulation = 1.5", r"accumulation must be a whole number, got 1\.5"),
        ("[changes.other]\nlamda = 1.0", "No run knows 'lamda'"),
        ("[changes.other]\nweight = 'x'\nloss = 'dispersion'", "weight must be a number, got 'x'"),
        ("[changes.other]\nweight = 0.5", r"changes\.other has 'weight', which nothing reads without a loss"),
        ("[changes.other]\nloss = 'none'", r"has the loss 'none'\. For plain training leave the loss out"),
        ("[changes.other]\nshape = 'gpt2'", "shape must be a table such as"),
        ('model = "gpt2"', "must have either 'model', to go on training it, or 'shape'"),
        ("steps = = 3", r"toy\.toml cannot be read: .*line 13"),
    ],
)
def test_a_bad_file_is_refused(from_scratch, more, message):
    with pytest.raises(ValueError, match=message):
        runfile.read(from_scratch(more), 2)


def test_a_missing_key_is_named(from_scratch):
    text = from_scratch().read_text()
    for name in ("steps", "seeds", "experiment", "corpus"):
        path = from_scratch()
        path.write_text("\n".join(line for line in text.splitlines() if not line.startswith(f"{name} =")))
        with pytest.raises(ValueError, match=rf"toy\.toml has no '{name}': add it"):
            runfile.read(path)
    path.write_text(text.split("[changes.")[0])
    with pytest.raises(ValueError, match=r"toy\.toml has no 'changes': add it"):
        runfile.read(path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("toy.yaml", "", r"toy\.yaml must end in \.toml"),
        ("toy.toml", "just words", r"toy\.toml cannot be read: .*line 1"),
        ("toy.toml", "a = '\udcff'", r"toy\.toml cannot be read: .*utf-8"),
        ("toy.toml", "", "must have either 'model'"),
        ("toy.toml", "processes = 2\n" + MID, r"Unknown key in toy\.toml 'processes'"),
    ],
)
def test_what_cannot_be_read_says_why(file, name, text, message):
    with pytest.raises(ValueError, match=message):
        runfile.read(file(text, name))


@pytest.mark.parametrize("changes", ['["train"]', '"train"', "{}", '{train = "dispersion"}', "{train = []}", "3"])
def test_changes_are_a_table_of_tables(file, changes):
    with pytest.raises(ValueError, match=r"toy\.toml: changes.* must be a table"):
        runfile.read(file(MID.split("[changes")[0] + f"changes = {changes}"))


@pytest.mark.parametrize("seeds", ["0", "[]", "[0.5]", '["0"]', "[true]", "{a = 1}", '"two"'])
def test_seeds_are_a_list_of_whole_numbers(file, seeds):
    with pytest.raises(ValueError, match=r"toy\.toml: seeds must be a list of whole numbers such as \[0, 1\], got"):
        runfile.read(file(seeds=seeds))


def test_a_seed_comes_once(file):
    with pytest.raises(ValueError, match=r"a seed is given twice in \[3, 1, 3\]"):
        runfile.read(file(seeds="[3, 1, 3]"))


@pytest.mark.parametrize("model", ["[]", "3", "{gpt2 = 1}", "[3]"])
def test_models_are_names(file, model):
    with pytest.raises(ValueError, match=r"toy\.toml: model must be a name or a list of names, got"):
        runfile.read(file(model=model))


def test_an_unknown_model_is_refused(file):
    with pytest.raises(ValueError, match="Unknown model 'gtp2'"):
        runfile.read(file(model='["gpt2", "gtp2"]'))


def test_a_file_that_is_not_there(tmp_path):
    for path in (tmp_path / "gone.toml", tmp_path):
        with pytest.raises(FileNotFoundError, match=f"There is no file .*{path.name}.* --model"):
            runfile.read(path)


# --- processes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("here", [1, 2, 4])
def test_fewer_processes_accumulate_more(from_scratch, here):
    """Also where a label changes the accumulation; a step sees as many tokens."""
    more = "processes = 4\naccumulation = 3\n[changes.large]\naccumulation = 5"
    (_, large), (_, usual) = runfile.read(from_scratch(more, tokenizer="pocket-small"), here)
    assert (large.accumulation, usual.accumulation) == (20 // here, 12 // here)
    assert usual.as_dict().get("processes") == (None if here == 1 else here)
    assert (large.tokens, usual.tokens) == (6 * 2 * 20 * 16, 6 * 2 * 12 * 16)


def test_going_on_training_is_for_one_process(file):
    with pytest.raises(ValueError, match="goes on training a model: one process makes a run"):
        runfile.read(file(), 2)


# --- the recipes ----------------------------------------------------------------------------------------------------


def table_2():
    """What the notebook trains in the profile `paper`, by base model, and its seeds."""
    asked = profiles.parameters("paper", "table2")
    own = cells.defaults(ROOT / "notebooks" / "10_table2_midtraining_benchmarks.ipynb") | asked
    how = asked["TRAINING"] | asked["GEOMETRY"] | {"tasks": asked["TASKS"], "few_shot": own["FEW_SHOT"]}
    how |= {"corpus": asked["CORPUS"], "sources": asked["SOURCES"]}
    return {name: MidTraining(**how | changes) for name, changes in asked["MODELS"].items()}, own["SEEDS"]


def test_the_grid_of_table_2_is_the_profile_of_its_notebook():
    """With the number of examples and the seeds that the notebook says itself."""
    shared, seeds = table_2()
    expected = grid.jobs(shared["GPT2"], midtraining.CONDITIONS, seeds)
    assert runfile.read(RECIPES / "table2.toml") == expected
    assert len(expected) == 7 * 3 + 1


def test_the_base_models_of_table_2_are_trained_as_table_s1_says():
    shared, _ = table_2()
    printed = paper.table("tableS1_settings").set_index(["experiment", "setting"])["value"]
    assert list(shared) == list(accuracies.MID_TRAINED)
    for name, config in shared.items():
        said = printed[f"{name.lower()}_midtraining"]
        assert config.learning_rate == float(said["learning_rate"])
        assert config.batch_size == int(said["batch_size_per_device"])
        assert config.accumulation == int(said["gradient_accumulation_steps"])
        assert config.length == int(said["context_length_tokens"])
        assert config.few_shot == int(said["eval_few_shot_examples"])
        assert config.tokens == pytest.approx(float(said["training_tokens"]), rel=1e-3)
        assert set(config.tasks.values()) == {accuracies.limit(name)}
        assert models.table()[config.model]["hub"].lower().endswith(name.lower().replace("gpt2-m", "gpt2-medium"))


def test_the_grid_of_table_5_is_the_profile_of_its_notebook():
    asked = profiles.parameters("paper", "table5")
    (shape,) = asked["SHAPES"].values()
    how = asked["TRAINING"] | asked["GEOMETRY"] | {"tasks": asked["TASKS"], "sources": asked["SOURCES"]}
    how |= {"corpus": asked["CORPUS"], "processes": asked["PROCESSES"]}
    shared = PreTraining(experiment="table5", shape=shape, **how)
    expected = grid.jobs(shared, asked["CHANGES"], asked["SEEDS"])
    assert runfile.read(RECIPES / "table5.toml", asked["PROCESSES"]) == expected
    assert shared.tokens == pytest.approx(156e9, rel=1e-4)


def test_the_switches_of_the_released_code_are_conditions_of_the_recipe(tmp_path):
    text = re.sub(r"(?m)^#(?=[\[a-z])", "", (RECIPES / "table5.toml").read_text())
    (tmp_path / "all.toml").write_text(text)
    found = {label: config.as_dict() for label, config in runfile.read(tmp_path / "all.toml", 640)}
    assert list(found) == list(released.changes(1))
    usual = found["dispersion"]
    for label, change in list(released.changes(1).items())[2:]:
        shape = usual["shape"] | change.get("shape", {})
        assert found[label] == usual | change | {"shape": shape}
