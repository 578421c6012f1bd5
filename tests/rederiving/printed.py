"""What follows from the published tables alone: averages, gains, the correlations of a heat map's means.

The functions of the pages are as in `trained`; they look at no record.
"""

import re

import numpy as np

from .files import PUBLISHED, heat_map, table
from .texts import VALUE, named, rank_of


def start(claim, used):
    statistic = rank_of(claim["claim"])
    parts = {"all entries": slice(None), "without the first": slice(1, None), "without the last": slice(-1)}
    for name, part in parts.items():
        found = re.search(rf"{name} ({VALUE}), ({VALUE})", claim["here"])
        if found and statistic:
            values = [statistic(heat_map("Fig2a", model)[part]) for model in ("GPT2", "GPT2-xl")]
            yield f", {name}", " ".join(found.groups()), values


TABLES = {  # file -> the column that names a row, that of the values, the better and the other row
    "Table 2": ("table2_midtraining", "condition", "mean", "dispersion", "train"),
    "Table 3": ("table3_layers", "dispersion_layers", "mean", "second_half", "first_half"),
    "Table 5": ("table5_pretraining", "condition", "value", "dispersion", "train"),
}


def by_row(name):
    """{(model, row): {benchmark: value}} of a published table."""
    file, row, value, *_ = TABLES[name]
    found = {}
    for line in table(PUBLISHED / f"{file}.csv"):
        found.setdefault((line["model"], line[row]), {})[line["benchmark"]] = float(line[value] or "nan")
    return found


def averages_of_tasks():
    """Each printed average, the mean of its ten printed tasks, and how far rounding alone may part them."""
    for name in TABLES:
        for (model, row), values in by_row(name).items():
            tasks = [value for task, value in values.items() if task not in ("average", "rank")]
            yield f"{name}, {model}, {row}: average", values["average"], float(np.mean(tasks)), 0.055


def audit(claim, used):
    if claim["claim"] == "dispersion has the best average":
        for model in ("GPT2", "GPT2-m", "Qwen3-0.6B", "Qwen3-1.7B"):
            means = {row: v["average"] for (m, row), v in by_row("Table 2").items() if m == model}
            ours = means.pop("dispersion")
            yield from named(claim["here"], {model: [ours - max(means.values())]})


def gains(claim, used):
    text, source = claim["claim"], claim["source"]
    if "on other items of the ten tasks" in text and source in TABLES:
        *_, better, other = TABLES[source]
        rows, model = by_row(source), text.partition(":")[0]
        a, b = rows[model, better], rows[model, other]
        gain = re.match(VALUE, claim["published"])
        yield ", gain", gain[0], [a["average"] - b["average"]]
        apart = np.array([a[task] - b[task] for task in a if task not in ("average", "rank")])
        without = re.search(rf"without one task ({VALUE}) to ({VALUE})", claim["here"])
        if without:
            rest = (apart.sum() - apart) / 9
            yield ", without one task", " ".join(without.groups()), [rest.min(), rest.max()]
    elif "every other setting" in text or text.startswith("weight 0.1 and temperature 1"):
        yield from settings(claim)


def figures(claim, used):
    """Numbers of parameters of GPT-2: two tables of embeddings, and by block the weights, biases and norms."""
    if claim["claim"] == "the numbers of parameters are those of the shapes":
        embeddings, d = (50_257 + 1_024) * 768, 768
        attention, norms = d * 3 * d + 3 * d + d * d + d, 2 * 2 * d
        blocks = [12 * (attention + norms + d * f + f + f * d + d) for f in (64, 256, 1_024, 4_096)]
        yield "", claim["here"], [(embeddings + block + 2 * d) / 1e6 for block in blocks]


def settings(claim):
    """Table 4: the other settings against the default, plain training, and the best other loss."""
    rows = table(PUBLISHED / "table4_hyperparameters.csv")
    gpt2 = {row: v["average"] for (model, row), v in by_row("Table 2").items() if model == "GPT2"}
    default = next(float(r["average"]) for r in rows if r["is_default"] == "1")
    best = max(value for row, value in gpt2.items() if row not in ("none", "train", "dispersion"))
    base = best if "best other loss" in claim["claim"] else gpt2["train"] if "plain" in claim["claim"] else default
    apart = [float(r["average"]) - base for r in rows if r["is_default"] == "0"]
    span = re.match(rf"({VALUE}) to ({VALUE})", claim["here"])
    if span:
        yield "", " ".join(span.groups()), [min(apart), max(apart)]
