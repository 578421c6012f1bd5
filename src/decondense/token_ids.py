"""The token ids of texts to measure, after every check that can be made before a forward pass."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from .hooks import backbone, blocks, virtual_tokens


def token_ids(model, tokenizer, texts, max_length: int) -> list[torch.Tensor]:
    """The token ids of each text, cut to `max_length`, after every check that can be made before the forward pass."""
    if not hasattr(backbone(model), "config"):
        raise ValueError(f"model is a {type(model).__name__}; give a Hugging Face model (decondense.models.load).")
    blocks(model)  # raises for an architecture whose entries cannot be read
    if virtual_tokens(model):
        raise ValueError(
            "PEFT's prompt learning puts virtual tokens before every text, which are no tokens of it. Measure the "
            "model without them: model.get_base_model()."
        )
    if isinstance(texts, str):
        raise ValueError("texts is one string; give a list of strings: [text].")
    if tokenizer is not None and not callable(tokenizer):
        raise ValueError(f"tokenizer is {tokenizer!r}; give the tokenizer itself, or None with texts as token ids.")
    if texts is None or len(texts) == 0:
        raise ValueError("No text given. Give at least one, or take some with decondense.corpora.sample_texts.")
    rows = backbone(model).get_input_embeddings().num_embeddings
    if tokenizer is not None and len(tokenizer) > rows:
        raise ValueError(
            f"The tokenizer has {len(tokenizer)} entries, the model embeds {rows}: they do not belong together. "
            "Load both from the same name."
        )
    sequences = [_ids_of_one(tokenizer, text, i, max_length, rows) for i, text in enumerate(texts)]
    longest, positions = max(len(s) for s in sequences), _positions(model)
    if longest > positions:
        raise ValueError(
            f"A text has {longest} tokens, the model {positions} positions. Give max_length={positions} "
            f"(--max-length {positions})."
        )
    short = [len(s) for s in sequences if len(s) < max_length]
    if short:
        warnings.warn(
            f"{len(short)} of {len(texts)} texts are shorter than max_length={max_length} (the shortest has "
            f"{min(short)} tokens); they are measured as they are.",
            stacklevel=3,
        )
    return sequences


def _positions(model) -> int | float:
    """The longest text that the model can take; infinite where positions are relative."""
    base = backbone(model)
    positions = getattr(base.config, "max_position_embeddings", None)
    # RoBERTa and its kin count positions from padding_idx + 1.
    table = getattr(getattr(base, "embeddings", None), "position_embeddings", None)
    offset = getattr(table, "padding_idx", None)
    return float("inf") if positions is None else positions - (0 if offset is None else offset + 1)


def _ids_of_one(tokenizer, text, number: int, max_length: int, rows: int) -> torch.Tensor:
    if isinstance(text, str) and not text.strip():
        raise ValueError(f"Text {number} is empty. Leave it out.")
    chat = _is_chat(text)
    if tokenizer is None and (chat or isinstance(text, str)):
        kind = "chats" if chat else "strings"
        raise ValueError(f"tokenizer is None, so texts must be sequences of token ids, not {kind}.")
    if not isinstance(text, str | Sequence | torch.Tensor | np.ndarray):
        raise ValueError(f"Text {number} is {text!r}; give a string, a chat, or a sequence of token ids.")
    if chat or isinstance(text, str):
        text = (_ids_of_chat if chat else _ids_of_string)(tokenizer, text, number, max_length)
    ids = torch.as_tensor(text)
    whole = not (ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool)
    if ids.ndim != 1 or (len(ids) and not whole):  # an empty list is one of floats
        raise ValueError(
            f"Text {number} is a {ids.dtype} of shape {tuple(ids.shape)}; give a sequence of token ids per text."
        )
    ids = ids[:max_length].long()
    if len(ids) < 2:
        raise ValueError(
            f"Text {number} has {len(ids)} token(s); cosines between tokens need at least 2. Give a longer text."
        )
    outside = ids[(ids < 0) | (ids >= rows)]
    if len(outside):
        raise ValueError(f"Text {number} has token id {int(outside[0])}, the model embeds ids 0 to {rows - 1}.")
    return ids


def _is_chat(text) -> bool:
    return isinstance(text, Sequence) and len(text) > 0 and isinstance(text[0], Mapping)


def _ids_of_string(tokenizer, text: str, number: int, max_length: int) -> torch.Tensor:
    return _only_row(tokenizer(text, truncation=True, max_length=max_length)["input_ids"])


def _ids_of_chat(tokenizer, chat: Sequence[Mapping], number: int, max_length: int) -> torch.Tensor:
    """The ids that the tokenizer's chat template gives, which has the special tokens, without a prompt to go on."""
    if not getattr(tokenizer, "chat_template", None):
        cure = "Take the tokenizer of an instruct model (--tokenizer MODEL), or give the texts as strings."
        raise ValueError(f"Text {number} is a chat, and the tokenizer has no chat template. {cure}")
    messages = [{key: _flat(said, number) if key == "content" else said for key, said in m.items()} for m in chat]
    try:
        found = tokenizer.apply_chat_template(messages, truncation=True, max_length=max_length, return_dict=True)
    except ImportError:  # names what is missing
        raise
    except Exception as error:  # whatever a template raises
        raise ValueError(f"The tokenizer's chat template refuses text {number}: {error}. Mend the chat.") from error
    return _only_row(found["input_ids"])


def _flat(content, number: int):
    """What a message says, as a string: its parts of text one after the other. Else a template may print a list."""
    if not isinstance(content, list):
        return content
    for part in content:
        if not (isinstance(part, Mapping) and part.get("type") == "text" and isinstance(part.get("text"), str)):
            kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
            raise ValueError(f"Text {number} has a message with a part {kind!r}: only text is measured. Leave it out.")
    return "".join(part["text"] for part in content)


def _only_row(ids) -> torch.Tensor:
    """What a tokenizer gives; of a batch of one its only row."""
    ids = torch.as_tensor(ids)
    return ids[0] if ids.ndim == 2 and len(ids) == 1 else ids


def documents(rows: Sequence[Sequence[int]], document_ids: Sequence[Sequence[int]]) -> list[list[int]]:
    """The documents of packed rows of token ids, in the order of their beginnings.

    As for the losses: tokens of one row with the same number are one document, also where another lies between.

    Raises
        ValueError: a row that is a string, or whose tokens and numbers differ in length.
    """
    found = []
    for row, (ids, numbers) in enumerate(zip(rows, document_ids, strict=True)):
        if isinstance(ids, str) or len(ids) != len(numbers):
            raise ValueError(f"Row {row} has not one document number for each token id: give both as lists of numbers.")
        parts: dict[int, list[int]] = {}
        for number, token in zip(numbers, ids, strict=True):
            parts.setdefault(int(number), []).append(int(token))
        found += parts.values()
    return found
