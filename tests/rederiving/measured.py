"""What measurements state of themselves, and the claims on them: trends over sizes, untrained models, expansions.

The functions of the pages are as in `trained`.
"""

import re
from functools import partial

import numpy as np

from .files import PUBLISHED, heat_map, table
from .mathematics import bootstrap, grouped, kendall, last_of, paired, spearman, with_interval
from .texts import BETWEEN, VALUE, named, rank_of
from .trained import course

CATEGORY = {row["word"]: row["category"] for row in table(PUBLISHED.parent / "chapters" / "static" / "categories.csv")}
DIGITS = 6  # compared of a number that a record states in full


def measurement(record):
    """Name, stated, how to derive, digits: correlations with intervals over the texts, mu at three entries."""
    results, last, texts = record.results, len(record.results["mu"]) - 1, len(record.mu_per_text)
    for name, statistic in (("rho", spearman), ("tau", kendall)):
        yield name, results[name], lambda f=statistic: f(record.mu()), DIGITS
        for end, word in enumerate(("low", "high") if texts > 1 else ()):
            derive = lambda f=statistic, end=end: bootstrap(record.mu_per_text, f, record.seed)[end]
            yield f"{name}, {word} end", results[f"{name}_interval"][end], derive, DIGITS
    for entry in (0, last // 2, last):
        yield f"mu of entry {entry}", results["mu"][entry], lambda at=entry: float(record.mu()[at]), DIGITS
    off = record.arrays["mu_off_diagonal_per_text"]
    yield "last mu off the diagonal", results["mu_off_diagonal"][-1], lambda: float(off.mean(0)[-1]), DIGITS


def angles(record):
    """Angle of each token with the mean direction: the third coordinate is its cosine. Arrays are named by entry."""
    entries = {"early": "1", "last": max(record.arrays, key=int)}
    for name, stated in record.results["mean_angle_degrees"].items():
        cosine = record.arrays[entries[name]][:, 2].astype(float)
        yield f"angle, {name}", stated, lambda c=cosine: float(np.degrees(np.arccos(c.clip(-1, 1))).mean()), 4


def family(used, claim, corpus=None):
    """Measurements of a trained family in the order of size, first texts only."""
    name = claim.partition(":")[0].partition(" ")[0].removesuffix("-small")
    found = [r for r in pretrained(used) if r.config["model"].lower().startswith(name.lower())]
    found = [r for r in found if r.config["first_seed"] == 0 and corpus in (None, r.config["corpus"])]
    return sorted(found, key=lambda record: record.results["model"]["parameters"])


def pretrained(used):
    """With the weights as they come: not those rounded for a control, nor the float32 beside them."""
    found = [record for record in used if record.config.get("weights") == "pretrained"]
    controls = {r.config["model"] for r in found if r.config.get("bits")}
    return [r for r in found if not r.config.get("bits") and not (r.config["model"] in controls and _float32(r))]


def _float32(record):
    return record.config.get("dtype") == "float32"


def sizes(claim, used, statistic, corpus=None):
    """`0.60 [0.55, 0.61] → ...` from the smallest to the largest of a family."""
    members = family(used, claim["claim"], corpus)
    chain = re.search(rf"{BETWEEN}(?: → {BETWEEN})+", claim["here"])
    if statistic and members and chain:
        each = [(statistic(m.mu()), *bootstrap(m.mu_per_text, statistic, m.seed)) for m in members]
        yield ", chain", chain[0], [value for one in each for value in one]


def fig2(claim, used):
    if "the larger the model" in claim["claim"]:
        yield from sizes(claim, used, rank_of(claim["claim"]))
    elif "grows with depth" in claim["claim"]:
        models = {r.config["model"]: r for r in family(used, "") if r.config["model"] in claim["here"]}
        yield from named(claim["here"], {
            name: [spearman(r.mu()), *bootstrap(r.mu_per_text, spearman, r.seed)] for name, r in models.items()
        })  # fmt: skip


def figS2(claim, used):
    corpus = re.search(r" on ([\w-]+):", claim["claim"])
    if corpus:
        yield from sizes(claim, used, rank_of(claim["claim"]), corpus[1])


def figS3(claim, used):
    span = re.search(r"mean of μ, last (\d|half)", claim["claim"])
    if span:
        entries = None if span[1] == "half" else int(span[1])
        yield from sizes(claim, used, partial(last_of, entries=entries))
        published = [last_of(heat_map("Fig2a", model), entries) for model in ("GPT2", "GPT2-xl")]
        yield from named_chain(claim["published"], ("GPT2", "GPT2-xl"), published)


def named_chain(text, names, values):
    found = re.search(" → ".join(rf"{re.escape(name)} ({VALUE})" for name in names), text)
    if found:
        yield ", published", " ".join(found.groups()), values


def fig1(claim, used):
    models = sorted((r for r in used if "mu_per_text" in r.arrays), key=lambda r: r.results["model"]["parameters"])
    first = re.search(VALUE, claim["here"])
    if len(models) == 2 and first:
        small, large = (record.mu() for record in models)
        yield "", first[0], [small[-1] - (small[1] if "early" in claim["claim"] else large[-1])]


def fig4(claim, used):
    text = claim["claim"]
    start = [r for r in used if r.name.startswith("fig4-init")]
    if "at initialisation" in text and "Olmo" in text:
        values = [rank_of(text)(r.mu()) for r in start if r.config["model"] == "olmo-3-7b"]
        yield "", claim["here"], [np.mean(values), min(values), max(values)]
    elif text.startswith("every other architecture"):
        values = [rank_of(text)(r.mu()) for r in start if r.config["model"] != "olmo-3-7b"]
        yield "", claim["here"], [np.mean(values), min(values), max(values)]
    elif "different tokens" in text:
        repeated = grouped((r for r in used if r.name.startswith("fig4-repeated")), lambda r: str(r.config["count"]))
        yield from named(claim["here"], {n: [np.mean([spearman(r.mu()) for r in g])] for n, g in repeated.items()})
    elif "pocket: " in text:
        yield from course(claim, [r for r in used if r.is_run])


def linear(claim, used):
    order = claim["claim"].partition(":")[0]
    rows = next((r.results["rows"] for r in used if r.name.startswith("expansion-smollm2")), [])
    if "on real layers" in claim["claim"] and rows:
        off, push = ([abs(row[f"{what}, {order}"]) for row in rows] for what in ("error", "gradient"))
        yield "", claim["here"], [min(push)] if "gradients" in claim["claim"] else [max(off), np.median(off)]
    elif "training gives the geometry" in claim["claim"]:
        variants = grouped((r for r in used if "variant" in r.config), lambda r: r.config["variant"])
        change = lambda name: paired(variants[name], variants["all pairs"], last_step)
        yield "", claim["here"], change(order) + change("no loss")


def last_step(record):
    rows = record.results["rows"]
    return float(np.mean([row["mu"] for row in rows if row["step"] == max(row["step"] for row in rows)]))


def signal(claim, used):
    text = claim["claim"]
    random = {r.config["model"]: r for r in used if r.config.get("weights") == "random"}
    if text.startswith("at initialisation"):
        yield from named(claim["here"], {name: [rank_of(text)(r.mu())] for name, r in random.items()})
    elif "the recursion gives" in text and text.partition(":")[0] in random:
        name = text.partition(":")[0]
        mu, predicted = random[name].mu(), recursion(used, name)
        last = re.search(rf"last entry ({VALUE}) for ({VALUE})", claim["here"])
        largest = re.search(rf"largest difference ({VALUE})", claim["here"])
        yield ", last", " ".join(last.groups()), [predicted[-1], mu[-1]]
        yield ", largest", largest[1], [np.abs(predicted - mu).max()]


def recursion(used, name):
    """The recursion's mu of one model, from the table made with random heads (their number is above 0)."""
    for record in used:
        frame = record.results.get("table", {})
        if record.config.get("function") == "predictions" and record.config["arguments"][2] > 0:
            column = frame["columns"].index("mu")
            rows = [row[column] for (model, _), row in zip(frame["index"], frame["data"], strict=True) if model == name]
            return np.array(rows)
    return np.array([np.nan])


def table1(claim, used):
    entries = next((r.results["entries"] for r in used if "entries" in r.results), {})
    change = [entry["l2_repel"]["change of norm in %"] for entry in entries.values()]
    if "norms on a real layer" in claim["claim"] and change:
        yield "", re.match(VALUE, claim["here"])[0], [max(change)]


def static(claim, used):
    """Means over groups of rows, words or windows with Student's interval, from the numbers that the records hold."""
    text, cure = claim["claim"], claim["claim"].partition(":")[0]
    values = {}
    for record in used:
        name, results = record.config.get("kind") or record.config["model"], record.results
        if "losses" in results:
            values |= {name: taken} if (taken := of_entries(text, cure, results)) else {}
        elif "two rows" in text or (cure == "whitening" and "mean cosine" in text):
            values[name] = results["cosine"][cure if cure == "whitening" else "none"]
        elif "common words" in text or "rare tokens" in text:
            values[name] = results["tie"]
        elif "neighbours" in text:
            before = results["precision"]["none"]
            after = results["precision"][cure]
            groups = grouped(after, lambda word: CATEGORY[word])
            values[name] = [np.mean([after[word] - before[word] for word in group]) for group in groups.values()]
    yield from named(claim["here"], {name: with_interval(list(found)) for name, found in values.items()})


def of_entries(text, cure, results):
    by_window = lambda rows, name, key, value: [row[value] for row in rows if row[key] == name]
    middle = [row for row in results["entries"] if row["entry"] == results["middle"]]
    if "no cone is left" in text:
        return by_window(middle, cure, "cure", "mu")
    if "effective rank" in text:
        before, after = (by_window(middle, one, "cure", "rank") for one in ("none", cure))
        return [b / a - 1 for a, b in zip(before, after, strict=True)]
    if "loss rises" in text or "random vector" in text:
        start = "random vector" if "random" in text else "as it is"
        before, after = (by_window(results["losses"], one, "change", "loss") for one in (start, "without the mean"))
        return [b - a for a, b in zip(before, after, strict=True)]
    return []
