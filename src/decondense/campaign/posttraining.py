"""The item `posttraining`: the carried instruct model after SFT, DPO and GRPO, of page 35 at its sizes for a GPU."""

from collections.abc import Callable, Mapping

from ..base.extras import require
from ..chapters.posttraining import larger, training
from ..corpora import packed
from . import one_by_one


def check(entry: Mapping) -> None:
    """Refuse what this machine cannot make, before anything is begun.

    Raises
        ImportError: TRL, or `datasets` that it needs, is missing.
        FileNotFoundError, ValueError: the carried weights are not here; says how they are packed.
    """
    require("trl", "datasets", extra="tune")
    model = entry["start"]["model"]
    try:
        packed.place(model)
    except FileNotFoundError as error:
        name = model.removeprefix(packed.PREFIX)
        raise FileNotFoundError(
            f"The weights of {name} are not in DECONDENSE_DATA. Pack them: decondense tokens --out data/tokens "
            f"--tokenizer {name} --pieces 1 --weights"
        ) from error


def make(entry: Mapping, tiny: bool, seconds: float, say: Callable[[str], None]) -> bool:
    """Whether all runs are done (`one_by_one.make`)."""
    return one_by_one.make(larger.ITEM, larger.cases(entry), training.find, training.run, seconds, say)
