"""Runs as the page reads them, with numbers that a test chooses."""

from pathlib import Path

import numpy as np

from decondense.records import Record
from decondense.runs.run import Run

PARAMETERS, STEPS = 1000, 300


class Controlled:
    """The controls of a measurement, of numbers."""

    def __init__(self, numbers):
        self.numbers = numbers

    def __getitem__(self, name):
        return np.array(self.numbers[name])


def run(label="train", seed=0, bits=2000.0, before=None, kind="bits", memorisable=4000.0, passes=50.0, steps=STEPS):
    """One that held `before` bits after two thirds of the steps and `bits` at the end."""
    course = [{"step": steps // 3, kind: 10.0}, {"step": 2 * steps // 3, kind: bits if before is None else before}]
    course.append({"step": steps, kind: bits})
    results = {"parameters": PARAMETERS, "course": course, "memorisable": memorisable, "passes": passes}
    return Run(label, seed, Record(Path(f"{label}-{seed}"), {"results": results, "config": {"steps": steps}}, None))


def runs(plain, other, label="dispersion", **more):
    """Plain runs that hold these bits, and others, a seed each."""
    found = [run("train", seed, bits, **more) for seed, bits in enumerate(plain)]
    return found + [run(label, seed, bits, **more) for seed, bits in enumerate(other)]


def rounded(plain, other, plain_at_4, other_at_4, at_8=None):
    """Runs of `rounding`: facts that are known as trained and at 4 bits; at 8 bits as many as trained, or `at_8`."""
    found = []
    for label, whole, at_4 in (("train", plain, plain_at_4), ("dispersion", other, other_at_4)):
        for seed, (bits, left) in enumerate(zip(whole, at_4, strict=True)):
            held = {"as trained": bits, "8": at_8 or bits, "4": left}
            results = {"parameters": PARAMETERS, "held": {name: {"facts": each} for name, each in held.items()}}
            found.append(Run(label, seed, Record(Path(f"{label}-{seed}"), {"results": results}, None)))
    return found
