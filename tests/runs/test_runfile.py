"""The runs of a file: TOML and YAML say the same, and a bad one is refused before any run."""

from pathlib import Path

import pytest
import yaml

import decondense
from decondense.book import cells, profiles
from decondense.runs import loop, midtraining, pretraining, runfile

ROOT = Path(__file__).parents[2]
SCRATCH = """
experiment = "toy"
corpus = "imdb"
steps = 6
batch_size = 2
length = 16
checkpoints = 3
seeds = [5]
{more}
[shape]
architecture = "GPT2Config"
n_embd = 16
n_layer = 2
n_head = 2
[changes.dispersion]
loss = "dispersion"
"""
MID = """
model: {model}
corpus: imdb
steps: 6
checkpoints: 3
learning_rate: 5.0e-5
seeds: [0, 1]
changes:
  none: {{steps: 0}}
  train:
  dispersion: {{loss: dispersion, weight: 1}}
"""

SHAPELESS = "{experiment: toy, shape: gpt2, corpus: imdb, steps: 6, seeds: [0], changes: {train: {}}}"


@pytest.fixture
def write(tmp_path):
    def write(text, name="toy.toml"):
        (tmp_path / name).write_text(text, errors="surrogateescape")
        return tmp_path / name

    return write


@pytest.fixture
def scratch(write):
    return lambda more="": write(SCRATCH.format(more=more))


def test_a_file_with_a_model_goes_on_training_it(write):
    asked = runfile.read(write(MID.format(model="gpt2"), "toy.yaml"))
    assert asked.kind == midtraining.KIND
    labels = [("none", 0), ("train", 0), ("train", 1), ("dispersion", 0), ("dispersion", 1)]
    assert [(label, config["seed"]) for label, config in asked.jobs] == labels
    shared = midtraining.setup("gpt2", "imdb", steps=6, checkpoints=3)
    assert asked.configs[-1] == midtraining.configuration(shared | {"loss": "dispersion", "weight": 1.0}, 1)


def test_several_models_are_a_grid(write):
    asked = runfile.read(write(MID.format(model="[gpt2, pocket-small]"), "toy.yml"))
    assert [label for label, _ in asked.jobs][::5] == ["gpt2, none", "pocket-small, none"]
    assert [config["model"] for config in asked.configs] == ["gpt2"] * 5 + ["pocket-small"] * 5
    assert ["train_tokens" in config for config in asked.configs] == [False] * 5 + [True] * 5


def test_a_file_with_a_shape_trains_from_scratch(scratch):
    asked = runfile.read(scratch())
    assert asked.kind == pretraining.KIND
    ((label, config),) = asked.jobs
    assert (label, config["seed"], config["shape"]["n_embd"]) == ("dispersion", 5, 16)


def test_yaml_and_toml_are_the_same_runs(scratch, write):
    toml = runfile.read(scratch())
    as_yaml = yaml.safe_dump(runfile.table(scratch()))
    assert runfile.read(write(as_yaml, "toy.yaml")) == toml


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("stepz = 3", r"Unknown key in toy\.toml 'stepz'\. Did you mean 'steps'"),
        ("processes = 3", r"toy\.toml is for 3 processes: 2 do not divide it"),
        ("[changes.other]\nlamda = 1.0", "No run knows 'lamda'"),
        ("[changes.other]\nweight = 'x'\nloss = 'dispersion'", "weight must be a number, got 'x'"),
        ("[changes.other]\nweight = 0.5", r"changes\.other has 'weight', which nothing reads without a loss"),
        ("[changes.other]\nloss = 'none'", r"has the loss 'none'\. For plain training leave the loss out"),
        ("[changes.other]\ndistillation = 'gpt2'", "distillation must be a table"),
        ('schedule = "cosin"', "Unknown schedule 'cosin'"),
        ('model = "gpt2"', "must have either 'model', to go on training it, or 'shape'"),
        ("steps = = 3", r"toy\.toml cannot be read: .*line 9"),
    ],
)
def test_a_bad_file_is_refused_at_the_door(scratch, more, message):
    with pytest.raises(ValueError, match=message):
        runfile.read(scratch(more), 2)


@pytest.mark.parametrize("name", ["steps", "seeds", "changes", "experiment"])
def test_a_missing_key_is_named(scratch, name):
    path = scratch()
    text = path.read_text().split("[changes.")[0] if name == "changes" else path.read_text()
    path.write_text("\n".join(line for line in text.splitlines() if not line.startswith(f"{name} =")))
    with pytest.raises(ValueError, match=rf"toy\.toml has no '{name}': add it"):
        runfile.read(path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("toy.json", "{}", r"toy\.json must end in \.toml, \.yaml or \.yml"),
        ("toy.yaml", "a: [", r"toy\.yaml cannot be read: while parsing"),
        ("toy.yaml", "just words", r"toy\.yaml has no keys"),
        ("toy.yaml", MID.format(model="gpt2").replace("t: 1", "t: 1e-1"), "weight must be a number, got '1e-1'"),
        ("toy.yaml", MID.format(model="gpt2") + "processes: 2", r"Unknown key in toy\.yaml 'processes'"),
        ("toy.yaml", "corpus: imdb", "must have either 'model'"),
        ("toy.yaml", SHAPELESS, r"shape must be a table such as {like: gpt2}, got 'gpt2'"),
        ("toy.yaml", "a: \udcff", r"toy\.yaml cannot be read: .*utf-8"),
    ],
)
def test_what_cannot_be_read_says_why(write, name, text, message):
    with pytest.raises(ValueError, match=message):
        runfile.read(write(text, name))


@pytest.mark.parametrize("changes", ["[train]", "train", "{}", "", "{train: dispersion}", "{train: [loss]}", "{a: 3}"])
def test_changes_are_a_table_of_tables(write, changes):
    text = MID.format(model="gpt2").split("changes:")[0] + f"changes: {changes}"
    with pytest.raises(ValueError, match=r"toy\.yaml: changes.* must be a table"):
        runfile.read(write(text, "toy.yaml"))


@pytest.mark.parametrize("seeds", ["0", "[]", "[0.5]", "['0']", "[true]", "{a: 1}", "", "two"])
def test_seeds_are_a_list_of_whole_numbers(write, seeds):
    text = MID.format(model="gpt2").replace("seeds: [0, 1]", f"seeds: {seeds}")
    with pytest.raises(ValueError, match=r"toy\.yaml: seeds must be a list of whole numbers such as \[0, 1\], got"):
        runfile.read(write(text, "toy.yaml"))


@pytest.mark.parametrize("model", ["[]", "3", "{gpt2: 1}", "[3]"])
def test_models_are_names(write, model):
    with pytest.raises(ValueError, match=r"toy\.yaml: model must be a name or a list of names, got"):
        runfile.read(write(MID.format(model=model), "toy.yaml"))


def test_a_file_that_is_not_there(tmp_path):
    for path in (tmp_path / "gone.yaml", tmp_path):
        with pytest.raises(FileNotFoundError, match=f"There is no file .*{path.name}.* --model"):
            runfile.read(path)


# --- processes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("here", "accumulation"), [(1, 12), (2, 6), (4, 3)])
def test_fewer_processes_accumulate_more(scratch, here, accumulation):
    ((label, config),) = runfile.read(scratch("processes = 4\naccumulation = 3"), here).jobs
    assert (label, config["accumulation"]) == ("dispersion", accumulation)
    assert config.get("processes") == (None if here == 1 else here)
    assert loop.packing.needs(config).train == 6 * 2 * 12 * 16


@pytest.mark.parametrize(("here", "accumulation"), [(1, 20), (2, 10), (4, 5)])
def test_a_changed_accumulation_is_shared_among_them_as_well(scratch, here, accumulation):
    more = "processes = 4\naccumulation = 3\n[changes.large]\naccumulation = 5"
    large, usual = runfile.read(scratch(more), here).configs
    assert (large["accumulation"], usual["accumulation"]) == (accumulation, 12 // here)
    assert loop.packing.needs(large).train == 6 * 2 * 20 * 16


def test_going_on_training_is_for_one_process(write):
    with pytest.raises(ValueError, match="goes on training a model: one process makes a run"):
        runfile.read(write(MID.format(model="gpt2"), "toy.yaml"), 2)


# --- the recipes ----------------------------------------------------------------------------------------------------


def test_the_grid_of_table_2_is_the_profile_of_its_notebook():
    """With the number of examples and the seeds that the notebook says itself."""
    asked = profiles.parameters("paper", "table2")
    own = cells.defaults(ROOT / "notebooks" / "10_table2_midtraining_benchmarks.ipynb") | asked
    how = asked["TRAINING"] | asked["GEOMETRY"] | {"tasks": asked["TASKS"], "few_shot": own["FEW_SHOT"]}
    shared = midtraining.setup(asked["MODEL"], asked["CORPUS"], **how, sources=asked["SOURCES"])
    expected = midtraining.jobs(shared, midtraining.CONDITIONS, own["SEEDS"])
    assert runfile.read(Path(decondense.__file__).with_name("recipes") / "table2.yaml").jobs == expected
    assert len(expected) == 7 * 3 + 1
