"""What the page asks for: the schemes of rounding, from a few numbers; and a run as a check run reads it."""

from collections.abc import Sequence

from ...quantise import Scheme
from ...runs.run import Run

WHOLE = 8  # bits at which rounding hardly costs anything: neither groups nor a rotation are tried there
OWN = ("rounding", "scored", "aware")  # what the records of this page say beside the configuration of the training


def schemes(bits: Sequence[float], group: int, activations: Sequence[Sequence[int]]) -> list[Scheme]:
    """Of the weights at each of `bits`: a step a channel, then by groups, then rotated; then with their inputs.

    activations
        Pairs, bits of the weights and of the inputs.

    What has fewer than `WHOLE` bits is also rounded by groups and rotated; of a pair, where its inputs have.

    Raises
        ValueError: as `Scheme`.
    """
    few = [each for each in bits if each < WHOLE]
    found = [Scheme(bits=each) for each in bits]
    found += [Scheme(bits=each, group=group) for each in few]
    found += [Scheme(bits=each, rotated=True) for each in few]
    found += [Scheme(bits=weights, activations=inputs) for weights, inputs in activations]
    turned = [pair for pair in activations if pair[1] < WHOLE]
    return found + [Scheme(bits=weights, activations=inputs, rotated=True) for weights, inputs in turned]


def bare(run: Run) -> Run:
    """The run without what this page adds to its configuration, as `grid.check_run` reads it: its training alone."""
    config = {name: value for name, value in run.config.items() if name not in OWN}
    return Run(run.label, run.seed, run.record._replace(content=run.record.content | {"config": config}))
