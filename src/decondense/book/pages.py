"""Pages of the book with parts made by code: a comment `<!-- kind name -->` is replaced by what the kind gives for it.

`<!-- architectures NAME -->` is a part of the table of architectures; `<!-- evidence ID: CLAIM -->` the claim of the
committed run whose text begins so, of the notebook ID: what the paper has, what was found here, the verdict, the page;
`<!-- number ID: NAME -->` one number of the committed run (`numbers`);
`<!-- example figure -->` and `<!-- example numbers -->` show one measurement of the committed run;
`<!-- faults table -->` the counts of `nox -s faults` in `faults.json`; `<!-- overview picture -->` and
`<!-- overview cone -->` the pictures of the committed run; `<!-- power ID: CLAIM -->` how large an effect it would have
seen there; `<!-- doors ways -->` the ways through the book.
"""

import json
import re
from pathlib import Path

from ..paper.claims import badge
from . import contents
from .headlines import seen
from .numbers import NO_RUN, chosen, claim, filled, number, plain
from .scorecard import read_committed

MADE = ("architectures.md", "faq.md", "findings.md", "how_the_numbers_are_made.md", "intro.md", "quick_start.md")
RANKS = {"$\\rho$": "rho", "$\\tau$": "tau"}
NO_NUMBER = ("not stated", "not in the paper", "stated", "drawn")  # of the column `published`
WITH = re.compile(r" \((.+?)\)")  # the units behind an effect (`headlines.seen`)
EXAMPLE = "condensation-smollm2-135m-instruct-pretrained-documentation-*.json"  # what the page's code measures


def write(book: Path, target: Path) -> None:
    """Write the pages `MADE` of the folder `book`, their comments filled, to the folder `target`.

    Raises
        ValueError: a comment that names no kind, no part, or no claim of the committed run.
    """
    from ..models import architectures

    parts, committed = architectures.parts(), read_committed(book / "results")
    notebooks = [path.stem for path in (book.parent / "notebooks").glob("[0-9][0-9]_*.ipynb")]
    kinds = {
        "architectures": lambda name: chosen("part of architectures", name, parts),
        "evidence": lambda name: evidence(name, committed),
        "number": lambda name: number(name, committed),
        "power": lambda name: power(name, committed),
        "doors": lambda name: chosen("part of the contents", name, {"ways": contents.doors(notebooks)}),
        "overview": lambda name: chosen("part of the overview", name, pictures(book / "results", target)),
        "faults": lambda name: chosen("part of the faults", name, {"table": faults(book / "faults.json")}),
        "example": lambda name: chosen("part of the example", name, example(book / "results", target)),
    }
    for name in MADE:
        (target / name).write_text(filled((book / name).read_text(encoding="utf-8"), kinds), encoding="utf-8")


def evidence(name: str, committed: dict[str, dict]) -> str:
    """An item of a list for the claim that `name` finds (`numbers.claim`)."""
    if not committed:
        return f"- {NO_RUN}"
    found = claim(name, committed)
    published = "" if found["published"] in NO_NUMBER else f" Paper: {found['published']}."
    short = name.partition(": ")[0]
    return (
        f"- *{plain(found['claim'])}* ({found['source']}).{plain(published)} Here: {plain(found['here'])}. "
        f"{badge(found['verdict'])} [{short}](../notebooks/{found['notebook']}.ipynb), profile `{found['profile']}`"
    )


def power(name: str, committed: dict[str, dict]) -> str:
    """` (1.4 with 5 seeds)` for the claim that `name` finds: what such runs see with the power `stats.POWER`."""
    found = seen(claim(name, committed)["power"]) if committed else NO_RUN
    return " ({})".format(WITH.sub(r" with \1", found))


def example(results: Path, target: Path) -> dict[str, str]:
    """The figure, drawn into the folder `target`, and the numbers of the first committed record of `EXAMPLE`."""
    from .. import records
    from ..condensation import Condensation
    from ..paper.claims import number

    record = next(filter(None, map(records.read, sorted(results.glob(EXAMPLE)))), None)
    if record is None:
        return {"figure": NO_RUN, "numbers": NO_RUN}
    result = Condensation.load(record.arrays)
    result.plot().savefig(target / "quick-start.png", dpi=160, bbox_inches="tight")
    config = record.content["config"]
    caption = f"{config['model']} on {config['n_texts']} texts of {config['corpus']}."
    rows = [(name, number(getattr(result, key), getattr(result, f"{key}_interval"))) for name, key in RANKS.items()]
    return {
        "figure": f":::{{figure}} quick-start.png\n:name: fig-quick-start\n:width: 60%\n{caption}\n:::",
        "numbers": "\n".join(f"- {name} = {value}" for name, value in rows)
        + f"\n- $\\mu$ = {result.mu[0]:.2f} at the first entry, {result.mu[-1]:.2f} at the last",
    }


def pictures(results: Path, target: Path) -> dict[str, str]:
    """The pictures of the committed run, drawn into the folder `target` (`overview`)."""
    from . import overview

    if not (committed := read_committed(results)):
        return {"picture": NO_RUN, "cone": NO_RUN}
    overview.save(committed, results, target)
    shown = "What came of the claims of the paper, page by page, in the run that the repository keeps."
    parts = (
        "Mean cosine of two tokens of one text (solid) and of two texts (dashed). Pretrained models condense towards a "
        "direction that all texts share, these untrained ones more towards one of each text."
    )
    figure = ":::{{figure}} {}\n:name: fig-{}\n:figclass: picture\n:alt: {}\n\n{}\n:::".format
    return {
        "picture": figure(overview.PICTURE, "overview", "Counts of the verdicts on each page", shown),
        "cone": figure(overview.CONE, "parts-of-the-cone", "Mean cosine within and between texts over depth", parts),
    }


def faults(path: Path) -> str:
    """The counts of the fault suite as a table; a dash where nothing was there to be read, or no run was repeated."""
    counted = json.loads(path.read_text(encoding="utf-8"))
    names = ("injected", "corrupt_reads", "reruns", "reruns_the_same")
    shown = lambda row: " | ".join("–" if row[name] is None else f"{row[name]:,}" for name in names)
    rows = [f"| {row['fault']} | {shown(row)} |" for row in [*counted["faults"], {"fault": "**all**"} | counted["all"]]]
    head = "| fault | injected | corrupt reads | reruns | ended the same |\n| --- | --: | --: | --: | --: |"
    made = f"Made {counted['utc'][:10]} on {counted['system']}, Python {counted['python']}"
    return "\n".join([head, *rows]) + f"\n\n{made}; {counted['failed_tests']} tests failed."
