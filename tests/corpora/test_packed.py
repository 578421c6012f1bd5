"""Token files: what is packed is read again, by its own tokenizer only, from as many pieces as are there."""

import json

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

import decondense.models
from decondense import corpora
from decondense.corpora import packed, streams

TRAIN = [f"w{i} w{i + 1} w{i + 2}" for i in range(40)]
APART = ["w7 w7 w7", "w8 w9"]
PIECE = 128 + 2 * 50  # bytes: 50 tokens


def words(*more):
    vocabulary = {token: i for i, token in enumerate(("[UNK]", "<end>", *more, *(f"w{i}" for i in range(45))))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", eos_token="<end>")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    return tmp_path / "tokens" / "words"


def write(folder, train=TRAIN, held_out=APART, **how):
    return packed.write(folder, words(), train, held_out, {"licences": {"a": "MIT"}}, piece_bytes=PIECE, **how)


def documents(ids):
    text = words().decode(ids)
    return [part.strip() for part in text.split("<end>") if part.strip()]


def test_what_is_packed_is_read_again(folder):
    header = write(folder, train=[*TRAIN, *TRAIN, APART[1]])
    assert [header["files"][name]["tokens"] for name in sorted(header["files"])] == [7, 50, 50, 50, 10]
    assert (header["documents"], header["documents_held_out"]) == (40, 2)
    assert header["licences"] == {"a": "MIT"}
    assert all(path.stat().st_size <= PIECE for path in folder.glob("*.npy"))
    corpus, tokenizer = corpora.load("packed/words"), decondense.models.load_tokenizer("packed/words")
    stream = streams.stream(corpus, tokenizer)
    assert stream.train.dtype == np.uint16
    assert sorted(documents(stream.train)) == sorted(TRAIN)
    assert sorted(documents(stream.held_out)) == sorted(APART)


def test_documents_are_in_the_order_of_their_hash_so_that_a_piece_is_a_sample(folder):
    write(folder)
    stream = streams.stream(corpora.load("packed/words"), words())
    assert documents(stream.train) == sorted(TRAIN, key=packed.sha256)


def test_the_first_pieces_are_enough_and_the_corpus_is_another(folder):
    write(folder)
    whole = corpora.load("packed/words")
    (folder / "train-03.npy").unlink()
    part = corpora.load("packed/words")
    assert len(streams.stream(part, words()).train) == 150
    assert part.sha256 != whole.sha256


def test_no_more_is_held_out_than_measuring_needs(folder, monkeypatch):
    monkeypatch.setattr(packed, "APART", 5)
    assert write(folder)["files"]["held-out.npy"]["tokens"] == 5


def test_no_more_pieces_are_packed_than_are_asked_for(folder):
    assert sorted(write(folder, pieces=2)["files"]) == ["held-out.npy", "train-00.npy", "train-01.npy"]


@pytest.mark.parametrize("other", [words("w50"), words("w50", "w51")])
def test_another_tokenizer_is_refused(folder, other):
    write(folder)
    with pytest.raises(ValueError, match=r"was packed with another tokenizer \(hash .* tokenizer = 'packed/words'"):
        streams.stream(corpora.load("packed/words"), other)


def test_the_fingerprint_sees_merges_that_the_vocabulary_does_not_show():
    vocabulary = {c: i for i, c in enumerate(["l", "o", "lo", "H", "e", "el", "ll"])}
    merged = lambda *merges: PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocabulary, list(merges))))
    a, b = merged(("e", "l"), ("l", "l")), merged(("l", "l"), ("e", "l"))
    assert a.get_vocab() == b.get_vocab()
    assert packed.fingerprint(a) != packed.fingerprint(b)
    assert packed.fingerprint(a) == packed.fingerprint(merged(("e", "l"), ("l", "l")))


def test_a_piece_that_is_damaged_or_of_another_packing_is_refused(folder):
    write(folder)
    np.save(folder / "train-01.npy", np.zeros(50, dtype=np.uint16))
    with pytest.raises(ValueError, match=r"train-01.npy is not the file that was packed: copy it again"):
        corpora.load("packed/words")


def test_a_header_that_is_cut_short(folder):
    write(folder)
    (folder / "tokens.json").write_text('{"tokenizer": "0')
    with pytest.raises(ValueError, match=r"tokens.json is damaged: copy it again"):
        corpora.load("packed/words")


@pytest.mark.parametrize("missing", ["held-out.npy", "train-00.npy"])
def test_a_folder_without_a_file_that_is_needed(folder, missing):
    write(folder, pieces=1)
    (folder / missing).unlink()
    with pytest.raises(FileNotFoundError, match=f"lacks {missing}: copy it there"):
        corpora.load("packed/words")


def test_names_of_folders_that_are_not_there(folder, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"has no token files. Make some: decondense tokens --out"):
        corpora.load("packed/words")
    write(folder)
    with pytest.raises(ValueError, match=r"Unknown token files 'packed/wrds'. Did you mean 'packed/words'\?"):
        corpora.load("packed/wrds")
    monkeypatch.delenv("DECONDENSE_DATA")
    with pytest.raises(FileNotFoundError, match="set DECONDENSE_DATA"):
        corpora.load("packed/words")


def test_nothing_is_packed_over_another_folder_or_of_nothing(folder):
    with pytest.raises(ValueError, match="need documents"):
        write(folder, train=APART)
    assert not folder.exists()
    write(folder)
    before = json.loads((folder / "tokens.json").read_text())
    with pytest.raises(FileExistsError, match="is there already"):
        write(folder)
    assert json.loads((folder / "tokens.json").read_text()) == before


def test_texts_cannot_be_drawn_from_token_ids(folder):
    write(folder)
    with pytest.raises(ValueError, match="packed/words is packed as token ids: texts cannot be drawn"):
        corpora.sample_texts(corpora.load("packed/words"), 2)


# --- what lies beside the tokens --------------------------------------------------------------------------------------


def test_other_files_are_carried_along_and_checked(folder):
    beside = lambda place: (place / "weights").write_bytes(b"1234")
    header = write(folder, beside=beside)
    assert header["beside"] == {"weights": packed.sha256(folder / "weights")}
    before = corpora.load("packed/words").sha256
    (folder / "weights").write_bytes(b"12345")
    with pytest.raises(ValueError, match="weights is not the file that was packed: copy it again"):
        corpora.load("packed/words")
    (folder / "weights").unlink()
    with pytest.raises(FileNotFoundError, match="lacks weights: copy it there"):
        corpora.load("packed/words")
    (folder / "weights").write_bytes(b"1234")
    assert corpora.load("packed/words").sha256 == before


def test_a_file_that_is_too_large_to_be_carried_leaves_nothing(folder, monkeypatch):
    monkeypatch.setattr(packed, "LARGEST", 200_000)
    with pytest.raises(ValueError, match="weights has 200,001 bytes, and a file that is carried at most 200,000"):
        write(folder, beside=lambda place: (place / "weights").write_bytes(bytes(200_001)))
    assert not folder.exists()


def test_the_place_of_a_name(folder):
    write(folder)
    assert (packed.place("packed/words"), packed.place("gpt2")) == (str(folder), "gpt2")
