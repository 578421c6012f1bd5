"""The command `compare`: saved results, folders and models; other texts are refused."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_condensations import made
from typer.testing import CliRunner

from decondense import corpora, pairing, surveys
from decondense.cli import app, door


@pytest.fixture(autouse=True)
def saved(monkeypatch, tmp_path):
    """before/a.npz and after/b.npz, on the same texts."""
    for name in ("DECONDENSE_DEBUG", "TQDM_DISABLE", "HF_HUB_DISABLE_PROGRESS_BARS", "TRANSFORMERS_VERBOSITY"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    mu = np.random.default_rng(0).random((6, 5))
    results = made(mu, "a", model={"source": "a shelf", "licence": "MIT"}), made(mu[:, ::-1], "b")
    for folder, result in zip(("before", "after"), results, strict=True):
        result.save(tmp_path / folder / f"{result.name}.npz")
    return results


def run(*arguments, charset="utf-8"):
    words = ["compare", *map(str, arguments)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["decondense", *words])
        return CliRunner(charset=charset).invoke(app.app, words)


@pytest.mark.parametrize("sides", [("before", "after"), ("before/a.npz", "after/b.npz"), ("before", "after/b.npz")])
def test_files_and_folders(saved, sides):
    result = run(*sides, "--json")
    assert result.exit_code == 0, result.output
    content, expected = json.loads(result.stdout), pairing.compare(*saved)
    assert (content["first"], content["second"], content["same_texts_by"]) == ("a", "b", "SHA-256")
    for number in expected.numbers:
        found = content[number.quantity.replace(" ", "_")]
        assert (found["difference"], *found["interval"]) == pytest.approx((number.difference, *number.interval))
    np.testing.assert_allclose(content["mu"]["difference"], expected.mu.difference)
    assert content["sentences"] == [pairing.sentence(n, "a", "b") for n in expected.numbers]


def test_what_is_printed_and_written(saved, tmp_path):
    result = run("before", "after", "--out", "new", charset="ascii")
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "minus a is" in result.stdout
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {f"comparison.{end}" for end in ("html", "png", "csv", "json")}
    table = pd.read_csv(tmp_path / "new" / "comparison.csv")
    np.testing.assert_allclose(table.second - table.first, table.difference, atol=1e-12)
    html = (tmp_path / "new" / "comparison.html").read_text(encoding="utf-8")
    assert "decondense" in html
    assert "compare before after" in html
    assert "a shelf" in html
    assert str(tmp_path) not in html


def test_quiet(saved):
    result = run("before", "after", "-q")
    assert (result.exit_code, result.output) == (0, "")


def test_the_same_name_on_both_sides_is_told_apart(saved):
    content = json.loads(run("before", "before", "--json").stdout)
    assert (content["first"], content["second"]) == ("a (A)", "a (B)")


def test_without_a_fingerprint_it_says_what_it_goes_by(saved, tmp_path):
    made(saved[0].mu_per_text, "c", texts_sha256=None).save(tmp_path / "c.npz")
    result = run("c.npz", "after")
    assert result.exit_code == 0
    assert "token counts agree" in result.stdout
    assert json.loads(run("c.npz", "after", "--json").stdout)["same_texts_by"] == "token counts"


def test_models_are_measured_now(saved, monkeypatch):
    asked = []
    results = {"pocket-small": saved[0], "gpt2": saved[1]}
    nothing = corpora.Texts([], "")
    monkeypatch.setattr(door, "texts", lambda *given, **how: asked.append((*given, how)) or nothing)
    monkeypatch.setattr(surveys, "by_name", lambda name, *_, **how: asked.append(name) or results[name])
    options = ("--n", 6, "--sources", "local", "--split", "--column", "body", "--max-length", 32)
    content = json.loads(run("pocket-small", "gpt2", *options, "--json").stdout)
    assert (content["first"], content["second"]) == ("a", "b")
    how = {"split": True, "column": "body", "max_length": 32}
    assert asked == [([], None, 6, 0, ("local",), how), "pocket-small", "gpt2"]


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        (("gone.npz", "after"), "There is no file gone.npz. Write one with: decondense measure"),
        (("empty", "after"), "The folder empty has neither a .npz nor a config.json"),
        (("both", "after"), "The folder both has 2 results. Give one of a.npz, b.npz."),
        (("gtp2", "after"), "Did you mean 'gpt2'?"),
        (("broken.npz", "after"), "broken.npz is not a saved Condensation"),
        (("other.npz", "after"), "other and b were not measured on the same texts. Measure both again with the same"),
        (("before", "after", "--out", "broken.npz"), "Give another folder with --out."),
    ],
)
def test_bad_input_is_one_line_with_its_cure(saved, tmp_path, sides, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.npz").write_bytes(b"PK nothing")
    for result in saved:
        result.save(tmp_path / "both" / f"{result.name}.npz")
    made(saved[0].mu_per_text, "other", texts_sha256="cd").save(tmp_path / "other.npz")
    result = run(*sides)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr


@pytest.mark.parametrize("option", [["--n", 3], ["--device", "cuda"], ["--dtype", "int7"], ["--accept-terms"]])
def test_an_option_of_a_measurement_is_refused_where_nothing_is_measured(saved, option):
    result = run("before", "after", *option)
    assert result.exit_code == 2
    assert f"{option[0]} is for a measurement, and both results are saved: leave it out" in result.stderr


def test_a_crafted_file_is_one_line_and_json(saved, tmp_path):
    np.savez(tmp_path / "crafted.npz", header="[]", mu_per_text=np.ones(3))
    result = run("crafted.npz", "after", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"].startswith("crafted.npz is not a saved Condensation")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(("given", "expected"), [([], 32), (["--max-length", 16], 16)])
def test_a_model_is_measured_as_far_as_the_saved_result_was(saved, monkeypatch, given, expected):
    short = replace(saved[0], settings=saved[0].settings | {"max_length": 32})
    short.save("short.npz")
    asked = []
    monkeypatch.setattr(door, "texts", lambda *_, **how: asked.append(how["max_length"]) or corpora.Texts([], ""))
    monkeypatch.setattr(surveys, "by_name", lambda *_, **how: asked.append(how["max_length"]) or saved[1])
    assert run("short.npz", "pocket-small", *given, "--json").exit_code == 0
    assert asked == [expected, expected]
