"""A corpus as a stream of token ids: whole, in order, made once, and cut into windows that do not overlap."""

import contextlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import processors
from transformers import PreTrainedTokenizerFast

from decondense import corpora
from decondense.base.files import sha256
from decondense.corpora import streams


@pytest.fixture
def corpus(texts):
    """Forty-three rows of one to ten words, some of them empty."""
    words = " ".join(texts).split()
    lengths = np.random.default_rng(0).integers(0, 11, 43)
    rows = [" ".join(words[i : i + n]) for i, n in enumerate(lengths)]
    assert "" in rows
    return made(rows)


def made(rows, name="toy"):
    return corpora.Corpus(name, rows, "made here", sha256("\x1e".join(rows)))


def forbid(monkeypatch):
    monkeypatch.setattr(streams, "_encode", lambda *_: pytest.fail("tokenized again"))


def files():
    return sorted((streams.cache_dir() / "streams").iterdir())


def test_the_two_parts_are_the_corpus_in_order(corpus, tiny_tokenizer):
    train, held_out = streams.stream(corpus, tiny_tokenizer)
    ids = [i for row in corpus.rows if row for i in tiny_tokenizer(row)["input_ids"]]
    assert np.concatenate([train, held_out]).tolist() == ids
    assert len(held_out) == len(ids) - int(0.95 * len(ids))
    assert 0.05 * len(ids) <= len(held_out) <= 0.05 * len(ids) + 1


def test_rows_are_joined_over_the_parts_that_are_tokenized(corpus, tiny_tokenizer, monkeypatch):
    expected = np.concatenate(streams.stream(corpus, tiny_tokenizer))
    monkeypatch.setattr(streams, "_ROWS", 4)
    (path,) = files()
    path.unlink()
    np.testing.assert_array_equal(np.concatenate(streams.stream(corpus, tiny_tokenizer)), expected)


def test_there_are_no_special_tokens(corpus, tiny_tokenizer):
    marked = PreTrainedTokenizerFast(tokenizer_object=tiny_tokenizer.backend_tokenizer, unk_token="[UNK]")
    first, last = marked.convert_tokens_to_ids(["w0", "w1"])
    marked.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="w0 $A w1", special_tokens=[("w0", first), ("w1", last)]
    )
    assert marked("w5")["input_ids"] == [first, marked.convert_tokens_to_ids("w5"), last]
    found = np.concatenate(streams.stream(corpus, marked))
    assert len(found) == sum(len(row.split()) for row in corpus.rows)


def test_a_file_cut_short_names_itself_and_the_cure(corpus, tiny_tokenizer):
    streams.stream(corpus, tiny_tokenizer)
    (file,) = files()
    for kept in (len(file.read_bytes()) - 4, 3):
        file.write_bytes(file.read_bytes()[:kept])
        with pytest.raises(ValueError, match=rf"{file.name} is damaged.*Delete it"):
            streams.stream(corpus, tiny_tokenizer)


def test_stream_is_mapped_from_one_whole_file(corpus, tiny_tokenizer):
    for part in streams.stream(corpus, tiny_tokenizer):
        assert isinstance(part, np.memmap)
        assert part.dtype == np.int32
        assert not part.flags.writeable
    (path,) = files()
    assert path.name.startswith("toy-")


def test_second_time_the_file_is_read(corpus, tiny_tokenizer, monkeypatch):
    first = streams.stream(corpus, tiny_tokenizer)
    forbid(monkeypatch)
    for one, other in zip(first, streams.stream(corpus, tiny_tokenizer), strict=True):
        np.testing.assert_array_equal(one, other)


def test_other_rows_or_another_vocabulary_are_another_file(corpus, tiny_tokenizer):
    streams.stream(corpus, tiny_tokenizer)
    streams.stream(made(corpus.rows[1:]), tiny_tokenizer)
    larger = PreTrainedTokenizerFast(tokenizer_object=tiny_tokenizer.backend_tokenizer, unk_token="[UNK]")
    larger.add_tokens(["w63"])
    streams.stream(corpus, larger)
    assert len(files()) == 3


def test_another_version_of_this_module_reads_no_older_file(corpus, tiny_tokenizer, monkeypatch, tmp_path):
    streams.stream(corpus, tiny_tokenizer)
    toy, _ = streamed(corpus.rows)
    streams.stream(toy, tiny_tokenizer, streams.Needs(30, 8))
    changed = tmp_path / "packing.py"
    changed.write_text("_ROWS = 1")
    monkeypatch.setattr(streams, "__file__", str(changed))
    streams.stream(corpus, tiny_tokenizer)
    streams.stream(toy, tiny_tokenizer, streams.Needs(30, 8))
    assert sorted(path.suffix for path in files()) == [".int32", ".int32", ".npy", ".npy"]


# --- a corpus that is read row by row ------------------------------------------------------------------------------


def streamed(rows, identity="toy 1"):
    """The rows as an iterable that counts how often it is opened."""
    opened = []

    def read():
        opened.append(1)
        return iter(rows)

    return corpora.Corpus("toy", corpora.Streamed(identity, read), "made here", sha256(identity)), opened


def all_ids(rows, tokenizer):
    return [i for row in rows if row for i in tokenizer(row)["input_ids"]]


@pytest.mark.parametrize("at_a_time", [1, 4, 100])
@pytest.mark.parametrize("tokens", [3, 50, 117])
def test_of_a_streamed_corpus_exactly_what_is_wanted_is_taken(corpus, tiny_tokenizer, monkeypatch, at_a_time, tokens):
    monkeypatch.setattr(streams, "_ROWS", at_a_time)
    toy, opened = streamed(corpus.rows)
    for _ in range(2):  # the second time from the file
        train, held_out = streams.stream(toy, tiny_tokenizer, streams.Needs(tokens - 2, 2))
        ids = all_ids(corpus.rows, tiny_tokenizer)
        assert (held_out.tolist(), train.tolist()) == (ids[:2], ids[2:tokens])
        assert isinstance(train, np.memmap)
    assert len(opened) == 1
    (path,) = files()
    assert path.stat().st_size == 4 * tokens


def test_a_longer_run_has_the_same_held_out_tokens_and_begins_alike(corpus, tiny_tokenizer):
    toy, _ = streamed(corpus.rows)
    short, long = (streams.stream(toy, tiny_tokenizer, streams.Needs(n, 8)) for n in (30, 60))
    assert short.held_out.tolist() == long.held_out.tolist()
    assert short.train.tolist() == long.train[:30].tolist()
    streams.stream(streamed(corpus.rows, "toy 2")[0], tiny_tokenizer, streams.Needs(30, 8))
    assert len(files()) == 3


def test_a_corpus_that_ends_gives_all_it_has(corpus, tiny_tokenizer):
    ids = all_ids(corpus.rows, tiny_tokenizer)
    train, held_out = streams.stream(streamed(corpus.rows)[0], tiny_tokenizer, streams.Needs(10_000, 5))
    assert [*held_out, *train] == ids


def test_a_streamed_corpus_without_a_number_of_tokens_is_refused(corpus, tiny_tokenizer):
    with pytest.raises(ValueError, match="toy is read row by row: say how many tokens are wanted"):
        streams.stream(streamed(corpus.rows)[0], tiny_tokenizer)


class Killed(BaseException):
    pass


def broken(rows, after):
    for number, row in enumerate(rows):
        if number == after:
            raise Killed
        yield row


@settings(max_examples=30)
@given(kills=st.lists(st.integers(0, 43), max_size=4), rubbish=st.booleans())
def test_a_preparation_that_is_killed_goes_on(tiny_tokenizer, tmp_path_factory, kills, rubbish):
    """Whatever row it was killed at; what stood in the file behind the last whole part does not matter."""
    rng = np.random.default_rng(1)
    rows = [" ".join(f"w{i}" for i in rng.integers(0, 63, n)) for n in rng.integers(0, 11, 43)]
    ids = all_ids(rows, tiny_tokenizer)
    wanted, tokenized = streams.Needs(len(ids) - 20, 10), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DECONDENSE_CACHE", str(tmp_path_factory.mktemp("killed")))
        patch.setattr(streams, "_ROWS", 4)
        one = streams._ids
        patch.setattr(streams, "_ids", lambda batch, how: tokenized.append(len(batch)) or one(batch, how))
        for after in kills:
            toy = corpora.Corpus("toy", corpora.Streamed("x", lambda n=after: broken(rows, n)), "", "x")
            with contextlib.suppress(Killed):
                streams.stream(toy, tiny_tokenizer, wanted)
            for part in (streams.cache_dir() / "streams").glob("*.part") if rubbish else ():
                part.write_bytes(part.read_bytes() + b"abc")
        train, held_out = streams.stream(corpora.Corpus("toy", corpora.Streamed("x", lambda: rows), "", "x"),
                                         tiny_tokenizer, wanted)  # fmt: skip
        assert [path.suffix for path in files()] == [".int32"]
    assert [*held_out, *train] == ids[:-10]
    assert sum(tokenized) <= len(rows)  # nothing was tokenized twice


def test_a_part_without_its_beginning_is_made_anew(corpus, tiny_tokenizer, monkeypatch):
    monkeypatch.setattr(streams, "_ROWS", 4)
    toy = corpora.Corpus("toy", corpora.Streamed("x", lambda: broken(corpus.rows, 13)), "", "x")
    wanted = streams.Needs(90, 10)
    with pytest.raises(Killed):
        streams.stream(toy, tiny_tokenizer, wanted)
    (part,) = (path for path in files() if path.suffix == ".part")
    assert part.with_suffix(".json").exists()
    part.unlink()
    whole = corpora.Corpus("toy", corpora.Streamed("x", lambda: corpus.rows), "", "x")
    train, held_out = streams.stream(whole, tiny_tokenizer, wanted)
    assert [*held_out, *train] == all_ids(corpus.rows, tiny_tokenizer)[:100]


# --- windows --------------------------------------------------------------------------------------------------------


@given(length=st.integers(2, 9), count=st.integers(0, 40))
def test_windows_are_the_stream_cut_without_overlap(length, count):
    ids = np.random.default_rng(0).integers(0, 60, length + count, dtype=np.int32)
    windows = streams.Windows(ids, length)
    rows = [windows[i] for i in range(len(windows))]
    joined = torch.cat([row["input_ids"] for row in rows])
    assert {len(row["input_ids"]) for row in rows} == {length}
    assert joined.dtype == torch.int64
    assert 0 <= len(ids) - len(joined) < length
    np.testing.assert_array_equal(joined.numpy(), ids[: len(joined)])
    for row in rows:
        assert set(row) == {"input_ids", "labels"}
        assert torch.equal(row["labels"], row["input_ids"])


def test_labels_are_a_copy_and_the_stream_stays(corpus, tiny_tokenizer):
    train, _ = streams.stream(corpus, tiny_tokenizer)
    row, before = streams.Windows(train, 8)[0], train[:8].tolist()
    row["labels"][:] = -100
    assert row["input_ids"].tolist() == train[:8].tolist() == before


@pytest.mark.parametrize(("tokens", "length"), [(7, 8), (0, 2), (8, 1)])
def test_no_whole_window_is_an_error(tokens, length):
    with pytest.raises(ValueError, match=rf"The stream has {tokens} tokens, a window {length}"):
        streams.Windows(np.zeros(tokens, dtype=np.int32), length)


@given(count=st.integers(1, 12), length=st.integers(1, 9), rest=st.integers(0, 50))
def test_spread_windows_do_not_overlap_and_reach_both_ends(count, length, rest):
    ids = np.arange(count * length + rest, dtype=np.int32)
    windows = streams.spread(ids, count, length)
    starts = np.array([window[0] for window in windows])
    assert windows == [list(range(start, start + length)) for start in starts]
    assert len(windows) == count
    assert starts[0] == 0
    assert (np.diff(starts) >= length).all()
    if count > 1:
        assert windows[-1][-1] == ids[-1]
        assert np.ptp(np.diff(starts)) <= 1


def test_spread_needs_that_many_windows():
    assert streams.spread(np.arange(12, dtype=np.int32), 3, 4) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    with pytest.raises(ValueError, match="The stream has 11 tokens, 3 windows of 4 are asked"):
        streams.spread(np.arange(11, dtype=np.int32), 3, 4)
