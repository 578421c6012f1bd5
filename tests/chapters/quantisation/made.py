"""Runs as the page reads them, with costs that a test chooses."""

from pathlib import Path

from decondense.records import Record
from decondense.runs.run import Run

BASE = 6.0


def record(costs, logprob=-10.0, late=0.5, kurtosis=3.0, name="made"):
    """A model that loses so much under each scheme, on two texts."""
    rows = [_row("as it is", 0.0, logprob, late)]
    rows += [_row(scheme, cost, logprob - cost, late + cost / 10) for scheme, cost in costs.items()]
    layers = {"a": _layer(kurtosis - 1), "b": _layer(kurtosis + 1)}
    return Record(Path(name), {"results": {"rounded": rows, "outliers": layers}, "config": {"loss": None}}, None)


def _row(scheme, cost, logprob, late):
    each = [BASE + cost - 0.1, BASE + cost + 0.1]
    return {"scheme": scheme, "loss": BASE + cost, "losses": each, "logprob": logprob, "mu": [0, 0, late, late]}


def _layer(kurtosis):
    names = ("weights_kurtosis", "weights_peak", "inputs_kurtosis", "inputs_peak", "inputs_channels")
    return dict.fromkeys(names, kurtosis)


def runs(label, costs, **more):
    """A run for each of a list of costs, of which each is a number for every scheme."""
    return [Run(label, seed, record(one, name=f"{label}-{seed}", **more)) for seed, one in enumerate(costs)]
