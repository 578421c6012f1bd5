"""Texts, and runs as the page reads them, with numbers that a test chooses."""

from pathlib import Path

from tokenizers import ByteLevelBPETokenizer
from transformers import PreTrainedTokenizerFast

from decondense.records import Record
from decondense.runs.run import Run

TEXT = [f"the {word} of the {other} is {word}ed by a {other}\n" for word in ("norm", "state", "token") for other in
        ("cone", "stream", "block", "norm")] * 5  # fmt: skip
NAMES = ("pre-norm", "post-norm", "parallel")


def trained(vocabulary):
    """A tokenizer of this many entries."""
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(TEXT, vocab_size=vocabulary, show_progress=False, special_tokens=["<|endoftext|>"])
    return PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer)


def run(label="plain", seed=0, late=0.2, loss=4.0, rate=0.01, experts=None):
    """One whose late half has this μ, and its parts in proportion."""
    results = {"course": [{"step": 1, "validation_loss": 6.0}, {"step": 9, "validation_loss": loss}], "late": late}
    results |= {"experts": experts} if experts else {}
    content = {"results": results, "config": {"learning_rate": rate, "seed": seed}}
    return Run(label, seed, Record(Path(f"{label}-{seed}-{late}"), content, None))


def runs(late, loss, with_loss, seeds=4):
    """A design: μ and validation loss, plain, and both with the loss; they vary a little from seed to seed."""
    jitter = [0.0, 0.001, -0.001, 0.002, -0.002][:seeds]
    plain = [run("plain", seed, late + d, loss + d / 2) for seed, d in enumerate(jitter)]
    fewer = enumerate(jitter[: max(1, seeds - 1)])
    return plain + [run("dispersion", seed, with_loss[0] - d, with_loss[1] + d / 3) for seed, d in fewer]
