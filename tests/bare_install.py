"""What an installation without extras does, for `test_packaging`: measure, train, and name what it lacks.

    python tests/bare_install.py FOLDER NAMES    # the unpacked wheel; the distributions that may be found, with commas

Prints a JSON object: for each call that needs an extra, what it said.
"""

import io
import json
import os
import pkgutil
import sys
from contextlib import redirect_stderr
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.metadata import MetadataPathFinder, packages_distributions
from pathlib import Path
from runpy import run_module

# Floors of which every module can be imported, but for one that is imported when it is used.
CORE = ("base", "stats", "hooks", "metrics", "condensation", "measurement", "pairing", "plots", "losses", "corpora")
CORE += ("models", "evaluate", "trainers", "records", "surveys")
LATER = {"decondense.evaluate.harness", "decondense.evaluate.packing"}


class Bare:
    """In place of `PathFinder`: modules of other distributions are not there, nor what metadata tells of them."""

    def __init__(self, names):
        self.names = names
        of = packages_distributions()
        self.hidden = {module for module, found in of.items() if not names & {name.lower() for name in found}}

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in self.hidden else PathFinder.find_spec(name, path, target)

    def find_distributions(self, *context):
        return (d for d in MetadataPathFinder.find_distributions(*context) if d.name.lower() in self.names)


def import_core():
    """Every module of the core's floors."""
    import decondense

    for room in CORE:
        module = import_module(f"decondense.{room}")
        inside = pkgutil.walk_packages(getattr(module, "__path__", []), f"{module.__name__}.")
        for name in {found.name for found in inside} - LATER:
            import_module(name)
    return decondense


def measured(folder):
    """Measure, draw, save and load."""
    import tiny_training
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    from decondense import Condensation, measure

    words = {"[UNK]": 0} | {f"w{i}": i for i in range(1, 64)}
    backend = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", bos_token="w1")
    texts = [" ".join(f"w{1 + (7 * i + k) % 63}" for i in range(30)) for k in range(3)]
    model = tiny_training.model()
    result = measure(model, tokenizer, texts, max_length=24, progress=False)
    result.plot().savefig(folder / "plot.png")
    again = Condensation.load(result.save(folder / "result.npz"))
    assert again.mu.tolist() == result.mu.tolist()
    assert len(result.mu) == 5
    return model, tokenizer, result


def trained(folder, model):
    """One step of a plain loop with the loss, and one of `DispersionTrainer`."""
    import tiny_training
    import torch

    from decondense import hooks, losses
    from decondense.trainers import DispersionTrainer

    ids = torch.stack([row["input_ids"] for row in tiny_training.rows(4)])
    with hooks.residual_stream(model, lambda entry, hidden: losses.dispersion(hidden)) as spread:
        loss = model(ids, labels=ids).loss
    (loss + 0.1 * sum(spread.values()) / len(spread)).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    arguments = tiny_training.arguments(folder / "run", steps=1)
    trainer = DispersionTrainer(model=tiny_training.model(), args=arguments, train_dataset=tiny_training.rows(8))
    trainer.train()
    assert tiny_training.logs(trainer)[0][2] != 0


def said(call):
    """The message of the ImportError that `call` ends with, or what it printed before it stopped the program."""
    with redirect_stderr(io.StringIO()) as printed:
        try:
            call()
        except ImportError as error:
            return str(error)
        except SystemExit as stopped:
            return f"{stopped.code}: {printed.getvalue()}"
    return "no error"


def launched():
    """`python -m decondense.launch`, as a program."""
    before, sys.argv = sys.argv, ["launch", str(Path(__file__).with_name("no.toml"))]
    try:
        run_module("decondense.launch", run_name="__main__")
    finally:
        sys.argv = before


def needs(model, tokenizer, result):
    """Calls that need an extra, by the name of the extra and of what is asked for."""
    from decondense import __main__, corpora
    from decondense.book import kernel, reproduce  # noqa: F401, a notebook's first cell imports the kernel
    from decondense.evaluate import evaluate
    from decondense.models import mirrors

    return {
        "train, a table": result.to_frame,
        "train, a data set of the hub": lambda: corpora.load("imdb", ["hub"]),
        "train, runs": lambda: import_module("decondense.runs.cluster"),
        "train, a run on many GPUs": launched,
        "train, a chapter": lambda: import_module("decondense.chapters.fig2"),
        "train, published numbers": lambda: import_module("decondense.paper"),
        "train, benchmarks of speed": lambda: import_module("decondense.bench.page"),
        "evaluate, a benchmark": lambda: evaluate(model, tokenizer, ["pocket_cloze"]),
        "cli, the command line": __main__.main,
        "cli, a mirror": lambda: mirrors.folder("smollm2-135m-instruct"),
        "book, the notebooks": lambda: reproduce.reproduce("ci"),
        "book, the site": lambda: reproduce.build_book(Path(), "ci", None),
    }


def main(folder, names):
    sys.path.insert(0, str(folder))  # before this repository, which an editable installation puts there
    os.environ["DECONDENSE_CACHE"] = str(folder / "cache")
    sys.meta_path[sys.meta_path.index(PathFinder)] = Bare(names | {"decondense"})
    assert Path(import_core().__file__).is_relative_to(folder)
    model, tokenizer, result = measured(folder)
    trained(folder, model)
    print(json.dumps({name: said(call) for name, call in needs(model, tokenizer, result).items()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), set(sys.argv[2].split(",")))
