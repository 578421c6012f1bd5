"""What a command is given: each bad thing is refused with its cure, before anything is loaded."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from decondense import corpora, surveys
from decondense.cli import door
from decondense.corpora import hub


def test_a_file_is_one_text_and_jsonl_one_a_line(tmp_path):
    (tmp_path / "a.txt").write_text("one\ntwo\n", encoding="utf-8")
    rows = [json.dumps({"text": "three\u2028four", "id": 1}), "", json.dumps("five")]
    (tmp_path / "b.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    found = door.texts([tmp_path / "a.txt", tmp_path / "b.jsonl"])
    assert found.texts == ["one\ntwo\n", "three\u2028four", "five"]
    assert found.source == "files a.txt, b.jsonl"
    assert door.texts([tmp_path / "a.txt", tmp_path / "b.jsonl"], n=2).texts == found.texts[:2]


def test_the_source_names_pipes_and_pieces(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("one two")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"three four")))
    found = door.texts([tmp_path / "a.txt", Path("-")], split=True)
    assert found.texts == ["one two", "three four"]
    assert found.source == "files a.txt, (standard input), in pieces"


def test_a_column_and_a_length_reach_the_reader(tmp_path):
    (tmp_path / "a.csv").write_text("id,body\n1,one two three four five\n")
    with pytest.warns(UserWarning, match="a.csv has about 5 words, of which only the first 2 tokens"):
        found = door.texts([tmp_path / "a.csv"], column="body", max_length=2)
    assert found.texts == ["one two three four "]


def test_options_of_the_other_kind_of_texts(tmp_path):
    with pytest.raises(ValueError, match="--split cuts files"):
        door.texts(split=True)
    with pytest.raises(ValueError, match="--column is for files, folders and the hub; documentation has none"):
        door.texts(column="text")
    with pytest.raises(ValueError, match="Unknown corpus 'wikitext'"):
        door.texts(dataset="wikitext")


CHAT = [{"role": "user", "content": "Hello"}]


def test_chats_without_a_template_are_refused_before_anything_is_loaded(monkeypatch):
    known = {"bare": SimpleNamespace(chat_template=None), "instruct": SimpleNamespace(chat_template="{{ x }}")}
    monkeypatch.setattr(surveys, "load_tokenizer", lambda name, *_, **__: known[name])
    how = {"tokenizer": None, "sources": ("local",), "accept_terms": False}
    door.check_chats(["text"], ["unknown"], how)
    door.check_chats([CHAT], ["bare", "instruct"], how)
    door.check_chats([CHAT], ["bare"], how | {"tokenizer": "instruct"})
    with pytest.raises(ValueError, match=r"bare has no chat template\. Name an instruct model .*--tokenizer MODEL"):
        door.check_chats(["text", CHAT], ["bare"], how)


def test_files_or_a_data_set(tmp_path):
    with pytest.raises(ValueError, match="not both"):
        door.texts([tmp_path / "a.txt"], "wikitext-2")


def test_a_folder_or_nothing_in_place_of_a_file(tmp_path):
    with pytest.raises(IsADirectoryError, match=r"is a folder\. Name the files"):
        door.texts([tmp_path])
    with pytest.raises(FileNotFoundError, match=r"no file .*gone.txt. Give --texts"):
        door.texts([tmp_path / "gone.txt"])


def test_texts_of_a_data_set_without_a_name(monkeypatch):
    asked = []
    monkeypatch.setattr(hub, "texts", lambda *given, **how: asked.append((given, how)))
    door.texts(dataset="owner/name:en:test", n=3, first_seed=2, sources=("hub",), column="body")
    door.texts(dataset="owner/name", sources=("hub",))
    assert asked == [
        (("owner/name:en:test", 3, 2), {"column": "body", "sources": ("hub",)}),
        (("owner/name", door.N_TEXTS, 0), {"column": None, "sources": ("hub",)}),
    ]


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
    with pytest.raises(ValueError, match=r"hold 1 text, fewer than --n 4\. Leave --n out"):
        door.texts([tmp_path / "a.txt"], n=4)


def test_a_seed_of_a_data_set_is_refused_for_files(tmp_path):
    (tmp_path / "a.txt").write_text("some text")
    with pytest.raises(ValueError, match="--text-seed is for data sets"):
        door.texts([tmp_path / "a.txt"], first_seed=1)


def test_an_option_that_nobody_reads_is_refused():
    def command(texts: str = "", text_seed: int = 0, quiet: bool = False) -> None: ...

    door.refuse_unread(command, {"texts": "", "text_seed": 0, "quiet": True}, ["quiet"], "is of a model")
    with pytest.raises(ValueError, match=r"^--text-seed is of a model: leave it out\.$"):
        door.refuse_unread(command, {"texts": "", "text_seed": 3, "quiet": True}, ["quiet"], "is of a model")


@pytest.mark.parametrize(
    ("names", "lengths", "expected"),
    [
        (["gpt2"], [], 512),
        (["small", "gpt2"], [], 256),
        (["gpt2"], [64, None], 64),  # a saved result of so many; saved states, which were not cut
        (["owner/unknown"], [], 512),
        (["damaged"], [], 512),  # said when it is measured
    ],
)
def test_how_far_texts_are_cut_where_nobody_says(tmp_path, monkeypatch, names, lengths, expected):
    for name, config in (("small", '{"n_positions": 256}'), ("damaged", "{")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(config)
    monkeypatch.chdir(tmp_path)
    assert door.longest(names, lengths) == expected


REPEATED = (  # files, and how many of their texts are there already
    (["a.jsonl", "a.jsonl"], "3 of 6 texts repeat another one"),
    (["a.jsonl", "b.jsonl"], "1 of 4 texts repeat another one"),
    (["c.jsonl"], "1 of 2 texts repeat another one"),
)


@pytest.mark.parametrize(("files", "said"), REPEATED)
def test_texts_that_are_there_twice_are_warned_of(tmp_path, files, said):
    """Resampled as if they were independent, they make every interval too narrow."""
    chat = {"messages": [{"role": "user", "content": "w1"}]}
    for name, rows in (("a", ["one", "two", "three"]), ("b", ["two"]), ("c", [chat, chat])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.warns(UserWarning, match=f"{said}: the intervals are too narrow. Give each text once.") as warned:
        door.texts([tmp_path / name for name in files])
    assert len(warned) == 1
