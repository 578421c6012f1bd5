"""Fig. 5: does distillation lower rho and tau? The published pairs, the measured ones, students and their teacher."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from .. import corpora, measurement, metrics, models, paper, records, surveys
from ..condensation import Condensation
from ..corpora import streams
from ..models import pocket
from ..pairing import paired_differences
from ..paper.claims import Claim, check_claim
from ..paper.trends import METRICS
from ..paper.verdicts import NOT_LOWER, is_negative, not_lower
from ..runs import read, tables
from ..runs.run import Run
from ..runs.tables import Quantity
from ..stats import Interval, Mean
from ..surveys import Measured
from ..trainers import distillation


class Pair(NamedTuple):
    """A model of Fig. 5 before and after it was distilled: our short names, and the figure's."""

    size: str
    plain: str
    distilled: str
    published_plain: str
    published_distilled: str


BASELINE = "cross-entropy"  # students that learn from the text alone

PAIRS = [
    Pair(size, plain.lower(), f"deepseek-r1-distill-qwen-{size.lower()}", plain, f"DeepSeek-R1-Distill-{plain}")
    for size, plain in {
        "1.5B": "Qwen2.5-Math-1.5B",
        "7B": "Qwen2.5-Math-7B",
        "14B": "Qwen2.5-14B",
        "32B": "Qwen2.5-32B",
    }.items()
]


def published() -> pd.DataFrame:
    """Fig. 5b as numbers, a row a size and metric: not distilled, distilled, their difference, and `error`, its bound.

    The error is that of reading two points off the figure; the paper gives no uncertainty over texts.
    """
    rows = []
    for symbol, metric, _ in METRICS.values():
        points = paper.trend("Fig5", metric, "Qwen2.5 distillation").set_index("model")
        for pair in PAIRS:
            before, after = points.loc[pair.published_plain], points.loc[pair.published_distilled]
            difference, error = after.value - before.value, after.error + before.error
            rows.append((symbol, pair.size, before.value, after.value, difference, error))
    return pd.DataFrame(rows, columns=["metric", "size", "not distilled", "distilled", "difference", "error"])


def measured(results: Sequence[Condensation]) -> dict[str, list[Condensation]]:
    """The pairs of which both models were measured: {size: [not distilled, distilled]}."""
    found = {result.name: result for result in results}
    return {p.size: [found[p.plain], found[p.distilled]] for p in PAIRS if {p.plain, p.distilled} <= set(found)}


def teacher_of(run: Run) -> Measured:
    """The teacher of a run, on the held-out windows on which the run's own geometry is measured; read or measured.

    Raises
        ValueError: the run had no teacher; and what `models.load` and `corpora.load` raise.
    """
    config = run.record.content["config"]
    if not config["distillation"]:
        raise ValueError(f"The run {run.label!r} had no teacher. Give one with a 'distillation' in its configuration.")
    names = ("corpus", "tokenizer", "texts", "text_length", "sources", "train_tokens")
    asked = {"teacher": config["distillation"]["teacher"], **{name: config[name] for name in names}, "seed": 0}
    asked |= {"tokens": list(read(config).needs)}  # of a corpus that is read row by row they decide what is held out

    surroundings = surveys.surroundings(asked["corpus"], tuple(asked["sources"]))
    name = f"fig5-teacher-{asked['teacher'].rstrip('/').split('/')[-1].lower()}"
    record = records.run(name, asked, lambda: _look(asked), __name__, surroundings=surroundings, committed=True)
    return Measured(Condensation.load(record.arrays), record)


def _look(asked: dict) -> tuple[dict, bytes]:
    teacher, sources, length = asked["teacher"], tuple(asked["sources"]), asked["text_length"]
    trained = {"train_tokens": asked["train_tokens"]} if teacher in pocket.SIZES else {}
    loaded = models.load(teacher, sources=sources, seed=0, **trained)
    corpus, tokenizer = corpora.load(asked["corpus"], sources), models.load_tokenizer(asked["tokenizer"], sources)
    held_out = streams.stream(corpus, tokenizer, streams.Needs(*asked["tokens"])).held_out
    windows = streams.spread(held_out, asked["texts"], length)
    result = measurement.measure(loaded.model, None, windows, max_length=length, name=teacher, progress=False)
    return surveys.summary(result, loaded.provenance, corpus), result.to_bytes()


def profile_distance(student: Float[np.ndarray, "entries"], teacher: Float[np.ndarray, "others"]) -> float:
    """Mean over the student's entries 1..L of |mu of the student - mu of the teacher's matched entry|, in [0, 1].

    Matched as `distillation.matched_entries` says.
    """
    matched = distillation.matched_entries(len(student) - 1, len(teacher) - 1)
    return float(np.mean([abs(student[ours] - teacher[theirs]) for ours, theirs in matched.items()]))


def quantities(teacher: Condensation) -> dict[str, Quantity]:
    """What is compared between students, after the last step; `to the teacher` is `profile_distance`."""
    return {
        "ρ": lambda run: run.look().rho,
        "τ": lambda run: run.look().tau,
        "late-half μ": Run.late_half,
        "to the teacher": lambda run: profile_distance(run.mu[-1], teacher.mu),
        "validation loss": lambda run: run.validation_loss,
    }


def compared(runs: Sequence[Run], teacher: Condensation) -> dict[str, dict[str, Mean]]:
    """Each kind of student minus `BASELINE`, seed by seed: {label: {quantity: difference}}."""
    labels = [label for label in tables.first(runs) if label != BASELINE]
    wanted = quantities(teacher).items()
    return {label: {name: tables.paired(runs, label, BASELINE, value) for name, value in wanted} for label in labels}


def in_words(found: Mapping[str, Mapping[str, Mean]], teacher: Condensation) -> pd.DataFrame:
    """`compared` as text, a row a label; in the last row the teacher's own rho, tau and late-half mu."""
    rows = {label: {name: tables.text(d, 3) for name, d in row.items()} for label, row in found.items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    own = {"ρ": teacher.rho, "τ": teacher.tau, "late-half μ": metrics.mean_of_last(teacher.mu, None)}
    table.loc["teacher itself"] = pd.Series({name: f"{value:.3f}" for name, value in own.items()})
    return table.fillna("")


# --- paper against here ---------------------------------------------------------------------------------------------


def claims(
    results: Sequence[Condensation], runs: Sequence[Run], teacher: Condensation, check: pd.DataFrame
) -> list[Claim]:
    """The pairs that were measured, the students, and the check run.

    results
        Models of `PAIRS`, any number of them.
    runs
        Students with the labels `BASELINE`, logits, logits + dispersion, hidden states.
    check
        The table of `grid.check_run`.
    """
    found = compared(runs, teacher)
    divergence = tables.paired(runs, "logits", BASELINE, lambda run: run.curve["loss_distillation"].iloc[-1])
    book = {
        "dispersion on top: late-half μ lower": tables.paired(runs, "logits + dispersion", "logits", Run.late_half),
        "logits: predictions closer to the teacher": divergence,
        "hidden states: μ closer to the teacher": found["hidden states"]["to the teacher"],
    }
    rows = [
        (f"{kind}: {symbol} not lower", found[kind][symbol]) for kind in ("logits", "hidden states") for symbol in "ρτ"
    ]
    return [
        *pair_claims(results),
        *(
            Claim(claim=name, here=tables.text(d, 2), rule=NOT_LOWER, verdict=not_lower([d.interval]))
            for name, d in rows
        ),
        *(
            Claim(claim=name, here=tables.text(d), rule="interval over seeds below 0", verdict=is_negative(d.interval))
            for name, d in book.items()
        ),
        check_claim(check),
    ]


def pair_claims(results: Sequence[Condensation]) -> list[Claim]:
    """Two claims on the models of the paper, rho and tau: the distilled one of a pair is not lower.

    Differences are taken text by text (`paired_differences`). The published ones go through the same rule, with
    the error of reading the figure as the interval.
    """
    claims, there = [], published().set_index("metric")
    for symbol, _, statistic in METRICS.values():
        rows = there.loc[symbol]
        by_reading = [Interval(d - e, d + e) for d, e in zip(rows["difference"], rows["error"], strict=True)]
        values = "; ".join(f"{size} {d:+.3f}" for size, d in zip(rows["size"], rows["difference"], strict=True))
        values += f", each ± {rows['error'].max():g} (by this rule: {not_lower(by_reading).word})"
        found = {size: paired_differences(pair, statistic)[0] for size, pair in measured(results).items()}
        here = "; ".join(f"{size} [{low:+.3f}, {high:+.3f}]" for size, (low, high) in found.items()) or "none of them"
        verdict = not_lower(list(found.values()))
        claims.append(
            Claim(
                claim=f"distilled models: {symbol} not lower",
                source="Fig. 5b",
                published=values,
                here=here,
                rule=NOT_LOWER,
                verdict=verdict,
            )
        )
    return claims
