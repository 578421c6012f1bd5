"""`decondense train`: flags and files, what it prints, how it ends, and the examples of its help."""

import contextlib
import io
import json
import re
import shlex
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from decondense import records
from decondense.base.errors import installs
from decondense.cli import train
from decondense.models import pocket
from decondense.runs import grid, runfile, store, workers

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(train.train)
TINY = ["--length", "16", "--batch-size", "2", "--steps", "2"]
TINY += [f"--set={name}={value}" for name, value in {"checkpoints": 1, "texts": 2, "text_length": 24}.items()]
TINY += ["--set=held_out=2", "--set=train_tokens=0", "--sources", "local"]
POCKET = ["--model", "pocket-small", "--corpus", "documentation", *TINY]


@pytest.fixture(autouse=True)
def made(small_pocket, tmp_path, monkeypatch):
    """The toy family and records of its own; trainings are in this process, and here are their configurations."""
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(records, "committed_folder", lambda: tmp_path / "committed")
    monkeypatch.chdir(tmp_path)
    done = []

    def train_all(configs):
        for config in configs:
            done.append(config)
            with contextlib.redirect_stdout(io.StringIO()):  # the Trainer prints; a worker keeps it apart
                store.train(config)

    monkeypatch.setattr(workers, "train_all", train_all)
    monkeypatch.setattr(pocket, "train_missing", lambda names, tokens: [pocket.load(name, tokens) for name in names])
    return done


def run(*arguments, status=0):
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False, env={"COLUMNS": "120"})
    assert result.exit_code == status, result.output
    return result


# --- what it does ---------------------------------------------------------------------------------------------------


def test_a_model_is_trained_with_the_loss_and_its_record_named(made, tmp_path):
    output = run(*POCKET).stdout
    (config,) = made
    assert (config.loss, config.weight, config.seed, config.steps) == ("dispersion", 0.1, 0, 2)
    (path,) = (tmp_path / "records").glob("*.json")
    assert str(path) in output
    (run_,) = grid.made([("a", config)], False)
    for value in (run_.validation_loss, run_.late_half(), run_.look().rho, run_.curve["loss"].iloc[-1]):
        assert f"{value:.4f}" in output
    run(*POCKET)
    assert len(made) == 1  # it has a record


def test_json_is_one_object_with_the_same_numbers(made):
    found = json.loads(run(*POCKET, "--loss", "none", "--loss", "dispersion", "--seed", 3, "--json").stdout)["runs"]
    assert [(row["run"], row["seed"]) for row in found] == [("none", 3), ("dispersion", 3)]
    for row, config in zip(found, made, strict=True):
        assert row["record"] == str(store.find(config, False).path)
        assert row["validation loss"] > 0


def test_a_dry_run_trains_nothing_and_tells_the_plan(made):
    asked = [*POCKET, "--loss", "none", "--loss", "dispersion"]
    run(*POCKET, "--loss", "none")
    plan = json.loads(run(*asked, "--dry-run", "--json").stdout)
    assert len(made) == 1
    assert [row["record"] is None for row in plan["runs"]] == [False, True]
    assert plan["plan"]["to train"] == 1
    assert plan["plan"]["tokens"] == 2 * 2 * 16
    assert plan["plan"]["measured"]  # the finished run tells how long
    output = run(*asked, "--dry-run").stdout
    assert re.search(r"1 of 2 runs to train, 64 tokens, \S+ (core|GPU)-hours \(as finished runs", output)


def test_models_weights_and_seeds_are_a_grid():
    asked = [*POCKET, "--model", "pocket-medium", "--weight", 0.1, "--weight", 1, "--seed", 0, "--seed", 1]
    rows = json.loads(run(*asked, "--dry-run", "--json").stdout)["runs"]
    labels = [f"{model}, dispersion {weight}" for model in ("pocket-small", "pocket-medium") for weight in ("0.1", "1")]
    assert [(row["run"], row["seed"]) for row in rows] == [(label, seed) for label in labels for seed in (0, 1)]


RUNS = """
model = "pocket-small"
corpus = "documentation"
steps = 9
length = 16
text_length = 24
seeds = [0, 1]
"""


def in_a_file(changes="changes.none = {}\nchanges.l2 = {loss = 'l2_repel'}"):
    Path("runs.toml").write_text(RUNS + changes)


def test_flags_come_before_the_file():
    in_a_file()
    rows = json.loads(run("runs.toml", "--steps", 7, "--dry-run", "--json").stdout)["runs"]
    assert [(row["run"], row["seed"], row["tokens"]) for row in rows] == [
        (label, seed, 7 * 8 * 16) for label in ("none", "l2") for seed in (0, 1)
    ]
    rows = json.loads(run("runs.toml", "--loss", "dispersion", "--seed", 4, "--dry-run", "--json").stdout)["runs"]
    assert [(row["run"], row["seed"]) for row in rows] == [("dispersion", 4)]


def test_several_losses_and_options_of_a_file_are_trained_with_and_in_the_record():
    two, options = {"koleo": 0.1, "log_det": 0.3}, {"slices": 8}
    in_a_file("""
    changes.two = {loss = {koleo = 0.1, log_det = 0.3}}
    changes.lines = {loss = "sigreg", weight = 0.5, options = {slices = 8}}
    """)
    rows = json.loads(run("runs.toml", *TINY, "--seed", 0, "--json").stdout)["runs"]
    assert [row["run"] for row in rows] == ["two", "lines"]
    made = [json.loads(Path(row["record"]).read_text()) for row in rows]
    asked = [[record["config"].get(name) for name in ("loss", "weight", "options")] for record in made]
    assert asked == [[two, 1.0, None], ["sigreg", 0.5, options]]
    for record, (_, weight, _) in zip(made, asked, strict=True):
        first = record["results"]["curve"][0]
        assert first["loss_regulariser"] != 0
        assert first["loss"] == pytest.approx(first["loss_language"] + weight * first["loss_regulariser"], abs=1e-3)


def test_a_weight_alone_does_not_replace_the_losses_of_the_file():
    in_a_file()
    said = run("runs.toml", "--weight", 0.5, "--dry-run", status=2).stderr
    assert "add --loss, or set the weight in runs.toml" in said
    asked = ["--loss", "l2_repel", "--weight", 0.5, "--seed", 0]
    rows = json.loads(run("runs.toml", *asked, "--dry-run", "--json").stdout)["runs"]
    assert [row["run"] for row in rows] == ["l2_repel"]


def test_options_of_a_loss_go_to_the_runs_with_a_loss(monkeypatch):
    asked = []
    monkeypatch.setattr(train, "_show_plan", lambda jobs, *_: asked.extend(config.as_dict() for _, config in jobs))
    run(*POCKET, "--loss", "none", "--loss", "dispersion", "--set", "layers=last", "--set", "texts=2", "--dry-run")
    assert [(config["loss"], config["layers"], config["texts"]) for config in asked] == [
        (None, None, 2),
        ("dispersion", "last", 2),
    ]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--weight", 0.5], "add --loss dispersion"),
        (["--set", "layers=last"], "'layers', which nothing reads without a loss"),
    ],
)
def test_an_option_that_nothing_reads_is_refused(option, said):
    assert said in " ".join(run(*POCKET, "--loss", "none", *option, "--dry-run", status=2).stderr.split())


@pytest.mark.parametrize("more", [[], ["--set", "layers=last"], ["--set", "texts=2"]])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("changes = ['train']", "must be a table"),
        ("changes = {}", "must be a table"),
        ("changes = {a = 'dispersion'}", "must be a table"),
        ("", "runs.toml has no 'changes': add it"),
    ],
)
def test_a_file_with_other_changes_than_a_table_is_refused(changes, message, more):
    in_a_file(changes)
    assert message in run("runs.toml", *more, "--dry-run", status=2).stderr


def test_sources_may_have_blanks(made):
    run(*POCKET, "--sources", "local, pypi")
    assert made[0].sources == ("local", "pypi")


def test_set_reaches_the_setup_and_each_condition(made):
    run(*POCKET, "--set", "layers='last'", "--set", "temperature=2.0", "--set", "few_shot=3")
    (config,) = made
    assert (config.layers, config.temperature, config.few_shot) == ("last", 2.0, 3)


def test_trained_weights_are_kept(made, tmp_path):
    output = run(*POCKET, "--weights-out", "models").stdout
    (path,) = (tmp_path / "records").glob("*.json")
    assert (tmp_path / "models" / path.stem / "model.safetensors").exists()
    assert str(tmp_path / "models") in output
    assert store.weights_of(made[0]) is None  # of this command alone


# --- how it ends ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give a file, or --model with --corpus and --steps"),
        (["--model", "gpt2", "--steps", "9"], "The command line has no 'corpus': add it"),
        ([*POCKET, "--loss", "dispersal"], "Unknown loss 'dispersal'. Did you mean 'dispersion'"),
        ([*POCKET, "--weight", "-1"], "weight must be above 0"),
        ([*POCKET, "--set", "lambda=1"], "No run knows 'lambda'"),
        ([*POCKET, "--set", "lambda"], "--set lambda: write it as NAME=VALUE"),
        ([*POCKET, "--jobs", "2"], "--jobs and --slurm are for jobs"),
        ([*POCKET, "--corpus", "imbd"], "Unknown corpus 'imbd'"),
        ([*POCKET, "--set", "forgetting=true"], "--set forgetting=true: write True"),
        ([*POCKET, "--sources", "locale"], "Unknown source 'locale'. Did you mean 'local'"),
        (["no.toml"], "There is no file no.toml. Give one of runs"),
        ([*POCKET, "--weights-out", __file__], "a file is in the way). Give another folder with --weights-out"),
        ([*POCKET, "--set", "steps=20"], "--set steps=...: this setting has a flag of its own: see --help"),
        ([*POCKET, "--set", "seeds=[0]"], "--set seeds=...: this setting has a flag of its own"),
        ([*POCKET, "--seed", 1, "--seed", 1], "a seed is given twice in [1, 1]"),
        ([*POCKET, "--length", 33], "length is 33, and pocket-small takes 32 tokens at most"),
        ([*POCKET, "--model", "./nope", "--dry-run"], "There is no folder ./nope"),
    ],
)
def test_bad_input_ends_with_2_and_the_cure(arguments, message, made):
    result = run(*arguments, status=2)
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""
    assert made == []


def test_a_run_that_fails_ends_with_1(monkeypatch):
    def train_all(*_):
        raise RuntimeError("A training run failed (toy): no memory")

    monkeypatch.setattr(workers, "train_all", train_all)
    assert "A training run failed (toy): no memory" in run(*POCKET, "--quiet", status=1).stderr


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(monkeypatch):
    def train_all(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(workers, "train_all", train_all)
    assert "The same command resumes: finished runs are kept" in " ".join(run(*POCKET, status=130).stderr.split())


def test_quiet_prints_nothing():
    result = run(*POCKET, "--quiet")
    assert (result.stdout, result.stderr) == ("", "")


def test_without_the_engine_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    assert installs("cluster") in " ".join(run(*POCKET, "--on", "local", status=2).stderr.split())


# --- the help -------------------------------------------------------------------------------------------------------


def examples():
    lines = train.train.__doc__.partition("Examples:")[2].splitlines()
    return [line.strip().removeprefix("decondense train ") for line in lines if line.strip()]


@pytest.mark.parametrize("example", examples())
def test_examples_of_the_help_run(example, tmp_path, monkeypatch, made):
    """On the toy model and corpus, and without a cluster."""
    (tmp_path / "runs.toml").write_text(RUNS.replace("[0, 1]", "[0]") + "changes.none = {}")
    monkeypatch.setattr("decondense.runs.cluster.engine", lambda *asked: workers.train_all)
    one = runfile.asked
    small = {"model": ["pocket-small"], "corpus": "documentation", "steps": 2, "checkpoints": 1, "train_tokens": 0}
    small |= {"length": 16, "texts": 2, "text_length": 24, "held_out": 2, "batch_size": 2}
    monkeypatch.setattr(runfile, "asked", lambda given, *how: one(dict(given) | small, *how))
    arguments = shlex.split(example)
    output = run(*arguments).stdout
    assert ("to train" in output) == ("--dry-run" in arguments)
    assert len(made) == (
        0 if "--dry-run" in arguments else max(1, arguments.count("--loss")) * max(1, example.count("--seed"))
    )
