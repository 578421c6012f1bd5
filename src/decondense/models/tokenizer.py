"""A tokenizer, read whole or refused: Transformers makes one of a part of its files as well, and says nothing."""

from contextlib import contextmanager
from pathlib import Path

from ..base import hub

# Each is enough for a tokenizer.
ENOUGH = [("tokenizer.json",), ("tokenizer.model",), ("vocab.txt",), ("spiece.model",), ("vocab.json", "merges.txt")]


def read(where: str, **how):
    """The tokenizer of a folder, or of a commit in the hub's cache (`local_files_only`) or on the hub.

    A file that the hub fails to send would be left out, and a run that was killed leaves a part in the cache. Without
    its merges the words of a tokenizer are single letters, without its vocabulary it has none.

    Raises
        FileNotFoundError: the cache has only a part; there is no vocabulary.
        ConnectionError: only a part came.
        OSError, ValueError: as `transformers.AutoTokenizer`.
    """
    from transformers import AutoTokenizer

    with _whole(where, **how):
        found = AutoTokenizer.from_pretrained(where, **how)
    if len(found) <= len(found.all_special_tokens):
        raise FileNotFoundError(f"{where} has no vocabulary for a tokenizer")
    return found


@contextmanager
def _whole(where: str, *, trust_remote_code: bool, local_files_only: bool = False, revision: str | None = None):
    if trust_remote_code or Path(where).is_dir():  # own code may have files of other names
        yield
        return
    if local_files_only:
        _refuse_part(where, revision, FileNotFoundError(f"of the tokenizer of {where} only a part is here"))
    lost = ConnectionError(f"of the tokenizer of {where} only a part came; {hub.AGAIN}")
    try:
        yield
    except ValueError:  # Transformers could make none of this part
        _refuse_part(where, revision, lost)
        raise
    _refuse_part(where, revision, lost)


def _refuse_part(where: str, at: str, error: OSError) -> None:
    from huggingface_hub import try_to_load_from_cache

    if not any(all(isinstance(try_to_load_from_cache(where, f, revision=at), str) for f in kind) for kind in ENOUGH):
        raise error
