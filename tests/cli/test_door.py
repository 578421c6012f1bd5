"""What a command is given: each bad thing is refused with its cure, before anything is loaded."""

import json
from pathlib import Path

import pytest

from decondense import corpora
from decondense.cli import door


def test_a_file_is_one_text_and_jsonl_one_a_line(tmp_path):
    (tmp_path / "a.txt").write_text("one\ntwo\n", encoding="utf-8")
    rows = [json.dumps({"text": "three\u2028four", "id": 1}), "", json.dumps("five")]
    (tmp_path / "b.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    found = door.texts([tmp_path / "a.txt", tmp_path / "b.jsonl"])
    assert found.texts == ["one\ntwo\n", "three\u2028four", "five"]
    assert found.source == "files a.txt, b.jsonl"
    assert door.texts([tmp_path / "a.txt", tmp_path / "b.jsonl"], n=2).texts == found.texts[:2]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"", "is empty"),
        ("a.txt", b" \n\n", "is empty"),
        ("a.txt", b"caf\xe9 au lait", "is not UTF-8 .byte 3.*iconv"),
        ("a.jsonl", b'{"text": "x"}\n{', "line 2 is not JSON"),
        ("a.jsonl", b'{"body": "x"}', 'line 1 has no text.*"text"'),
        ("a.jsonl", b'{"text": " "}', "line 1 has no text"),
    ],
)
def test_a_file_that_holds_no_text(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=said):
        door.texts([tmp_path / name])


def test_files_or_a_data_set(tmp_path):
    with pytest.raises(ValueError, match="not both"):
        door.texts([tmp_path / "a.txt"], "wikitext-2")


def test_a_folder_or_nothing_in_place_of_a_file(tmp_path):
    with pytest.raises(IsADirectoryError, match=r"is a folder\. Name the files"):
        door.texts([tmp_path])
    with pytest.raises(FileNotFoundError, match=r"no file .*gone.txt. Give --texts"):
        door.texts([tmp_path / "gone.txt"])


def test_texts_of_a_data_set(monkeypatch):
    rows = [f"row {i} has six words here\n" for i in range(2000)]
    monkeypatch.setattr(corpora, "load", lambda name, sources: corpora.Corpus(name, rows, "a shelf", "0"))
    found = door.texts(dataset="documentation", n=3, first_seed=5)
    corpus = corpora.Corpus("documentation", rows, "a shelf", "0")
    assert found.texts == corpora.sample_texts(corpus, 3, 5)
    assert found.source == "documentation (a shelf)"
    assert len(door.texts().texts) == door.N_TEXTS


HOW = {
    "weights": "pretrained",
    "tokenizer": None,
    "dtype": "float32",
    "device": "cpu",
    "sources": ("local",),
    "seed": 0,
}


@pytest.mark.parametrize(
    ("names", "changes", "message"),
    [
        (["gpt2"], {"weights": "trained"}, "Unknown weights 'trained'"),
        (["gpt2"], {"dtype": "float23"}, "Did you mean 'float32'"),
        (["gpt2"], {"sources": ("hubb",)}, "Did you mean 'hub'"),
        (["gpt2"], {"device": "nowhere"}, "Device 'nowhere' is not there.*cpu"),
        (["gpt2"], {"tokenizer": "gtp2"}, "Did you mean 'gpt2'"),
        (["gpt2", "gtp2"], {}, "Did you mean 'gpt2'"),
        (["gpt2", "gpt2"], {}, "gpt2 is given twice"),
        (["a/last", "b/last"], {}, "last is given twice, or is the name of two folders"),
        (["a/last"], {"seed": 1}, "has weights of its own: add --weights random, or leave --seed out"),
    ],
)
def test_what_every_model_would_be_refused_for(tmp_path, monkeypatch, names, changes, message):
    monkeypatch.chdir(tmp_path)
    for folder in "ab":
        (tmp_path / folder / "last").mkdir(parents=True)
        (tmp_path / folder / "last" / "config.json").write_text("{}")
    door.check(["a/last", "gpt2", "pocket-small", "Qwen/Qwen3-0.6B", "some/other"], HOW)
    door.check(["pocket-small"], HOW | {"seed": 1})
    with pytest.raises(ValueError, match=message):
        door.check(names, HOW | changes)


def test_a_folder_to_write_into(tmp_path):
    door.check_folder(tmp_path / "new" / "deep")
    door.check_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []  # nothing is left behind
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"a file is in the way.*--out"):
        door.check_folder(tmp_path / "file" / "new")


def test_the_nearest_folder_that_exists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert door.nearest(tmp_path) == door.nearest(Path("not") / "yet") == tmp_path


def test_a_place_where_nobody_may_write(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(door.tempfile, "NamedTemporaryFile", refuse)
    with pytest.raises(OSError, match=r"Cannot write into .*Permission denied.*--out"):
        door.check_folder(tmp_path)


def test_more_texts_than_the_files_hold_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("one two")
    with pytest.raises(ValueError, match=r"hold 1 texts, fewer than --n 4\. Leave --n out"):
        door.texts([tmp_path / "a.txt"], n=4)


def test_a_seed_of_a_data_set_is_refused_for_files(tmp_path):
    (tmp_path / "a.txt").write_text("some text")
    with pytest.raises(ValueError, match="--text-seed is of a data set"):
        door.texts([tmp_path / "a.txt"], first_seed=1)


def test_an_option_that_nobody_reads_is_refused():
    def command(texts: str = "", text_seed: int = 0, quiet: bool = False) -> None: ...

    door.refuse_unread(command, {"texts": "", "text_seed": 0, "quiet": True}, ["quiet"], "is of a model")
    with pytest.raises(ValueError, match=r"^--text-seed is of a model: leave it out\.$"):
        door.refuse_unread(command, {"texts": "", "text_seed": 3, "quiet": True}, ["quiet"], "is of a model")
