"""Bits that small models store, from what their records keep; on the data of which plain training stores most."""

from collections import defaultdict

import numpy as np

from .mathematics import last_of, with_interval

KINDS = {"random": "bits", "lives": "facts"}


def capacity(claim, used):
    text, here = claim["claim"], claim["here"].removesuffix(" bits per parameter")
    if text.startswith("every check run"):
        return
    if "rounding" in text or "at 8 bits" in text:
        yield "", here, with_interval(rounded(used, text))
        return
    if "the more data" in text:
        value = lambda by_data: plain(by_data[-1], late) - plain(by_data[0], late)
    elif text.startswith("plain"):
        value = lambda by_data: plain(fullest(by_data), stored)
    else:
        value = lambda by_data: difference(fullest(by_data), late if "late-half" in text else stored)
    sizes = grouped(used, "lives" if text.startswith("biographies") else "random")
    yield "", here, with_interval(np.mean([value(by_data) for by_data in sizes], axis=0))


def grouped(used, kind):
    """For each width of model the runs on each data set, from the smallest to the largest."""
    here = lambda r: r.config["data"]["kind"] == kind and r.seed < 100 and "rounding" not in r.config
    runs = [r for r in used if here(r)]
    least = min(r.config["steps"] for r in runs)  # a run with twice the steps is none of them
    found = defaultdict(lambda: defaultdict(list))
    for run in runs:
        if kind == "lives" or run.config["steps"] == least:
            data = run.config["data"]
            found[run.config["shape"]["n_embd"]][data.get("rows", data.get("people"))].append(run)
    return [[by_rows[rows] for rows in sorted(by_rows)] for by_rows in found.values()]


def stored(run):
    return run.results["course"][-1][KINDS[run.config["data"]["kind"]]] / run.results["parameters"]


def late(run):
    return float(last_of(run.mu()))


def of(runs, value, loss):
    """By seed."""
    chosen = sorted((run for run in runs if (run.config["loss"] is not None) == loss), key=lambda run: run.seed)
    return np.array([value(run) for run in chosen])


def plain(runs, value):
    return of(runs, value, False)


def difference(runs, value):
    return of(runs, value, True) - plain(runs, value)


def fullest(by_data):
    return max(by_data, key=lambda runs: plain(runs, stored).mean())


def rounded(used, text):
    """Facts lost by plain training at 8 bits; or lost at 4 bits by plain training, less what dispersion loses."""
    runs = [r for r in used if "rounding" in r.config]
    facts = lambda run, bits: run.results["held"][bits]["facts"] / run.results["parameters"]
    lost = lambda bits: lambda run: facts(run, "as trained") - facts(run, bits)
    return plain(runs, lost("8")) if "at 8 bits" in text else -difference(runs, lost("4"))
