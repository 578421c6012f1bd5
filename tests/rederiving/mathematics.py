"""Ranks, intervals, differences over seeds, written anew. Of scipy it takes the quantile of Student's t, no more."""

from collections import defaultdict
from itertools import pairwise

import numpy as np
from scipy.stats import t as student


def ranks(values):
    """Places from 1 on, along the last axis, equal values with the mean of theirs."""
    values = np.asarray(values, float)
    one, other = values[..., :, None], values[..., None, :]
    return 0.5 + (other < one).sum(-1) + (other == one).sum(-1) / 2


def spearman(values):
    """Pearson's correlation of the places of the values with those of their order, along the last axis."""
    places = ranks(values)
    depth = np.arange(1, places.shape[-1] + 1)
    places, depth = places - places.mean(-1, keepdims=True), depth - depth.mean()
    return places @ depth / np.sqrt((places**2).sum(-1) * (depth**2).sum())


def kendall(values):
    """tau-b with the order of the values, which has no ties: (rising - falling pairs) / sqrt(untied pairs * pairs)."""
    values = np.asarray(values, float)
    later, earlier = np.tril_indices(values.shape[-1], -1)
    signs = np.sign(values[..., later] - values[..., earlier])
    return signs.sum(-1) / np.sqrt((signs != 0).sum(-1) * len(later))


def last_of(mu, entries=None):
    """Mean of the last entries, or of L // 2 + 1 .. L, along the last axis."""
    mu = np.asarray(mu)
    depth = mu.shape[-1]
    return mu[..., (depth - 1) // 2 + 1 if entries is None else depth - entries :].mean(-1)


def with_interval(values):
    """Mean and the ends of its 95 % interval by Student's t."""
    n, mean = len(values), float(np.mean(values))
    half = student.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n) if n > 1 else np.nan
    return [mean, mean - half, mean + half]


def bootstrap(mu_per_text, statistic, seed, resamples=2000):
    """2.5 and 97.5 % of a statistic of the mean over the texts, texts drawn with replacement."""
    texts = len(mu_per_text)
    counts = np.random.default_rng(seed).multinomial(texts, [1 / texts] * texts, size=resamples)
    return np.percentile(statistic(counts @ mu_per_text / texts), [2.5, 97.5]).tolist()


# --- over seeds -------------------------------------------------------------------------------------------------------


def by_seed(runs, value):
    return {run.seed: value(run) for run in runs}


def paired(runs, baseline, value):
    """Differences to the baseline, each seed with its own: mean and interval."""
    ours, theirs = by_seed(runs, value), by_seed(baseline, value)
    return with_interval([ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())])


def paired_by_item(runs, baseline, column, scale):
    """As `paired`, item by item: the interval is over seeds and items, which are crossed (two-way, no replicates)."""
    ours, theirs = (by_seed(group, lambda run: run.arrays[f"item_{column}"]) for group in (runs, baseline))
    apart = scale * np.stack([ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())])
    task = runs[0].arrays["item_task"]
    parts = [apart[:, task == name] for name in dict.fromkeys(task.tolist())]
    seeds, share = len(apart), 1 / len(parts)
    overall = sum(part.mean(axis=1) for part in parts) * share
    of_seeds = np.var(overall, ddof=1) / seeds
    items, rest = np.array([_items_and_rest(part) for part in parts]).T * share**2
    variance = max(of_seeds + items.sum() - rest.sum(), of_seeds, items.sum())
    sizes = np.array([part.shape[1] - 1 for part in parts])
    freedom = max(seeds - 1, variance**2 / (of_seeds**2 / (seeds - 1) + (items**2 / sizes).sum()))
    reach = student.ppf(0.975, freedom) * np.sqrt(variance)
    return [overall.mean(), overall.mean() - reach, overall.mean() + reach]


def _items_and_rest(part):
    """What the items, and what seeds and items together, do to the variance of the mean of all."""
    seeds, items = part.shape
    within = ((part - part.mean(axis=0)) ** 2).sum() - items * ((part.mean(axis=1) - part.mean()) ** 2).sum()
    return np.var(part.mean(axis=0), ddof=1) / items, within / ((seeds - 1) * (items - 1)) / (seeds * items)


def grouped(runs, key):
    """Runs by what `key` takes of them, in the order in which they come."""
    groups = defaultdict(list)
    for run in runs:
        groups[key(run)].append(run)
    return dict(groups)


def at_loss(run, loss):
    """mu-based readings where a run first passes a validation loss, linear in the loss between two checkpoints."""
    losses = run.results["validation_loss"]
    readings = [[spearman(run.mu(k)), kendall(run.mu(k)), last_of(run.mu(k))] for k in range(len(losses))]
    for (high, before), (low, after) in pairwise(zip(losses, readings, strict=True)):
        if high > loss >= low:
            share = (high - loss) / (high - low)
            return [(1 - share) * a + share * b for a, b in zip(before, after, strict=True)]
    return readings[0]
