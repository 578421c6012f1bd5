"""One side of the comparison with the peer package, in a process of its own: `measurement` asks, this answers.

Runs under this project's Python and under that of the peer's environment, which has no `decondense`: it is started by
its path, and loads what it needs of either side only when asked.
"""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import torch

timing = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "base" / "timing.py")))
ROWS = 1000  # token ids are drawn below it: every vocabulary has that many
loaded: dict = {}


class Replay(torch.nn.Module):
    """A model without any computation: its residual stream is the same given tokens for every text.

    Entry l is a cone of random tokens around one direction, narrower the deeper it is. What a measurement costs beyond
    the forward pass depends on the shape of the stream alone, so a large model can be stood for without its weights.
    """

    def __init__(self, layers: int, tokens: int, features: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        axis = torch.randn(features, generator=generator)
        draw = lambda: torch.randn(1, tokens, features, generator=generator)
        self.states = [draw().add_(axis, alpha=0.3 + entry / layers) for entry in range(layers + 1)]
        self.config = SimpleNamespace(model_type="given", num_hidden_layers=layers, max_position_embeddings=tokens)
        self.embedding = torch.nn.Embedding(ROWS, 1)
        self.h = torch.nn.ModuleList(torch.nn.Identity() for _ in range(layers))
        self.device = torch.device("cpu")

    def get_input_embeddings(self) -> torch.nn.Embedding:
        return self.embedding

    def forward(self, input_ids, use_cache=None, output_hidden_states=None, **_):
        states = [state.expand(len(input_ids), -1, -1) for state in self.states]
        for state, block in zip(states[:-1], self.h, strict=True):
            block(state)  # where hooks look
        return SimpleNamespace(last_hidden_state=states[-1], hidden_states=tuple(states))


def load(model: dict | str, texts: int, tokens: int, seed: int, threads: int) -> dict:
    """Take a model, the folder of one or the arguments of `Replay`, and draw the token ids of the texts."""
    torch.set_num_threads(threads)
    if isinstance(model, str):
        from transformers import AutoModel

        loaded["model"] = AutoModel.from_pretrained(model).eval()
    else:
        loaded["model"] = Replay(**model, tokens=tokens, seed=seed).eval()
    loaded["all ids"] = torch.tensor(np.random.default_rng(seed).integers(0, ROWS, (texts, tokens)))
    return {"torch": torch.__version__}


def forward() -> None:
    """The forward passes alone, without the head and without keeping any hidden state."""
    with torch.inference_mode():
        for ids in loaded["ids"]:
            loaded["model"](input_ids=ids[None], use_cache=False)


def ours(histogram: str | None):
    from decondense import measure  # by its full name: this file is started by its path

    ids = loaded["ids"].tolist()
    return measure(loaded["model"], None, ids, max_length=len(ids[0]), histogram=histogram, progress=False)


def peer() -> np.ndarray:
    """The mean matrix of cosines at each entry, by the public function of the peer package; no figure is drawn."""
    from embedding_condensation import measure_embedding_condensation

    tokenizer = lambda text, **_: {"input_ids": loaded["ids"][int(text)][None]}
    count, length = loaded["ids"].shape
    return measure_embedding_condensation(
        loaded["model"], tokenizer, texts=[str(i) for i in range(count)], repetitions=count, max_length=length,
        plot=False, save_path=None, show_progress=False,
    ).cossim_by_layer  # fmt: skip


CASES = {
    "forward": forward,
    "mean cosine": lambda: ours(None),
    "pooled": lambda: ours("pooled"),
    "averaged": lambda: ours("averaged"),
    "matrices": peer,
}


def numbers(case: str, bins: int = 128) -> dict:
    """mu at each entry, and the density of the cosines of the averaged matrix over [-1, 1]."""
    if case == "matrices":
        found = peer()
        density = [np.histogram(matrix, bins, (-1, 1), density=True)[0].tolist() for matrix in found]
        return {"mu": found.mean((1, 2), dtype=float).tolist(), "density": density}
    result = ours("averaged")
    return {"mu": result.mu.tolist(), "density": result.histogram.tolist()}


def answer(do: str, texts: int, **how) -> dict:
    """Load a model with so many texts, or do something with so many of them."""
    if do == "load":
        return load(texts=texts, **how)
    loaded["ids"] = loaded["all ids"][:texts]
    if do == "numbers":
        return numbers(**how)
    return {"cost": timing.cost(CASES[do])}


if __name__ == "__main__":
    timing.serve(answer)
