"""What the hub says, in words; a commit that is none; files that are not what the hub names them."""

import hashlib
from types import SimpleNamespace

import pytest

from decondense.base import hub

GATED = {"X-Error-Code": "GatedRepo"}
WORDS = {
    (401, "GatedRepo"): "a/b is gated (401): accept its terms at https://hub/a/b and log in with `hf auth login`, then",
    (403, "GatedRepo"): "a/b is gated and your account has no access (403): ask for it at https://hub/a/b, then",
    (404, "RevisionNotFound"): "a/b has no revision 'v1' (404): https://hub/a/b/tree/main lists them",
    (404, "EntryNotFound"): "a/b lacks a file that was asked for (404): see https://hub/a/b/tree/v1",
    (401, "RepoNotFound"): "there is no a/b, or it is private (401): look at the name, or log in with `hf auth login`",
    (429, ""): "too many requests (429): wait some minutes, then the same command goes on from there",
    (502, ""): "the hub has a fault of its own (502): try later, the same command goes on from there",
    (418, ""): "the hub refused a/b (418): see https://hub/a/b",
}


def answered(status, code="", **headers):
    """An error of a library of the hub, with the answer that it came from, inside another one."""
    inner = OSError("no")
    inner.response = SimpleNamespace(status_code=status, headers={"X-Error-Code": code} | headers)
    outer = RuntimeError("two\nlines")
    outer.__cause__ = inner
    return outer


@pytest.fixture(autouse=True)
def address(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "https://hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


@pytest.mark.parametrize("case", WORDS)
def test_a_refusal_in_words(case):
    said = hub.in_words(answered(*case), "a/b", "v1")
    assert said.startswith(WORDS[case])


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, FileNotFoundError), (404, FileNotFoundError), (429, ConnectionError), (500, ConnectionError)],
)
def test_what_may_pass_is_another_error_than_what_does_not(status, kind):
    with pytest.raises(kind), hub.plainly("a/b"):
        raise answered(status)


def test_the_wait_that_the_hub_asks_for_and_the_place_of_a_data_set():
    assert "wait 30 s" in hub.in_words(answered(429, **{"Retry-After": "30"}), "a/b")
    assert "at https://hub/datasets/a/b" in hub.in_words(answered(401, "GatedRepo"), "a/b", kind="datasets")


@pytest.mark.parametrize("error", [ValueError("a"), OSError(5, "b"), MemoryError("c")])
def test_other_errors_are_left_alone(error):
    assert hub.in_words(error, "a/b") is None


@pytest.mark.parametrize("found", ["", None, "0.0.0", "a" * 39, "G" * 40])
def test_what_is_no_commit(found):
    with pytest.raises(
        ValueError, match=r"^Which commit of a/b was read is not known\. .*HF_ENDPOINT.*local folder\.$"
    ):
        hub.checked(found, "a/b")
    assert hub.checked("a" * 40, "a/b") == "a" * 40


RIGHT, WRONG, SMALL = hashlib.sha256(b"right").hexdigest(), "0" * 64, "0" * 40


@pytest.fixture
def repository(monkeypatch, tmp_path):
    """A function that puts files into the hub's cache, each a blob and a link to it, under the commit `now`."""
    monkeypatch.setattr(hub, "cache", lambda: tmp_path)
    blobs, links = (tmp_path / "models--a--b" / part for part in ("blobs", "snapshots/now"))

    def put(*names, content=b"right"):
        for folder in (blobs, links):
            folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (blobs / name).write_bytes(content)
            (links / name).unlink(missing_ok=True)
            (links / name).symlink_to(blobs / name)
        return blobs

    return put


def used(at="*", made=(), reads=lambda: None):
    """What a caller of the hub's library does, which reads something of a repository."""
    with hub.whole("a/b", at=at) as prepared:
        prepared += made
        reads()


def test_a_file_that_is_another_one_is_removed_with_what_was_made_of_it(repository, tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    with pytest.raises(ValueError, match=r"^A file of a/b came with the SHA-256 .*, the hub says 0{12}\.\.\. It is"):
        used(made=[made], reads=lambda: repository(RIGHT, WRONG, SMALL))
    assert sorted(path.name for path in repository().iterdir()) == sorted((RIGHT, SMALL))
    assert not made.exists()


def test_a_file_is_read_for_its_hash_once_and_again_when_it_is_another(repository, monkeypatch):
    read, real = [], hub.file_digest
    monkeypatch.setattr(hub, "file_digest", lambda file, how: (read.append(file.name), real(file, how))[1])
    repository(RIGHT)
    used("now")
    used("now")
    assert len(read) == 1
    repository(RIGHT, content=b"other")
    with pytest.raises(ValueError, match="It is removed"):
        used("now")


def test_a_file_that_another_run_left_without_a_look_is_looked_at(repository):
    repository(WRONG)
    used("earlier")  # it is not of this commit
    with pytest.raises(ValueError, match="It is removed"):
        used("now")


def test_a_file_that_cannot_be_read_because_it_is_another_one_is_said_to_be(repository):
    def reads():
        repository(WRONG)
        raise RuntimeError("no header")

    with pytest.raises(ValueError, match="It is removed"):
        used(reads=reads)


def test_a_hub_that_was_switched_off_is_not_asked_again():
    class OfflineModeIsEnabled(ConnectionError):
        pass

    outer = ConnectionError("Couldn't reach it")
    assert hub.may_pass(outer)
    outer.__cause__ = OfflineModeIsEnabled("off")
    assert not hub.may_pass(outer)
    assert not hub.may_pass(FileNotFoundError("no such thing"))
