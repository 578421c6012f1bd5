"""Each fault of a real hub ends in one clear line with its cure, and the same call goes on once it is over."""

import contextlib
import errno
import shutil

import huggingface_hub.constants as constants
import huggingface_hub.file_download as file_download
import huggingface_hub.utils._http as http
import pytest
from standin.faults import at, cut, other, refused, slow

from decondense import corpora, models
from decondense.base import hub as hub_cache

NAME, HUB = "qwen2.5-7b", "Qwen/Qwen2.5-7B"  # in five files
SHARD = "model-00003-of-00005.safetensors"

# Fault -> what it changes, the error, what it says.
MODEL = {
    "401, gated": (at(refused(401, "GatedRepo")), rf"{HUB} is gated \(401\): accept its terms at .*{HUB} and log in"),
    "403, gated": (at(refused(403, "GatedRepo")), rf"{HUB} is gated and your account has no access \(403\): ask"),
    "404, private": (at(refused(404, "RepoNotFound")), rf"there is no {HUB}, or it is private \(404\): look at"),
    "404, a shard": (at(refused(404, "EntryNotFound"), file=SHARD), rf"{HUB} does not .*{SHARD}"),
    "429": (at(refused(429, **{"Retry-After": "7"}), method="HEAD"), r"too many requests \(429\): wait 7 s, then"),
    "500": (at(refused(500)), r"the hub has a fault of its own \(500\): try later"),
    "503, a shard": (at(refused(503), method="GET", file=SHARD), r"the hub has a fault of its own \(503\)"),
    "cut for good": (at(cut(0), method="GET", file=SHARD), r"the connection broke \(RemoteProtocolError: peer"),
    "too slow": (at(slow(0.3), method="GET", file=SHARD), r"the connection broke \(ReadTimeout"),
    "wrong hash": (at(other, method="GET", file=SHARD), rf"A file of {HUB} came with the SHA-256 .* It is removed"),
}  # fmt: skip


def load():
    return models.load(NAME, sources=["local", "hub"], device="cpu")


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch):
    """The libraries' waits between their tries take no time."""
    waits = []
    clock = type("Clock", (), {"sleep": staticmethod(waits.append)})
    for module in (file_download, http):
        monkeypatch.setattr(module, "time", clock)
    return waits


@pytest.mark.parametrize("fault", MODEL)
def test_a_fault_is_said_in_one_line_and_the_same_call_goes_on(hub, fault, monkeypatch):
    change, said = MODEL[fault]
    hub.faults.append(change)
    with monkeypatch.context() as patched:
        patched.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.2 if fault == "too slow" else 10)
        with pytest.raises((OSError, ValueError), match=said) as error:
            load()
    # What may pass stops a survey; what does not is listed there as missing.
    assert isinstance(error.value, ConnectionError) == (fault[:3] in ("429", "500", "503", "cut", "too"))
    assert "\n" not in str(error.value)
    before = {asked.file for asked in hub.downloads() if asked.file != SHARD}
    hub.faults.clear()
    hub.log.clear()
    assert load().provenance["source"] == f"hub {HUB}"
    assert before.isdisjoint(asked.file for asked in hub.downloads())  # what came is kept


def test_a_shard_that_is_cut_is_gone_on_with(hub, monkeypatch):
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 4096)
    hub.faults.append(at(cut(20_000), method="GET", file=SHARD, times=1))
    load()
    assert [asked.status for asked in hub.log if asked.file == SHARD and asked.method == "GET"] == [200, 206]


def test_the_hub_says_how_long_to_wait(hub, in_a_hurry):
    hub.faults.append(at(refused(429, **{"Retry-After": "7"}), method="GET", file=SHARD, times=2))
    load()
    assert in_a_hurry == [8.0, 8.0]


def test_a_slow_link_is_only_slow(hub):
    hub.faults.append(at(slow(0.02), method="GET"))
    assert load().provenance["source"] == f"hub {HUB}"


def killed(*_):
    raise KeyboardInterrupt


def in_a_killed_run(monkeypatch, what):
    """Call what downloads, and stop it just before the first look at a hash."""
    with monkeypatch.context() as patched:
        patched.setattr(hub_cache, "file_digest", killed)
        with pytest.raises(KeyboardInterrupt):
            what()


def test_a_wrong_shard_of_a_run_that_was_killed_is_found_by_the_next(hub, monkeypatch):
    hub.faults.append(at(other, method="GET", file=SHARD))
    in_a_killed_run(monkeypatch, load)
    assert SHARD in {asked.file for asked in hub.downloads()}
    hub.faults.clear()
    with pytest.raises(ValueError, match="came with the SHA-256"):
        load()
    assert load().provenance["source"] == f"hub {HUB}"


PARTS = [
    (name, file)
    for name, files in {
        "gpt2": ["tokenizer_config.json", "vocab.json", "merges.txt", "tokenizer.json"],
        "qwen3-0.6b": ["tokenizer_config.json", "vocab.json", "merges.txt", "tokenizer.json"],
        "bloom-560m": ["tokenizer_config.json", "tokenizer.json"],
        "all-minilm-l6-v2": ["tokenizer.json"],
    }.items()
    for file in files
]


@pytest.mark.parametrize(("name", "file"), PARTS)
def test_a_tokenizer_is_whole_or_refused(hub, name, file):
    """Transformers makes one of the files that came: words of single letters, or none at all."""
    read = lambda sources: models.load_tokenizer(name, sources)("the mean cosine").input_ids
    whole = read(["hub"])
    shutil.rmtree(hub_cache.folder(models.table()[name]["hub"]))
    hub.faults.append(at(refused(503), file=file))
    for sources in (["hub"], ["local"], ["local", "hub"]):
        with contextlib.suppress(OSError, ValueError):
            assert read(sources) == whole
    hub.faults.clear()
    assert read(["local", "hub"]) == whole


def test_a_full_disk(hub, monkeypatch):
    real = file_download.http_get

    def full(url, *given, **how):
        if url.endswith(SHARD):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(url, *given, **how)

    monkeypatch.setattr(file_download, "http_get", full)
    with pytest.raises(OSError, match=r"No space left on device\. Free some space, or set HF_HOME.*: the same command"):
        load()
    monkeypatch.setattr(file_download, "http_get", real)
    assert load().provenance["source"] == f"hub {HUB}"


DATA = "wikitext-103-v1/train-00001-of-00002.parquet"
CORPUS = {
    "401, gated": (at(refused(401, "GatedRepo")), r"Salesforce/wikitext is gated \(401\): accept its terms at"),
    "404": (at(refused(404, "RepoNotFound")), r"there is no Salesforce/wikitext, or it is private \(404\)"),
    "429": (at(refused(429, **{"Retry-After": "7"}), method="HEAD"), r"too many requests \(429\): wait 7 s"),
    "500": (at(refused(500)), r"the hub has a fault of its own \(500\): try later"),
    "cut for good": (at(cut(0), method="GET", file=DATA), r"the connection broke"),
    "wrong hash": (at(other, method="GET", file=DATA), r"came with the SHA-256"),
}  # fmt: skip


@pytest.mark.parametrize("fault", CORPUS)
def test_a_fault_at_a_data_set(hub, fault):
    change, said = CORPUS[fault]
    hub.faults.append(change)
    with pytest.raises((OSError, ValueError), match=said) as error:
        corpora.load("wikitext-103", ["hub"])
    assert "\n" not in str(error.value)
    hub.faults.clear()
    assert len(corpora.load("wikitext-103", ["hub"]).rows) == 1200


def test_a_wrong_file_of_a_data_set_of_a_run_that_was_killed_is_found_by_the_next(hub, monkeypatch):
    read = lambda: corpora.load("wikitext-103", ["hub"])
    hub.faults.append(at(other, method="GET", file=DATA))
    in_a_killed_run(monkeypatch, read)
    hub.faults.clear()
    with pytest.raises(FileNotFoundError, match="came with the SHA-256"):
        read()
    assert len(read().rows) == 1200
