"""Data sets as the hub has them: texts, streams and benchmarks, with the commit that they are from."""

import pytest
from standin import data
from standin.server import commit

from decondense import corpora, evaluate, models
from decondense.chapters.posttraining import grade_school
from decondense.corpora import hub as any_set
from decondense.evaluate import harness

ROWS = {
    "wikitext-103": data.LINES, "wikitext-2": data.LINES, "pubmed_qa": data.ROWS, "imdb": data.ROWS, "squad": data.ROWS,
    "fineweb-edu-1B": data.ROWS,
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_a_corpus_of_the_hub(hub, name):
    found = corpora.load(name, ["hub"])
    asked_for, configuration, split, _ = corpora.ORIGINS[name].hub
    assert len(found.rows) == ROWS[name]
    assert found.source == f"hub {asked_for} ({split}) at {commit(asked_for, 'main')}"
    assert {asked.id for asked in hub.log if asked.kind} == {asked_for}
    brought = [asked.file for asked in hub.downloads()]
    assert len(set(brought)) == len(brought)
    assert {file.split("/")[0] for file in brought if "/" in file} == {
        configuration or next(iter(data.SETS[asked_for]))
    }


def test_c4_is_streamed_at_its_pinned_revision(hub):
    rows = corpora.load("c4", ["hub"]).rows
    assert hub.log == []
    first = next(iter(rows))
    assert first == data.page(0)["text"]
    assert {asked.revision for asked in hub.downloads()} == {corpora.ORIGINS["c4"].revision}
    assert {asked.file for asked in hub.downloads()} - {"README.md"} == {"en/c4-train.00000-of-00002.json.gz"}


def test_problems_of_school_with_the_commit_of_both_splits(hub):
    grade_school.read.cache_clear()
    rows = grade_school.training({"problems": data.ROWS}, 0, ["local", "hub"])
    assert {row.prompt for row in rows} >= {f"{grade_school.ASKED}{data.school(0)['question']}\nSolution:"}
    assert any(row.answer > 1000 for row in rows)
    at = commit("openai/gsm8k", "main")
    source = f"hub openai/gsm8k (train) at {at}; hub openai/gsm8k (test) at {at}"
    assert grade_school.about(["local", "hub"]) == {"data": {"name": "openai/gsm8k", "source": source}}
    grade_school.read.cache_clear()


def test_a_data_set_without_a_name_here(hub):
    found = any_set.texts("stanfordnlp/imdb:plain_text:test", 2)
    sha = commit("stanfordnlp/imdb", "main")
    assert found.source == f"stanfordnlp/imdb:plain_text:test (hub at {sha}, column text, the first 700 rows)"
    assert {asked.revision for asked in hub.downloads()} == {sha}


@pytest.mark.parametrize("name", [name for name in evaluate.PAPER_TASKS if name != "mmlu"])
def test_a_benchmark_of_the_hub(hub, name):
    loaded = harness.load(name, 0, ["hub"])
    (task,) = loaded.leaves.values()
    assert len(task.eval_docs) == data.ITEMS
    assert loaded.source == f"hub {task.DATASET_PATH} at {commit(task.DATASET_PATH, 'main')}"
    assert {asked.id for asked in hub.log if asked.kind} == {task.DATASET_PATH}


def test_a_model_of_the_hub_on_benchmarks_of_the_hub(hub):
    loaded = models.load("gpt2", sources=["hub"], device="cpu")
    found = evaluate.evaluate(loaded.model, loaded.tokenizer, ["piqa", "arc_easy"], limit=3, sources=["hub"])
    assert found.table()["items"].tolist() == [3, 3, 6]
    assert [about["shots"] for about in found.tasks.values()] == [0, 1]
    hubs = {"piqa": "baber/piqa", "arc_easy": "allenai/ai2_arc"}
    assert {task: about["source"] for task, about in found.tasks.items()} == {
        task: f"hub {name} at {commit(name, 'main')}" for task, name in hubs.items()
    }


def test_a_benchmark_is_asked_for_once_and_gives_the_same_numbers_again(hub):
    loaded = models.load("gpt2", sources=["hub"], device="cpu")
    of = lambda task, seed: (
        evaluate.evaluate(loaded.model, loaded.tokenizer, [task], limit=3, sources=["hub"], few_shot=2, seed=seed).items
    )
    first = of("arc_easy", 0)
    hub.log.clear()
    other, again = of("arc_easy", 1), of("arc_easy", 0)
    assert hub.log == []
    assert again.equals(first)
    assert not other.equals(first)
