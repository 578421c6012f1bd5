"""The command `measure` from the door to the files, on tiny models in folders."""

import errno
import json
import os
import re
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from decondense import pairing, surveys
from decondense.cli import app, measure
from decondense.condensation import Condensation


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path):
    for name in ("DECONDENSE_DEBUG", "TQDM_DISABLE", "HF_HUB_DISABLE_PROGRESS_BARS", "TRANSFORMERS_VERBOSITY"):
        monkeypatch.setenv(name, "")  # so that it is as before after the test
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def models(tmp_path, tiny_gpt2, tiny_tokenizer, texts):
    """Two models and texts, in the current folder."""
    for number, name in enumerate(("one", "two")):
        torch.manual_seed(number)
        model = type(tiny_gpt2)(tiny_gpt2.config)
        model.save_pretrained(tmp_path / name)
        tiny_tokenizer.save_pretrained(tmp_path / name)
    (tmp_path / "texts.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    return tmp_path


@pytest.fixture
def finite(condensation):
    return replace(condensation, nonfinite_vectors=np.zeros(5, dtype=int))


GIVEN = ("--texts", "texts.jsonl", "--max-length", 32)


def run(*arguments, charset="utf-8"):
    words = ["measure", *map(str, arguments)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["decondense", *words])
        return CliRunner(charset=charset).invoke(app.app, words)


def test_one_model(models):
    result = run("one", *GIVEN, "--out", "new/out")
    assert result.exit_code == 0, result.output
    out = models / "new" / "out"
    assert {p.name for p in out.iterdir()} == {"one.npz", *(f"report.{end}" for end in ("html", "png", "csv", "json"))}
    saved = Condensation.load(out / "one.npz")
    assert f"rho        {saved.rho:+.3f}" in result.stdout
    assert "share of pairs" in result.stdout
    table = pd.read_csv(out / "report.csv")
    assert table.mu.to_list() == pytest.approx(saved.mu)
    assert (out / "report.png").read_bytes().startswith(b"\x89PNG")
    content = json.loads((out / "report.json").read_text())
    assert content["models"][0]["rho"] == pytest.approx(saved.rho)
    assert content["texts"]["sha256"] == saved.settings["texts_sha256"]
    html = (out / "report.html").read_text(encoding="utf-8")
    assert "measure one --texts texts.jsonl --max-length 32" in html
    for written in (html, (out / "report.json").read_text(), str(saved.settings)):
        assert str(models) not in written
        assert models.name not in written


def test_paths_are_not_written_anywhere(models):
    run(models / "one", "--texts", models / "texts.jsonl", "--max-length", 32, "--out", models / "out", "--quiet")
    for path in (models / "out").iterdir():
        assert str(models).encode() not in path.read_bytes()


def test_several_models_make_the_family_figure(models):
    result = run("one", "two", *GIVEN, "--out", "out", "--json")
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert content == json.loads((models / "out" / "report.json").read_text())
    assert [model["name"] for model in content["models"]] == ["one", "two"]
    (difference,) = content["differences"]
    assert difference["rho"]["difference"] == pytest.approx(content["models"][1]["rho"] - content["models"][0]["rho"])
    assert (models / "out" / "trends.png").is_file()
    assert (models / "out" / "report.html").read_text(encoding="utf-8").count("data:image/png") == 2
    table = pd.read_csv(models / "out" / "report.csv")
    assert table.model.unique().tolist() == ["one", "two"]


def test_one_that_fails_is_named_and_the_files_of_the_others_stay(models):
    (models / "bad").mkdir()
    (models / "bad" / "config.json").write_text("{}")
    result = run("one", "bad", "two", *GIVEN, "--out", "out")
    assert result.exit_code == 1
    assert re.search(r"^error: bad: .+$", result.stderr, re.MULTILINE)
    assert {p.name for p in (models / "out").glob("*.npz")} == {"one.npz", "two.npz"}
    assert list(json.loads((models / "out" / "report.json").read_text())["failed"]) == ["bad"]
    assert "Not measured" in (models / "out" / "report.html").read_text(encoding="utf-8")


def test_all_of_several_fail(models):
    for name in ("bad", "worse"):
        (models / name).mkdir()
        (models / name / "config.json").write_text("{}")
    result = run("bad", "worse", *GIVEN, "--json", "--out", "out")
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    assert (list(content["failed"]), content["models"], content["differences"]) == (["bad", "worse"], [], [])
    assert list((models / "out").glob("*")) == []


ONLY = (  # what is done to the model `one`, the arguments, what is said
    ("tokenizer*", GIVEN, "one has no tokenizer. Save it there"),
    ("model.safetensors", GIVEN, "one has no weights. Save them there"),
    ("", ("--texts", "texts.jsonl", "--max-length", 65), "the model 64 positions. Give max_length=64"),
    ("", ("--texts", "word.txt"), "Text 0 has 1 token(s)"),
)


@pytest.mark.parametrize(("without", "arguments", "said"), ONLY)
def test_the_only_one_that_fails_is_bad_input(models, texts, without, arguments, said):
    """As what is refused at the door: status 2, and the error as JSON. Of several, one that fails ends with 1."""
    (models / "word.txt").write_text("w1")
    (models / "texts.jsonl").write_text(json.dumps(" ".join(texts)))
    for path in (models / "one").glob(without) if without else ():
        path.unlink()
    result = run("one", *arguments, "--json")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("error: one: ")
    content = json.loads(result.stdout)
    assert (list(content), content["status"]) == (["error", "status"], 2)
    assert said in content["error"]
    assert content["error"] == result.stderr.splitlines()[-1].removeprefix("error: ")
    result = run("one", "two", *arguments, "--json")
    assert result.exit_code == 1
    assert said in json.loads(result.stdout)["failed"]["one"]


def test_texts_are_cut_to_what_all_models_can_take(models, texts):
    """Where nobody says how far: 512 tokens, or the positions of the model that has the fewest."""
    (models / "long.jsonl").write_text(json.dumps(" ".join(texts)))  # 200 words
    for names, length in ((["one"], 64), (["one", "pocket-small"], 64)):
        how = () if len(names) == 1 else ("--weights", "random", "--tokenizer", "one")
        result = run(*names, "--texts", "long.jsonl", *how, "--json")
        assert result.exit_code == 0, result.output
        for model in json.loads(result.stdout)["models"]:
            assert model["settings"]["max_length"] == length
            assert model["tokens"] == [length]


def test_an_interruption_keeps_what_was_measured(models, monkeypatch, finite):
    def measured(name, *_, **how):
        if name == "two":
            raise KeyboardInterrupt
        return finite

    monkeypatch.setattr(surveys, "by_name", measured)
    assert run("one", "two", *GIVEN, "--out", "out").exit_code == 130
    assert [p.name for p in (models / "out").iterdir()] == ["toy.npz"]


# --- a card, tokens, saved states -----------------------------------------------------------------------------------


def test_a_card_is_written_beside_its_figure(models):
    assert run("one", *GIVEN, "--card", "--out", "out", "--quiet").exit_code == 0
    card = (models / "out" / "card.md").read_text(encoding="utf-8")
    saved = Condensation.load(models / "out" / "one.npz")
    assert f"| one | 3 | {saved.mu[0]:.3f} | {saved.mu[1]:.3f} | {saved.mu[3]:.3f} |" in card
    assert "](report.png)" in card
    assert "\ndecondense measure one --texts texts.jsonl --max-length 32 --card --out out --quiet\n" in card


def test_a_card_alone_is_all_that_is_printed(models):
    result = run("one", *GIVEN, "--card")
    assert result.exit_code == 0
    assert result.stdout.startswith("## Embedding condensation\n")
    assert result.stdout.endswith("--card\n```\n")
    assert "report.png" not in result.stdout


def test_tokens_are_written_and_shown(models, texts):
    result = run("one", "two", *GIVEN, "--per-token", "--out", "out")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("furthest out") == 2
    table = pd.read_csv(models / "out" / "per_token.csv")
    assert len(table) == 2 * len(texts) * 32
    saved = Condensation.load(models / "out" / "two.npz")
    mine = table[(table.model == "two") & (table.text == 3)]
    assert mine.token.tolist() == texts[3].split()[:32]
    for place, entry in (("first", 0), ("middle", 1), ("last", 3)):
        assert mine[f"cosine_{place}"].mean() ** 2 == pytest.approx(saved.mu_per_text[3, entry], abs=1e-6)
    content = json.loads((models / "out" / "report.json").read_text())
    lowest = table[table.model == "two"].groupby("token").cosine_last.mean().sort_values()
    assert [t["token"] for t in content["per_token"]["two"]["furthest_out"]] == lowest.index[:10].tolist()
    assert content["per_token"]["two"]["furthest_in"][0]["cosine"] == pytest.approx(lowest.iloc[-1], abs=1e-6)
    assert "Tokens furthest in and out" in (models / "out" / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def states(models, tiny_gpt2, tiny_tokenizer, texts):
    """A folder as vLLM writes it, of the texts and the model `one`."""
    model = type(tiny_gpt2).from_pretrained(models / "one")
    (models / "states").mkdir()
    for number, text in enumerate(texts):
        ids = tiny_tokenizer(text)["input_ids"][:32]
        with torch.no_grad():
            hidden = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
        z = torch.cat(hidden).transpose(0, 1).contiguous()
        save_file({"hidden_states": z, "token_ids": torch.tensor(ids)}, models / "states" / f"{number}.safetensors")
    return models / "states"


def test_states_say_what_their_model_says(states, models):
    assert run("one", *GIVEN, "--out", "of_model").exit_code == 0
    result = run("--states", "states", "--out", "of_states", "--card", "--json")
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    known = json.loads((models / "of_model" / "report.json").read_text())["models"][0]
    for number in ("mu", "mu_off_diagonal", "rho", "rho_interval", "tau_interval", "late_half", "tokens"):
        assert content["models"][0][number] == pytest.approx(known[number], abs=1e-6)
    assert content["texts"] == {"source": "the states in states", "n": 5, "sha256": None}
    assert "axes tokens,layers,features, inferred from the ids" in content["models"][0]["settings"]["model"]["source"]
    out = models / "of_states"
    assert {p.name for p in out.iterdir()} == {
        "states.npz", "card.md", *(f"report.{end}" for end in ("html", "png", "csv", "json"))
    }  # fmt: skip
    assert "up to 32 tokens each" in (out / "report.html").read_text(encoding="utf-8")
    pair = pairing.compare(Condensation.load(out / "states.npz"), Condensation.load(models / "of_model" / "one.npz"))
    assert [number.difference for number in pair.numbers] == pytest.approx([0, 0, 0], abs=1e-6)


def test_states_in_a_terminal(states):
    result = run("--states", "states/0.safetensors", "--order", "tokens,layers,features")
    assert result.exit_code == 0, result.output
    assert "1 texts from the states in 0.safetensors" in result.stdout
    assert "source: saved hidden states; axes tokens,layers,features, as --order says" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name a MODEL, or give --states PATH."),
        (["one", "--order", "tokens,layers,features"], "--order needs --states PATH: give both."),
        (["one", "--states", "states"], "name a MODEL or give --states, not both"),
        (["--states", "states", "--n", "3"], "--n needs a model, and --states has none: leave it out."),
        (["--states", "states", "--max-length", "32"], "--max-length needs a model"),
        (["--states", "states", "--per-token"], "--per-token needs a model"),
        (["--states", "states", "--out", "states"], "--out states is the folder with the states"),
        (["--states", "states", "--order", "layers"], "--order layers: name layers, tokens and features"),
        (["--states", "states", "--order", "layers,tokens,features"], "but 32 ids or mask values beside them"),
        (["--states", "gone"], "There is no file or folder gone"),
        (["--states", "one"], "config.json is no file of hidden states"),
        (["--states", "texts.jsonl"], "texts.jsonl is no file of hidden states"),
        (["one", *GIVEN, "--card", "--json"], "--card without --out prints the card alone"),
        (["one", *GIVEN, "--card", "--per-token"], "--card without --out prints the card alone: leave --quiet, --json"),
    ],
)
def test_bad_input_about_states_is_one_line(states, arguments, said):
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert json.loads(result.stdout)["status"] == 2 if "--json" in arguments else result.stdout == ""


def test_quiet_prints_nothing(models):
    result = run("one", *GIVEN, "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_quiet_leaves_errors_and_no_warnings(models, monkeypatch, finite):
    def measured(name, *_, **how):
        warnings.warn("a rope too long", stacklevel=1)
        if name == "two":
            raise OSError("no weights")
        return finite

    monkeypatch.setattr(surveys, "by_name", measured)
    assert "warning: a rope too long" in run("one", "two", *GIVEN).stderr
    assert run("one", "two", *GIVEN, "--quiet").stderr == "error: two: no weights\n"


def test_sources_may_have_blanks(models):
    assert run("one", *GIVEN, "--sources", "local, pypi", "--quiet").exit_code == 0


def test_plain_ascii_for_a_terminal_that_has_no_more(models):
    for names in (["one"], ["one", "two"]):
        result = run(*names, *GIVEN, charset="ascii")
        assert result.exit_code == 0, result.output
        assert max(map(len, result.stdout.splitlines())) <= 80


def test_the_same_texts_give_the_same_numbers_in_every_form(models, texts):
    pd.DataFrame({"id": range(5), "text": texts}).to_csv(models / "texts.csv", index=False)
    (models / "texts.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(texts).encode())
    found = [
        json.loads(run("one", "--texts", f"texts.{end}", *GIVEN[2:], "--json").stdout)
        for end in ("jsonl", "csv", "json")
    ]
    assert found[0]["models"][0]["mu"] == found[1]["models"][0]["mu"] == found[2]["models"][0]["mu"]
    assert len({content["texts"]["sha256"] for content in found}) == 1


def test_pieces_of_a_long_file(models, texts):
    (models / "long.txt").write_text(" ".join(texts))  # 200 words
    result = run("one", "--texts", "long.txt", "--split", "--max-length", 16, "--json")
    content = json.loads(result.stdout)
    assert content["texts"]["source"] == "files long.txt, in pieces"
    assert content["models"][0]["tokens"] == [16] * 6  # 6 pieces of 32 words; 8 words are left
    result = run("one", "--texts", "long.txt", "--max-length", 16, "--json")
    assert json.loads(result.stdout)["models"][0]["tokens"] == [16]
    assert (
        "warning: long.txt has about 200 words, of which only the first 16 tokens are measured (92.0 %" in result.stderr
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gtp2"], "Unknown model 'gtp2'. Did you mean 'gpt2'?"),
        (["one", "one", *GIVEN], "one is given twice"),
        (["one", "--texts", "gone.txt"], "There is no file gone.txt. Give --texts a file, or --dataset a name."),
        (["one", "--texts", "empty.txt"], "empty.txt is empty. Leave it out"),
        (["one", "--texts", "latin.txt"], "latin.txt is not UTF-8. It is probably WINDOWS-1252, and reads 'café'."),
        (["one", "--texts", "a.pdf"], "a.pdf is a PDF. Convert it: pdftotext a.pdf text.txt."),
        (["one", *GIVEN, "--column", "body"], "has no column 'body'. It has: text. Name a column"),
        (
            ["one", "--texts", "chats.jsonl"],
            "The texts are chats, and one has no chat template. Name an instruct model",
        ),
        (["one", "--dataset", "owner/name", "--sources", "local"], "add hub to --sources"),
        (["one", "--texts", "one"], "one is a folder. Name the files in it"),
        (["bare", *GIVEN], "The folder bare has no config.json"),
        (["./gone", *GIVEN], "There is no folder ./gone"),
        (["one", "--dataset", "wikitext"], "Unknown corpus 'wikitext'. Did you mean"),
        (["one", "--dataset", "wikitext-103", "--sources", "local"], "set DECONDENSE_DATA to a folder"),
        (["one", *GIVEN, "--out", "texts.jsonl"], "Give another folder with --out."),
        (["one", *GIVEN, "--out", "/proc/new"], "Cannot write into /proc/new"),
        (["one", *GIVEN, "--device", "cuda:99"], "Use device='cpu'"),
        (["one", *GIVEN, "--sources", "locale"], "Unknown source 'locale'. Did you mean 'local'"),
    ],
)
def test_bad_input_is_one_line_with_its_cure(models, arguments, said):
    (models / "bare").mkdir()
    (models / "empty.txt").touch()
    (models / "latin.txt").write_bytes(b"caf\xe9")
    (models / "a.pdf").write_bytes(b"%PDF-1.7")
    (models / "chats.jsonl").write_text('{"messages": [{"role": "user", "content": "w1"}]}')
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert said in result.stderr.splitlines()[-1]
    errors = [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert result.stdout == ""


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_is_said_before_a_text_is_read(models):
    result = run("one", "--texts", "gone.txt", "--device", "cuda")
    assert result.exit_code == 2
    assert "Device 'cuda' is not there" in result.stderr


def test_json_is_all_that_a_pipe_gets(models):
    given = ("--texts", "texts.jsonl", "--max-length", 40)  # all of them, so that there is nothing to warn of
    command = [sys.executable, "-m", "decondense", "measure", "one", *map(str, given), "--json"]
    env = {name: value for name, value in os.environ.items() if name != "TRANSFORMERS_VERBOSITY"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    assert json.loads(done.stdout)["command"] == "decondense measure one --texts texts.jsonl --max-length 40 --json"
    assert done.stderr == ""


def test_a_damaged_model_is_named_and_the_json_is_whole(models):
    config = json.loads((models / "one" / "config.json").read_text())
    (models / "one" / "config.json").write_text(json.dumps(config | {"n_head": 0}))
    result = run("one", "two", *GIVEN, "--json")
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    assert [model["name"] for model in content["models"]] == ["two"]
    assert "cannot be read (ZeroDivisionError" in content["failed"]["one"]


@pytest.mark.parametrize("name", [r"$\frac$", "x" * 250, "\x1b[31mred", "[bold]", "[", "a\nb", "_a", "[/x"])
def test_whatever_its_name_nothing_is_lost(models, name):
    if "/" in name:
        (models / "[").mkdir()
    (models / "two").rename(models / name)
    for names in ([name], [name, "one"]):
        result = run(*names, *GIVEN, "--out", "out")
        assert result.exit_code == 0, result.output
        assert "\x1b" not in result.output
        html = (models / "out" / "report.html").read_text(encoding="utf-8")
        assert "\x1b" not in html
    assert len(list((models / "out").glob("*.npz"))) == 2
    sides = sorted((models / "out").glob("*.npz"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["decondense", "compare"])
        compared = CliRunner().invoke(app.app, ["compare", *map(str, sides), "--out", "both"])
    assert compared.exit_code == 0, compared.output
    assert "\x1b" not in compared.output


# --- one after the other --------------------------------------------------------------------------------------------


HOW = {"weights": "pretrained", "seed": 0, "dtype": "float32"}
FAILS = {"bad": OSError("no\nsuch  file"), "full": OSError(errno.ENOSPC, "No space left on device")}


@pytest.fixture
def toys(monkeypatch, finite):
    """Measurements by name that give a toy, or fail."""

    def measured(name, *_, **how):
        if name in FAILS:
            raise FAILS[name]
        return replace(finite, name=name)

    monkeypatch.setattr(surveys, "by_name", measured)


def test_one_that_fails_does_not_take_the_others(toys):
    results, failed = measure.several(["a", "bad", "c"], None, HOW)
    assert [result.name for result in results] == ["a", "c"]
    assert failed == {"bad": "no such file"}


def test_what_was_not_foreseen_of_one_does_not_take_the_others(toys, monkeypatch):
    monkeypatch.setitem(FAILS, "odd", ZeroDivisionError("by zero"))
    results, failed = measure.several(["odd", "c"], None, HOW)
    assert [result.name for result in results] == ["c"]
    assert failed == {"odd": "ZeroDivisionError: by zero (DECONDENSE_DEBUG=1 shows where)"}


def test_debug_lets_the_error_through(toys, monkeypatch):
    monkeypatch.setenv("DECONDENSE_DEBUG", "1")
    with pytest.raises(OSError, match="no\nsuch"):
        measure.several(["bad"], None, HOW)


def test_a_full_disk_ends_it_and_is_no_fault_of_the_model(toys):
    with pytest.raises(OSError, match="No space left"):
        measure.several(["full", "a"], None, HOW)


@pytest.mark.parametrize(
    ("how", "name"),
    [
        ({}, "Lab/Toy-1B"),
        ({"seed": 3}, "Lab/Toy-1B-seed3"),
        ({"weights": "random"}, "Lab/Toy-1B-random-0"),
    ],
)
def test_a_name_has_what_was_drawn_and_the_file_no_folder(toys, tmp_path, how, name):
    ((result,), _) = measure.several(["Lab/Toy-1B"], None, HOW | how, tmp_path)
    assert result.name == name
    assert [path.name for path in tmp_path.iterdir()] == [f"{name.partition('/')[2].lower()}.npz"]


def test_hidden_vectors_that_are_not_finite_are_an_error(monkeypatch, condensation):
    monkeypatch.setattr(surveys, "by_name", lambda *_, **how: condensation)
    with pytest.raises(ValueError, match=r"10 hidden vectors are NaN or infinite, the first at entry 1: .*float32"):
        measure.measured("toy", None, HOW)
