"""What rounding costs, from what the records keep of every window of text: shares of plain training, seed by seed."""

import numpy as np

from .mathematics import by_seed, last_of, with_interval

ARMS = {"train": "train", "dispersion": "dispersion", "isoscore": "collapsed"}
TRAINED = "rounded in training"


def quantisation(claim, used):
    text, here = claim["claim"], claim["here"].removesuffix(" of what plain models have")
    if text.startswith("every check run"):
        return
    runs = [r for r in used if "curve" in r.results and r.seed < 100]
    if here.startswith("plain models lose"):
        lost = np.mean(list(costs(arm(runs, "train"), text.partition(":")[0]).values()))
        yield "", here.removeprefix("plain models lose ").removesuffix(" nats"), [lost]
        return
    yield "", here, with_interval(values(text, runs))


def values(text, runs):
    """A number for each seed."""
    scheme, plain, spread = text.partition(":")[0], arm(runs, "train"), arm(runs, "dispersion")
    if text.startswith("4 bits"):
        moved = lambda run: last_of(row(run, "W4")["mu"]) - last_of(row(run)["mu"])
        return list(by_seed(plain, moved).values())
    if text.startswith("the inputs"):
        return share(by_seed(spread, kurtosis), by_seed(plain, kurtosis))
    if scheme == TRAINED:
        return share(in_training(runs, "dispersion"), in_training(runs, "train"))
    if "a rotation helps" in text:
        without = share(costs(spread, scheme), costs(plain, scheme))
        turned = share(costs(spread, f"{scheme}, rotated"), costs(plain, f"{scheme}, rotated"), costs(plain, scheme))
        return np.subtract(turned, without)
    other = arm(runs, "collapsed") if "collapsed" in text else spread
    return share(costs(other, scheme), costs(plain, scheme))


def arm(runs, name, aware=False):
    """The runs of an arm; dispersion without a centre."""
    of = lambda run: ARMS.get(run.config["loss"] or "train")
    return [r for r in runs if of(r) == name and not r.config.get("centre") and r.config["aware"] == aware]


def row(run, scheme="as it is"):
    return next(each for each in run.results["rounded"] if each["scheme"] == scheme)


def nats(run, scheme="as it is"):
    return float(np.mean(row(run, scheme)["losses"]))


def costs(runs, scheme):
    return by_seed(runs, lambda run: nats(run, scheme) - nats(run))


def in_training(runs, name):
    with_it, without = (by_seed(arm(runs, name, aware), nats) for aware in (True, False))
    return {seed: loss - without[seed] for seed, loss in with_it.items()}


def kurtosis(run):
    return float(np.mean([layer["inputs_kurtosis"] for layer in run.results["outliers"].values()]))


def share(other, plain, of=None):
    """(other - plain) / mean of plain, or of something else, over the seeds that both have."""
    seeds = sorted(set(other) & set(plain))
    whole = np.mean([(of or plain)[seed] for seed in seeds])
    return [(other[seed] - plain[seed]) / whole for seed in seeds]
