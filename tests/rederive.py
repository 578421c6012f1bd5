"""Committed numbers derived again from the arrays beside the records and from the published tables.

    python tests/rederive.py --seed 7 --n 30

draws 30 of all numbers that can be derived, of each page in turn, prints each as it is stated and as it is derived,
and ends with status 1 if one differs within the digits that are shown. Without `--n` it takes all. Nothing of
`decondense` is imported: what the package computes wrong, this tool does not compute wrong in the same way.
"""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rederiving import capacity, measured, posttraining, printed, quantisation, resist, shares, trained
from rederiving.files import read
from rederiving.texts import numbers

RESULTS = Path(__file__).parents[1] / "book" / "results"
PAGES = {
    "start": printed.start, "fig1": measured.fig1, "fig2": measured.fig2, "figS2": measured.figS2,
    "figS3": measured.figS3, "fig3": trained.fig3, "fig4": measured.fig4, "fig5": trained.fig5,
    "table1": measured.table1, "fig7": trained.fig7, "table2": trained.table2, "table3": trained.table3,
    "table4": trained.table4, "table5": trained.table5, "audit": printed.audit, "gains": printed.gains,
    "figures": printed.figures, "linear": measured.linear, "signal": measured.signal, "static": measured.static,
    "cone": shares.cone,
    "capacity": capacity.capacity, "resist": resist.resist, "posttraining": posttraining.posttraining,
    "quantisation": quantisation.quantisation,
}  # fmt: skip


class Number(NamedTuple):
    """One committed number and the function that derives it."""

    page: str
    name: str
    stated: float
    digits: int  # that are shown, or compared
    derive: Callable[[], float]
    within: float | None = None  # how far rounding may part them, where that is more than the digits shown

    def agrees(self, derived):
        return abs(derived - self.stated) <= (self.within or 0.5 * 10**-self.digits) * (1 + 1e-6) + 1e-9


def of_records(verdicts, made):
    """What records of measurements and of training state of themselves, under the first page that uses them."""
    page_of = {name: page for page in sorted(verdicts, reverse=True) for name in verdicts[page]["records"]}
    for name, record in made.items():
        for what, stated, derive, digits in stated_by(record):
            if stated == stated:  # NaN is no number to derive
                yield Number(page_of[name], f"{record.name} {what}", stated, digits, derive)


def stated_by(record):
    if "mean_angle_degrees" in record.results:
        return measured.angles(record)
    if record.is_run:
        return trained.training(record)
    return measured.measurement(record) if "mu_per_text" in record.arrays else ()


def of_claims(verdicts, made):
    """The numbers in the texts of the claims, and the claims of known pages that were not recognised."""
    found, missed = [], []
    for page in PAGES.keys() & verdicts.keys():
        used = [made[name] for name in verdicts[page]["records"]]
        for claim in verdicts[page]["claims"]:
            before = len(found)
            for part, text, values in parts(page, claim, used):
                for place, ((stated, digits), derived) in enumerate(zip(numbers(text), values, strict=True), start=1):
                    name = f"{claim['claim']}{part} [{place}]"
                    found.append(Number(page, name, stated, digits, lambda derived=derived: derived))
            missed += [f"{page}: {claim['claim']}"] * (len(found) == before)
    return found, missed


def parts(page, claim, used):
    """What the page's function knows of a claim: nothing where its runs or the form of its text are not those known."""
    try:
        known = list(PAGES[page](claim, used))
    except (LookupError, TypeError):
        return []
    return [(part, text, values) for part, text, values in known if len(numbers(text)) == len(values)]


def registry(folder=RESULTS):
    """All numbers that can be derived, and the claims that were not recognised."""
    verdicts, made = read(folder)
    found, missed = of_claims(verdicts, made)
    averages = [
        Number("audit", name, stated, 2, lambda derived=derived: derived, within)
        for name, stated, derived, within in printed.averages_of_tasks()
    ]
    return [*of_records(verdicts, made), *sorted(found, key=lambda number: number[:2]), *averages], missed


def draw(numbers, n, seed):
    """n numbers at random, of each page in turn; all of them where n is None."""
    taken, placed = Counter(), []
    for number in random.Random(seed).sample(numbers, len(numbers)):
        placed.append((taken[number.page], number))
        taken[number.page] += 1
    return [number for _, number in sorted(placed, key=lambda pair: pair[0])][:n]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=int, help="how many are drawn; all without it")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of committed results")
    parser.add_argument("--missed", action="store_true", help="name the claims that were not recognised")
    options = parser.parse_args(arguments)
    every, missed = registry(options.results)
    drawn = draw(every, options.n, options.seed)
    wrong = 0
    for number in drawn:
        derived = number.derive()
        same = number.agrees(derived)
        wrong += not same
        shown = f"{number.stated:.{number.digits}f}  {derived:.{number.digits}f}  {'agrees' if same else 'DIFFERS'}"
        print(f"{number.page:9} {shown}  {number.name}")
    pages = len({number.page for number in every})
    print(f"{len(drawn)} of {len(every)} numbers of {pages} pages derived again, {wrong} differ; "
          f"{len(missed)} claims not recognised.")  # fmt: skip
    if options.missed:
        print(*missed, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
