"""Claims: what the paper says beside what was found here, each with a verdict; as a table, and for the scorecard."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from .. import stats
from ..base.files import write_atomically
from ..records import Record, folder
from ..runs.tables import text
from ..stats import POWER, Estimate, Interval
from .verdicts import BADGES, NOT_TESTABLE, Test, Verdict, all_or_none, effect, judge, not_testable, page_levels

EXPERIMENT, IN_PRINT, OWN = "experiment", "in print", "own question"  # the tallies of the scorecard
TALLIES = {
    EXPERIMENT: "experiments on the paper's claims",
    IN_PRINT: "what can be checked in print: arithmetic, formulas, tables and figures against each other",
    OWN: "this book's own questions",
}
BOOK = "this book"  # source of a claim that is not the paper's
COLUMNS = ("verdict", "claim", "published", "here", "rule and power")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One row of *paper against here*.

    kind
        The tally that it counts in: a key of `TALLIES`. Left out, `OWN` for this book's claims, else `EXPERIMENT`.
    source
        Figure or table of the paper, or `BOOK`.
    published, here
        What the paper has, with its error, and what was found here, with its uncertainty, as text.
    rule
        What is asked, where the tests do not say it: what is checked, and within which tolerance.
    verdict
        A `Verdict`, or the `Test` of each item: `judged` makes a verdict of them.
    repeats
        The claim that this one says again, or follows from by definition: it is shown and not counted.
    power, tests
        Written by `judged`: what such a sample would find, and how many tests decided.
    """

    claim: str
    kind: str = ""
    source: str = BOOK
    published: str = "not stated"
    here: str
    rule: str = ""
    verdict: Verdict | Sequence[Test]
    power: str = ""
    repeats: str = ""
    tests: int = 0

    def as_dict(self) -> dict[str, str | int]:
        """The claim as verdict files hold it, and as `cells` takes it.

        Raises
            ValueError: it was not judged.
        """
        if not isinstance(self.verdict, Verdict):
            raise ValueError(f"{self.claim!r} was not judged: the tests of a page are judged together (`judged`).")
        kind = self.kind or (OWN if self.source == BOOK else EXPERIMENT)
        said = {"claim": self.claim, "kind": kind, "source": self.source, "published": self.published}
        said |= {"here": self.here, "rule": self.rule, "power": self.power, "tests": self.tests}
        return said | {"repeats": self.repeats, "verdict": self.verdict.word, "why": self.verdict.why}


def judged(claims: Sequence[Claim]) -> list[Claim]:
    """The claims of a page with their verdicts: those with tests are judged together (`verdicts.judge`)."""
    page = [claim.verdict for claim in claims if not isinstance(claim.verdict, Verdict)]
    found = zip(judge(page), page_levels(page), strict=True)
    told = lambda claim: _with_power(claim) if isinstance(claim.verdict, Verdict) else _told(claim, *next(found))
    return [told(claim) for claim in claims]


def _told(claim: Claim, verdict: Verdict, levels: Sequence[float]) -> Claim:
    tests = claim.verdict
    asked = dict.fromkeys(f"{_asked(test)}: {test.reason}" for test in tests)
    rule = "; ".join([*([claim.rule] if claim.rule else []), *asked])
    power = claim.power or "; ".join(dict.fromkeys(map(_power, tests, levels)))
    return replace(claim, verdict=verdict, rule=rule, power=power, tests=len(tests))


def _asked(test: Test) -> str:
    if test.nulls == (0.0,):
        return f"smallest effect that counts {test.number:+.3g}"
    return f"within ±{test.number:.3g}" if len(test.nulls) == 2 else f"not beyond {test.number:+.3g}"


def _power(test: Test, level: float) -> str:
    """What such a sample would find at the level of its verdict; of a margin, a change beyond it."""
    found, units = stats.detectable(test.estimate, 1 - level), f"{test.estimate.units} {test.estimate.unit}"
    if not np.isfinite(found):
        return f"{units}: no spread, so no power is known"
    return f"{units} find {found:.2g} with a chance of {POWER:.0%}"


def _with_power(claim: Claim) -> Claim:
    if claim.power:
        return claim
    missing = claim.verdict.word == NOT_TESTABLE
    return replace(claim, power="none here" if missing else "exact: nothing is sampled")


def save(
    notebook: str,
    profile: str,
    claims: Sequence[Claim],
    records: Sequence[Record] = (),
    numbers: Mapping[str, str] | None = None,
) -> Path:
    """Write the verdicts of a notebook (`02_fig2_model_families`) for the scorecard, with the records they rest on.

    numbers
        Name -> number as text, with its interval: those that the prose needs (`<!-- number fig2: NAME -->`) and no
        claim has.
    """
    content = {
        "notebook": notebook,
        "profile": profile,
        "claims": [claim.as_dict() for claim in claims],
        "records": sorted({record.path.name for record in records}),
    } | ({"numbers": dict(numbers)} if numbers else {})
    path = folder() / f"verdicts-{notebook.split('_')[1]}.json"
    return write_atomically(path, json.dumps(content, indent=1) + "\n")


def show(claims: Sequence[Claim]):
    """The claims as a styled table for a notebook: one row a claim, the verdict as a badge."""
    frame = pd.DataFrame([cells(claim.as_dict()) for claim in claims], columns=list(COLUMNS))
    return frame.style.hide(axis="index").set_table_attributes('class="claims"')


def badge(verdict: str, count: int | None = None) -> str:
    """A verdict as a small coloured label with a sign of its own, so that colour is not needed to read it.

    With a `count` it shows that number, and the verdict as its tool tip.
    """
    if count is None:
        return f'<span class="verdict {BADGES[verdict]}">{verdict}</span>'
    return f'<span class="verdict {BADGES[verdict]}" title="{verdict}" aria-label="{count} {verdict}">{count}</span>'


def cells(claim: Mapping[str, str | int]) -> tuple[str, ...]:
    """The cells of a claim under `COLUMNS`: the verdict first, so that a narrow screen shows it."""
    said = {name: escape(str(value)) for name, value in claim.items()}
    again = f"<br><small>not counted: it repeats <i>{said['repeats']}</i></small>" if said["repeats"] else ""
    return (
        badge(claim["verdict"]),
        f"{said['claim']}<br><small>{said['source']}</small>{again}",
        said["published"],
        f"{said['here']}<br><small>{said['why']}</small>",
        f"{said['rule']}<br><small>{said['power']}</small>",
    )


# --- check runs -------------------------------------------------------------------------------------------------------


def check_claim(check: pd.DataFrame) -> Claim:
    """The claim on check runs (tables of `records.beside_record`, one below the other): every quantity agrees."""
    return Claim(
        claim="every check run agrees with its record",
        here=f"{check.agrees.sum()} of {len(check)}",
        rule="all within their tolerances",
        verdict=all_or_none(check.quantity.tolist(), check.agrees.tolist()),
    )


# --- numbers as text --------------------------------------------------------------------------------------------------


def of_each(
    claim: str,
    found: Mapping[str, Estimate],
    smallest: float,
    reason: str,
    rule: Callable[[Estimate, float, str], Test] = effect,
) -> Claim:
    """A claim on several things, such as models, each tested by itself; not testable without any.

    rule
        `verdicts.effect` or `verdicts.no_change`, to which `smallest` and `reason` go.
    """
    tests: list[Test] = [rule(one, smallest, reason) for one in found.values()]
    here = "; ".join(f"{name} {text(one, 2)}" for name, one in found.items())
    return Claim(claim=claim, here=here or "none", verdict=tests or not_testable("none could be measured here"))


def chain(values: Sequence[float], intervals: Sequence[Interval]) -> str:
    """Numbers with their intervals in the order of size: `0.60 [0.55, 0.61] → 0.30 [0.28, 0.35]`."""
    return " → ".join(number(v, i) for v, i in zip(values, intervals, strict=True))


def numbers(values: Sequence[float]) -> str:
    """Several numbers as the tables show them: `0.385, -0.590`."""
    return ", ".join(f"{value:.3f}" for value in values)


def signed(differences: pd.Series) -> str:
    """Differences by name as the tables show them: `dispersion +0.66; l2_repel +0.47`."""
    return "; ".join(f"{name} {value:+.2f}" for name, value in differences.items())


def number(value: float, interval: Interval | None = None, error: float | None = None) -> str:
    """A number as the tables show it: `0.39 [0.31, 0.44]` with an interval, `0.385 ± 0.002` with an error."""
    if interval is not None and np.isfinite(interval).all():
        return f"{value:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]"
    return f"{value:.3f} ± {error:g}" if error is not None else f"{value:.2f}"
