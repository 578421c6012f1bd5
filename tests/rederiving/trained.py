"""What records of training runs state of themselves, and the claims on runs: means over seeds, paired differences.

A function of a page takes a claim and the page's records, and yields (name, text, values): a part of the claim's text
and the numbers that must stand there, in this order. What has another form than the one known here yields nothing.
"""

import re

import numpy as np

from .files import averages
from .mathematics import at_loss, grouped, kendall, last_of, paired, paired_by_item, spearman, with_interval
from .texts import BETWEEN, VALUE, named, rank_of


def training(record):
    """Tokens seen, the parts of the loss, the number of items."""
    config, results = record.config, record.results
    sizes = [config[name] for name in ("steps", "batch_size", "accumulation", "length")]
    if config.get("stop_after") is None:
        yield "tokens", results["tokens"], lambda: float(np.prod(sizes)), 0
    if results["curve"]:
        yield "last loss", results["curve"][-1]["loss"], lambda: total_loss(record), 4
    if results["tasks"]:
        asked = sum(task["items"] for task in results["tasks"].values())
        yield "items", asked, lambda: float(len(record.arrays["item_score"])), 0


def total_loss(record):
    row, taught = record.results["curve"][-1], record.config.get("distillation")
    share = 1 - taught["share"] if taught else 1
    language = share * row["loss_language"] + (1 - share) * row.get("loss_distillation", 0)
    return language + (record.config["weight"] or 0) * row["loss_regulariser"]


def shape_of(run):
    return {"GPT2Config": "GPT-2", "Qwen3Config": "Qwen3"}[run.config["shape"]["architecture"]]


def end(run):
    return last_of(run.mu())


def loss(run):
    return run.results["validation_loss"][-1]


def condition(run):
    """What a run changes: the loss, its weight, layers and temperature."""
    config = run.config
    if config.get("forgetting"):
        return "active_forgetting"
    if config.get("noise_alpha"):
        return "noisy_embedding"
    return (config["loss"] or ("train" if config["steps"] else "none")).removesuffix("_tokens")


def dosed(runs):
    """Training without a loss, and dispersion on all layers by its weight as text."""
    wanted = {("train", None), ("dispersion", "all")}
    kept = [r for r in runs if (condition(r), r.config["layers"]) in wanted]
    return grouped(kept, lambda r: f"{r.config['weight']:g}" if r.config["loss"] else "0")


def of_length(runs, which):
    """The trained runs of the fewest (min) or of the most (max) steps."""
    steps = which(run.config["steps"] for run in runs if run.config["steps"])
    return [run for run in runs if run.config["steps"] == steps]


def fig7(claim, runs):
    of_the_figure = claim["source"].startswith("Fig. 7")
    doses, here = dosed(of_length(runs, max if of_the_figure else min)), claim["here"]
    plain, of_claim = doses.pop("0"), re.search(r"\(weight ([\d.]+)\)", claim["claim"])
    if claim["claim"].startswith("default loss"):
        first = re.search(BETWEEN, here)
        yield "", first[0], with_interval([end(r) - last_of(r.mu(0)) for r in plain])
    elif "validation loss at weight" in claim["claim"]:
        weight = re.search(r"weight ([\d.]+)", claim["claim"])[1]
        mean, first = np.mean([loss(r) for r in plain]), re.search(BETWEEN, here)
        yield "", first[0], paired(doses[weight], plain, lambda r: 100 * loss(r) / mean)
    elif of_claim:
        yield "", re.search(BETWEEN, here)[0], paired(doses[of_claim[1]], plain, end)
    for weight, group in doses.items():
        found = re.search(rf"weight {re.escape(weight)}: ({BETWEEN})", here)
        if found and "late-half" in claim["claim"]:
            yield f", weight {weight}", found[1], paired(group, plain, end)


def accuracy(run):
    return 100 * run.scores()


def average(runs):
    return np.mean([accuracy(run) for run in runs])


def table2(claim, runs):
    model, _, asked = claim["claim"].partition(": ")
    if not asked.startswith("dispersion is better"):
        return
    kept = of_length(runs, max if asked.endswith("default training") else min)
    before = [run for run in runs if not run.config["steps"]]
    groups = grouped(kept, condition)
    ours = groups.pop("dispersion")
    found = {name: paired_by_item(ours, group, "score", 100) for name, group in groups.items()}
    found |= {"none": [average(ours) - average(before)]}
    printed = {row["condition"]: float(row["mean"]) for row in averages("table2_midtraining", model)}
    gaps = {name: [printed["dispersion"] - value] for name, value in printed.items()}
    yield from named(claim["here"].rpartition(" steps: ")[2], found)
    yield from named(claim["published"], gaps)


def table3(claim, runs):
    half = grouped((r for r in runs if r.config["loss"]), lambda r: r.config["layers"])
    late, early = (next((g for n, g in half.items() if word in str(n)), []) for word in ("late", "early"))
    if late and early and "on average" in claim["claim"] and re.match(VALUE, claim["here"]):
        yield "", re.match(VALUE, claim["here"])[0], [average(late) - average(early)]
        printed = {row["dispersion_layers"]: float(row["mean"]) for row in averages("table3_layers")}
        yield from named(claim["published"], {"late": [printed["second_half"]], "early": [printed["first_half"]]})
    elif late and early and "late-half μ" in claim["claim"] and re.match(BETWEEN, claim["here"]):
        yield "", re.match(BETWEEN, claim["here"])[0], paired(late, early, end)


def table4(claim, runs):
    of = lambda r: f"λ {r.config['weight']:g}, τ {r.config['temperature'] or 1:g}" if r.config["loss"] else "train"
    means = {name: average(group) for name, group in grouped(runs, of).items()}
    chosen = means.get("λ 0.1, τ 1")
    for name, mean in means.items():
        value = mean - means["train"] if "robust" in claim["claim"] else chosen - mean
        found = re.search(rf"{re.escape(name)} ({VALUE})(?:;|$| \[)", claim["here"])
        if found and name != "train":
            yield f", {name}", found[1], [value]


def table5(claim, runs):
    weight = re.match(r"dispersion(?:, weight ([\d.]+))?: ", claim["claim"])
    quantities = {
        "late-half μ": lambda *pair: paired(*pair, end),
        "validation loss": lambda *pair: paired(*pair, loss),
        "benchmarks": lambda *pair: paired_by_item(*pair, "score", 100),
        "right answers": lambda *pair: paired_by_item(*pair, "logprob", 1),
    }
    compared = next((f for name, f in quantities.items() if name in claim["claim"]), None)
    if weight and compared:
        found = {}
        for shape, group in grouped(of_length(runs, max), shape_of).items():
            doses = dosed(group)
            found[shape] = compared(doses[weight[1] or "0.1"], doses["0"])
        yield from named(claim["here"], found)


def fig5(claim, used):
    kinds = grouped((r for r in used if r.is_run), student)
    plain, text, found = kinds.get("cross-entropy"), claim["claim"], re.match(BETWEEN, claim["here"])
    if not (plain and found):
        return
    name = text.partition(":")[0]
    if "not lower" in text and name in kinds:
        yield "", found[0], paired(kinds[name], plain, lambda r: rank_of(text)(r.mu()))
    elif text.startswith("dispersion on top"):
        yield "", found[0], paired(kinds["logits + dispersion"], kinds["logits"], end)
    elif text.startswith("hidden states: μ closer"):
        teacher = next(record for record in used if record.name.startswith("fig5-teacher"))
        yield "", found[0], paired(kinds["hidden states"], plain, lambda r: to_teacher(r, teacher))
    elif text.startswith("logits: predictions closer"):
        yield "", found[0], paired(kinds["logits"], plain, lambda r: r.results["curve"][-1]["loss_distillation"])


def student(run):
    """What a student learns from: cross-entropy is the run with no share of the teacher's."""
    taught = run.config["distillation"]
    if taught["share"] == 0:
        return "cross-entropy"
    kind = "hidden states" if taught["kind"] == "hidden" else taught["kind"]
    return kind + (" + dispersion" if run.config["loss"] else "")


def to_teacher(run, teacher):
    """Mean distance of mu from the teacher's at the same share of the depth, rounded up, without entry 0."""
    ours, theirs = run.mu(), teacher.mu()
    blocks, deeper = len(ours) - 1, len(theirs) - 1
    return float(np.mean([abs(ours[at] - theirs[int(np.ceil(at * deeper / blocks))]) for at in range(1, blocks + 1)]))


def fig3(claim, runs):
    """Readings of the widths: at the lowest rate, at the best of each width, and those at the loss that all reach."""
    where, quantity = claim["claim"].partition(":")[0], claim["claim"].rpartition("lower ")[2]
    place = {"Spearman ρ": 0, "Kendall τ": 1, "late-half μ": 2}.get(quantity)
    widths = grouped(sorted(runs, key=lambda r: r.config["shape"]["n_inner"]), lambda r: r.config["shape"]["n_inner"])
    chain = rf"{VALUE} ± {VALUE}"
    found = re.match(rf"{chain}(?: → {chain})+", claim["here"])
    if place is None or not found:
        return
    if where == "paper-like rate":
        slow = min(r.config["learning_rate"] for r in runs)
        chosen = {w: [r for r in group if r.config["learning_rate"] == slow] for w, group in widths.items()}
    else:
        chosen = {w: min(by_rate(group), key=lambda g: np.mean([loss(r) for r in g])) for w, group in widths.items()}
    reach = max(min(r.results["validation_loss"]) for group in chosen.values() for r in group)
    reading = lambda r: at_loss(r, reach) if where == "same loss" else [spearman(r.mu()), kendall(r.mu()), end(r)]
    rows = [[reading(r)[place] for r in group] for group in chosen.values()]
    yield "", found[0], [value for row in rows for value in (np.mean(row), np.std(row, ddof=1))]


def by_rate(group):
    return grouped(group, lambda r: r.config["learning_rate"]).values()


def course(claim, runs):
    """Along training: from the first look to the last, seed by seed."""
    statistic = rank_of(claim["claim"]) or last_of
    by_shape = grouped(runs, shape_of)
    ends = {s: [(statistic(r.mu(0)), statistic(r.mu())) for r in g] for s, g in by_shape.items()}
    if "falls" in claim["claim"]:
        yield from named(claim["here"], {s: with_interval([b - a for a, b in pairs]) for s, pairs in ends.items()})
    elif "turns negative" in claim["claim"]:
        yield from named(claim["here"], {s: with_interval([b for _, b in pairs]) for s, pairs in ends.items()})
    elif "highest at initialisation" in claim["claim"]:
        before = claim["here"].partition(";")[0]
        yield ", start", before, [a for shape in ("GPT-2", "Qwen3") for a, _ in ends.get(shape, [])]
