"""What is shared within texts and between them, from the sums that the records keep; and the runs of that page."""

import re

import numpy as np

from .mathematics import paired, with_interval
from .texts import BETWEEN, VALUE
from .trained import end, loss

LOSSES = {"dispersion": ("dispersion", None), "dispersion, centred": ("dispersion", "batch")}
LOSSES["mean direction"] = ("mean_direction", None)
PLACES = {
    "middle": lambda values: values[(len(values) - 1) // 2],
    "late half": lambda values: np.mean(values[(len(values) - 1) // 2 + 1 :]),
    "last": lambda values: values[-1],
}


def quantity(arrays, name):
    """Of each entry; `arrays` without the name of the file they lie in. Thirds of the texts have means of their own."""
    part, _, view = name.partition("_")
    if part not in ("between", "excess"):
        return arrays["per_text"][arrays["names"].tolist().index(name)].mean(0)[:-1]
    mark = f"_{view}" if view else ""
    sums = arrays["pairs"][arrays["views"].tolist().index(mark)]
    texts = sums.shape[-1]
    first = np.arange(texts) < max(1, texts // 3)
    counted = ~np.eye(texts, dtype=bool) & (
        (first[:, None] == first) | (view in ("", "without_first", "without_massive"))
    )
    between = (sums * counted).sum((1, 2))[:-1] / counted.sum()
    return between if part == "between" else quantity(arrays, f"within{mark}") - between


def controls(arrays, look=None):
    found = {name.removeprefix("controls_"): array for name, array in arrays.items() if name.startswith("controls_")}
    return found if look is None else {name: array[look] for name, array in found.items()}


def cone(claim, used):
    text = claim["claim"]
    runs = [record for record in used if record.is_run and record.seed < 100]
    if ": lower " in text:
        label, _, what = text.partition(": lower ")
        group = lambda kind, centre: [r for r in runs if (r.config["loss"], r.config.get("centre")) == (kind, centre)]
        value = end if "μ" in what else loss
        yield "", claim["here"], paired(group(*LOSSES[label]), group(None, None), value)
    elif text.startswith("training makes"):
        at = lambda run, look: PLACES["middle"](quantity(controls(run.arrays, look), "between"))
        plain = [run for run in runs if run.config["loss"] is None]
        yield "", re.match(BETWEEN, claim["here"])[0], with_interval([at(run, -1) - at(run, 0) for run in plain])
    else:
        yield from measured(claim, [r for r in used if "controls_pairs" in r.arrays and not r.is_run])


def measured(claim, used):
    text = claim["claim"]
    kind = "random" if text.startswith("with first weights") else "pretrained"
    by_model = {r.config["model"]: controls(r.arrays) for r in used if r.config.get("weights") == kind}
    asked, place = terms(text)
    found = {
        model: sum(weight * PLACES[place](quantity(arrays, name)) for name, weight in asked.items())
        for model, arrays in by_model.items()
    }
    if pair := re.match(rf"(\S+) - (\S+) ({VALUE})", claim["here"]):
        yield "", pair[3], [found[pair[1]] - found[pair[2]]]
        return
    for model, value in found.items():
        if stated := re.search(rf"(?:^|; ){re.escape(model)} ({VALUE})", claim["here"]):
            yield f", {model}", stated[1], [value]


def terms(text):
    """Quantities and weights that a claim asks for, and where."""
    if text.startswith("the larger of two"):
        name = "within_without_top_3" if "top 3" in text else "between" if "between texts" in text else "within"
        return {name: 1}, "late half"
    if "top 3" in text:
        return {"between_without_top_3": 1, "between": -1}, "middle"
    if "rare" in text:
        return {"to_mean_rare": 1, "to_mean_common": -1}, "middle"
    return {"between": 1, "excess": -1}, "last" if "last entry" in text else "middle"
