"""The pocket family: four GPT-2-like models trained here from scratch in minutes, for a trained family offline.

Depth and heads grow 1 : 2 : 3 : 4 and 4 : 5 : 7 : 8, close to GPT-2's 12 : 24 : 36 : 48 and 12 : 16 : 20 : 25, with 16
features a head. All four see the same tokens in the same order. Same seed, same machine: the same weights.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm, trange

from ..base.files import (
    cache_dir,
    move_folder,
    read_or_make_again,
    require_writable,
    sha256,
    unfinished_folder,
    write_atomically,
)
from ..corpora import documentation

VOCABULARY = 4096
CONTEXT = 512
BATCH = 2  # sequences a step
TRAIN_TOKENS = 400_000
LEARNING_RATE = 2e-3
WARM_UP = 0.1  # share of the steps


class Size(NamedTuple):
    """Depth and number of heads of a pocket model; its width is 16 times its heads."""

    layers: int
    heads: int


SIZES = {
    "pocket-small": Size(4, 4),
    "pocket-medium": Size(8, 5),
    "pocket-large": Size(12, 7),
    "pocket-xl": Size(16, 8),
}


def load(name: str, train_tokens: int = TRAIN_TOKENS, seed: int = 0) -> tuple:
    """(model, tokenizer, provenance) of a pocket model, trained now if the cache does not hold it.

    `train_tokens=0` gives the model at initialisation. The cache key covers size, tokens, seed, corpus and this file.
    """
    model, provenance = read_or_make_again(lambda: _trained(name, train_tokens, seed), _read)
    return model, tokenizer(), provenance


def _trained(name: str, train_tokens: int, seed: int) -> Path:
    folder = _folder(name, train_tokens, seed)
    if not folder.exists():
        require_writable(folder.parent)
        model, training = _train(SIZES[name], train_tokens, seed)
        _save(model, {"train_tokens": train_tokens, "seed": seed, **training}, folder)
    return folder


def _read(folder: Path) -> tuple:
    from transformers import AutoModelForCausalLM

    provenance = {"source": "trained here on the embedded corpus", "revision": folder.name}
    provenance |= json.loads((folder / "training.json").read_text(encoding="utf-8"))
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), provenance


def train_missing(names: Sequence[str], train_tokens: int = TRAIN_TOKENS, seed: int = 0) -> None:
    """Train those of the pocket models `names` that the cache does not hold, one process a core.

    Raises
        RuntimeError: a training process failed; its last line says why.
    """
    tokenizer()  # made once, before several processes would
    missing = [name for name in names if not _folder(name, train_tokens, seed).exists()]
    reader, writer = os.pipe()  # the children end when this process closes its end, or dies

    def train(name: str) -> None:
        command = [sys.executable, "-m", "decondense.models.pocket", name, str(train_tokens), str(seed)]
        done = subprocess.run(command, stdin=reader, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Training {name} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")

    # The largest first: the others fit beside it.
    bar = tqdm(total=len(missing), desc="train", unit="model", disable=not missing)
    with ThreadPoolExecutor(os.cpu_count()) as pool, bar:
        try:
            for _ in pool.map(train, sorted(missing, key=list(SIZES).index, reverse=True)):
                bar.update()
        finally:
            os.close(writer)
    os.close(reader)


def _folder(name: str, train_tokens: int, seed: int) -> Path:
    corpus = sha256("".join(documentation.paragraphs()))
    key = sha256(json.dumps([SIZES[name], train_tokens, seed, corpus, Path(__file__).read_text(encoding="utf-8")]))[:16]
    return cache_dir() / "pocket" / f"{name}-{key}"


@cache
def tokenizer():
    """A byte-level BPE tokenizer with 4,096 entries, trained on the embedded corpus and cached."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    rows = documentation.paragraphs()
    path = cache_dir() / "pocket" / f"tokenizer-{sha256(str(VOCABULARY) + ''.join(rows))[:16]}.json"
    if not path.exists():
        bpe = ByteLevelBPETokenizer()
        bpe.train_from_iterator(rows, vocab_size=VOCABULARY, show_progress=False, special_tokens=["<|endoftext|>"])
        write_atomically(path, bpe.to_str(pretty=True))
    return PreTrainedTokenizerFast(tokenizer_file=str(path), eos_token="<|endoftext|>")


@cache
def _tokens() -> np.ndarray:
    """The whole embedded corpus as one stream of token ids."""
    encoded = tokenizer().backend_tokenizer.encode_batch(documentation.paragraphs())
    return np.concatenate([np.asarray(e.ids, dtype=np.int64) for e in encoded])


def _new_model(size: Size, seed: int):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=CONTEXT,
        n_embd=16 * size.heads,
        n_layer=size.layers,
        n_head=size.heads,
        bos_token_id=0,
        eos_token_id=0,
        loss_type="ForCausalLM",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    return GPT2LMHeadModel(config)


def _train(size: Size, train_tokens: int, seed: int) -> tuple:
    """AdamW with warm-up and cosine decay on random windows of the first 95 % of the stream; loss on the rest."""
    threads = torch.get_num_threads()
    torch.set_num_threads(
        1
    )  # such small matrices gain nothing from a second thread, and one gives the same sums anywhere
    model = _new_model(size, seed)
    stream, steps = torch.from_numpy(_tokens()), train_tokens // (BATCH * CONTEXT)
    split = int(0.95 * len(stream))
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    rng = np.random.default_rng(seed)
    model.train()
    for _ in trange(steps, desc=f"train {size.layers} blocks x {16 * size.heads}", unit="step", leave=False):
        model(**_batch(stream[:split], rng)).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    torch.set_num_threads(threads)
    return model.eval(), {"validation_loss": _validation_loss(model, stream[split:])}


def _rate(step: int, steps: int) -> float:
    warm = max(1, int(WARM_UP * steps))
    return min((step + 1) / warm, 0.5 * (1 + np.cos(np.pi * step / max(1, steps))))


def _batch(stream: torch.Tensor, rng: np.random.Generator) -> dict:
    ids = torch.stack([stream[s : s + CONTEXT] for s in rng.integers(0, len(stream) - CONTEXT, BATCH)])
    return {"input_ids": ids, "labels": ids}


@torch.inference_mode()
def _validation_loss(model, stream: torch.Tensor) -> float:
    """Mean cross-entropy in nats a token over 16 fixed windows of the held-out stream."""
    rng = np.random.default_rng(0)
    return float(np.mean([model(**_batch(stream, rng)).loss.item() for _ in range(16 // BATCH)]))


def _save(model, training: dict, folder: Path) -> None:
    # A folder appears whole or not at all: written beside its place, then renamed.
    with unfinished_folder(folder.parent) as temporary:
        model.save_pretrained(temporary, safe_serialization=True)
        (temporary / "training.json").write_text(json.dumps(training, indent=1), encoding="utf-8")
        move_folder(temporary, folder)


def _end_with_parent() -> None:
    os.read(0, 1)  # blocks until the parent closes its end, or dies
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    load(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
