"""A measurement, or a comparison, as one HTML file: no network, light and dark, wide and narrow."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from io import BytesIO

import numpy as np

from ..condensation import Condensation
from ..controls import QUANTITIES
from ..pairing import Paired, excludes_zero, sentence
from ..per_token import Pooled
from ..stats import RESAMPLES
from . import controls

MEANING = (
    "μ is the mean cosine between the embeddings of all pairs of tokens of a text, diagonal included, taken after each "
    "layer: 0 where they point everywhere, 1 where they all point the same way.",
    "ρ (Spearman) and τ (Kendall) say whether μ grows with depth: near +1 the embeddings crowd together from layer to "
    "layer, near 0 there is no trend, near −1 they spread out; the late half is the mean of μ over the last half of "
    "the entries.",
    f"An interval is a 95 % bootstrap interval over the texts ({RESAMPLES:,} resamples): it says how much the choice "
    "of texts matters, and nothing about other data, other checkpoints or other training runs.",
)
TOKENS = (
    "The cosine of a token to the mean direction of its text at the last entry, averaged over all its occurrences; "
    "* is a special token. per_token.csv has each occurrence, at three entries."
)
_STYLE = """
:root{color-scheme:light dark;--page:#fff;--ink:#1d1f23;--soft:#5d636e;--line:#d9dce1;--card:#f5f6f8;--mark:#a01217}
@media (prefers-color-scheme:dark){:root{--page:#16181c;--ink:#e6e7ea;--soft:#a2a8b3;--line:#363a42;--card:#202329;
--mark:#ff8f84}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:62rem;padding:1.5rem 1rem 3rem;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2rem 0 .5rem}
.soft,caption,figcaption{color:var(--soft);font-size:.9rem}
caption{text-align:left;padding-bottom:.3rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .7rem .3rem 0;text-align:right;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600}
th:first-child,td:first-child{text-align:left}
.words td,.words th{text-align:left;overflow-wrap:anywhere}
.words th{font-weight:400;color:var(--soft);white-space:nowrap}
td small{display:block;color:var(--soft);white-space:nowrap}
td small.mark{color:var(--mark);font-weight:600}
figure{margin:1rem 0}
img{display:block;max-width:100%;height:auto;background:#fff;padding:.5rem;border-radius:.4rem}
pre{background:var(--card);padding:.7rem;border-radius:.4rem;white-space:pre-wrap;overflow-wrap:anywhere}
summary{cursor:pointer}
"""


def measurement(
    results: Sequence[Condensation],
    pairs: Sequence[Paired],
    figures: Mapping[str, bytes],
    command: str,
    failed: Mapping[str, str],
    tokens: Mapping[str, tuple[Sequence[Pooled], Sequence[Pooled]]] | None = None,
) -> str:
    """The page of one or more models. `figures`: caption -> PNG; `failed`: model -> why it is not there.

    tokens
        Model -> the tokens furthest out of the cone, and those furthest in; `None` or empty: they were not asked for.
    """
    title = f"Embedding condensation of {results[0].name if len(results) == 1 else f'{len(results)} models'}"
    settings = results[0].settings
    longest = settings["max_length"] or results[0].tokens.max()
    about = f"{len(results[0].tokens)} texts from {settings['texts']}, up to {longest} tokens each"
    body = [_list(map(trend, results)), _summary(results), *_figures(figures)]
    body += ["<h2>What the numbers mean</h2>", _list(MEANING)]
    if failed:
        body += ["<h2>Not measured</h2>", _words(failed)]
    if pairs:
        body += ["<h2>Differences on the same texts</h2>", differences(pairs)]
    if tokens:
        body += ["<h2>Tokens furthest in and out of the cone</h2>", _list([TOKENS])]
        body += [_tokens(name, *sides) for name, sides in tokens.items()]
    if controlled := [result for result in results if result.controls is not None]:
        body += ["<h2>Within texts and between them</h2>", _list([controls.MEANING]), *map(_controls, controlled)]
        body += [_quantities()]
    body += ["<h2>Layer by layer</h2>", *(_layers(result, open_=len(results) == 1) for result in results)]
    body += ["<h2>Where it comes from</h2>", *(_provenance(result) for result in results)]
    return page(title, about, [*body, *_again(command)])


def comparison(pair: Paired, figures: Mapping[str, bytes], command: str, facts: Mapping[str, object]) -> str:
    """The page of two results compared: plain sentences, the numbers, mu over depth, where both come from."""
    said = [sentence(number, pair.first, pair.second) for number in pair.numbers]
    body = [_list(said), differences([pair]), *_figures(figures), "<h2>Over depth</h2>", _depth(pair)]
    body += ["<h2>What the numbers mean</h2>", _list(MEANING), "<h2>Where it comes from</h2>", _words(facts)]
    about = f"{pair.texts} texts, the same for both; every difference is the second minus the first"
    return page(f"Embedding condensation: {pair.first} and {pair.second}", about, [*body, *_again(command)])


def page(title: str, about: str, body: Iterable[str]) -> str:
    """A whole HTML file that asks for nothing else."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n"
        f'<h1>{escape(title)}</h1><p class="soft">{escape(about)}</p>\n' + "\n".join(body) + "\n</body></html>\n"
    )


def png(figure) -> bytes:
    """A figure as the bytes of a PNG file, as the pages take it."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=160, bbox_inches="tight")
    return buffer.getvalue()


def trend(result: Condensation) -> str:
    """What one model shows, in a sentence: mu at both ends, and whether it grows with depth by the interval of rho."""
    low, high = result.rho_interval
    if result.is_constant:
        said = f"no trend, since μ is constant up to rounding ({result.resolution:g} in {result.dtype})"
    elif not np.isfinite([low, high]).all():
        said = f"ρ is {result.rho:+.3f}, without an interval: that needs two texts or more, and finite numbers"
    elif low <= 0 <= high:
        said = (
            f"the interval of ρ, {_interval((low, high))}, includes 0: no trend with depth that these texts could show"
        )
    else:
        said = f"it {'grows' if low > 0 else 'falls'} with depth, ρ {result.rho:+.3f} ({_interval((low, high))})"
    first, last = result.mu[0], result.mu[-1]
    return f"{result.name}: μ goes from {first:.3f} to {last:.3f} over {len(result.mu) - 1} layers; {said}."


def differences(pairs: Sequence[Paired]) -> str:
    """Second minus first, a table a pair; an interval that excludes 0 is marked."""
    tables = []
    for pair in pairs:
        rows = []
        for number in pair.numbers:
            values = (f"{value:+.3f}" for value in (number.first, number.second))
            star, mark = (" *", ' class="mark"') if excludes_zero(number) else ("", "")
            interval = f"<small{mark}>{_interval(number.interval)}{star}</small>"
            rows.append([number.quantity, *values, f"{number.difference:+.3f}{interval}"])
        tables.append(_table(["", "first", "second", "difference"], rows, f"{pair.second} minus {pair.first}"))
    note = (
        "* the 95 % interval excludes 0: more than the choice of texts or rounding explains. Each interval is "
        "for its own number only."
    )
    return "".join(tables) + f'<p class="soft">{note}</p>'


def _summary(results: Sequence[Condensation]) -> str:
    rows = []
    for result in results:
        numbers = [(result.rho, result.rho_interval), (result.tau, result.tau_interval), result.mean_of_last(None)]
        values = [f"{value:+.3f}<small>{_interval(interval)}</small>" for value, interval in numbers]
        ends = [f"{result.mu[0]:.3f}", f"{result.mu[-1]:.3f}"]
        rows.append([escape(result.name), *values, *ends, str(len(result.mu) - 1)])
    return _table(["model", "ρ", "τ", "late half", "μ first", "μ last", "layers"], rows)


def _layers(result: Condensation, open_: bool) -> str:
    low, high = result.mu_interval
    rows = [
        [str(row.layer), f"{row.layer_fraction:.3f}", f"{row.mu:.4f}", _interval((low[i], high[i])),
         f"{row.mu_off_diagonal:.4f}", str(row.zero_vectors), str(row.nonfinite_vectors)]
        for i, row in enumerate(result.to_frame().itertuples(index=False))
    ]  # fmt: skip
    head = ["layer", "depth", "μ", "95 % interval", "μ off the diagonal", "zero vectors", "non-finite"]
    shown = " open" if open_ else ""
    return f"<details{shown}><summary>{escape(result.name)}</summary>{_table(head, rows)}</details>"


def _tokens(name: str, outside: Sequence[Pooled], inside: Sequence[Pooled]) -> str:
    cells = lambda t: [f"{escape(repr(t.token))}{' *' * t.special}", str(t.count), f"{t.cosine:+.3f}"]
    rows = [[*cells(out), *cells(in_)] for out, in_ in zip(outside, inside, strict=True)]
    return _table(["furthest out", "count", "cosine", "furthest in", "count", "cosine"], rows, name)


def _controls(result: Condensation) -> str:
    cell = lambda value, low, high: f"{value:+.3f}<small>{_interval((low, high))}</small>"
    lines = [[name, *(cell(*value) for value in values)] for name, values in controls.rows(result.controls)]
    return _table(["", "first entry", "middle", "last"], lines, result.name)


def _quantities() -> str:
    rows = [[", ".join(row.names), *map(escape, (row.formula, row.range, row.cost, row.source))] for row in QUANTITIES]
    table = _table(["quantity", "formula", "range", "cost", "source"], rows)
    return f"<details><summary>All quantities, as report.json has them</summary>{table}</details>"


def _depth(pair: Paired) -> str:
    low, high = pair.mu.interval
    rows = [
        [f"{depth:.3f}", f"{a:.4f}", f"{b:.4f}", f"{b - a:+.4f}", _interval((below, above))]
        for depth, a, b, below, above in zip(pair.depth, pair.mu.first, pair.mu.second, low, high, strict=True)
    ]
    return _table(["depth", "μ of the first", "μ of the second", "difference", "95 % interval"], rows)


def _provenance(result: Condensation) -> str:
    settings = dict(result.settings)
    model = {"model": "", "source": "", "licence": "not stated by this source"} | settings.pop("model", {})
    versions = ", ".join(f"{name} {version}" for name, version in settings.pop("versions", {}).items())
    rounding = f"{result.resolution:g} ({result.dtype}); smaller differences of μ are rounding"
    words = {**model, **settings, "resolution of μ": rounding, "versions": versions}
    return f"<details open><summary>{escape(result.name)}</summary>{_words(words)}</details>"


def _again(command: str) -> list[str]:
    hidden = " (PATH/TO stands for a folder)" if "PATH/TO/" in command else ""
    return [f"<h2>Command{hidden}</h2>", f"<pre>{escape(command)}</pre>"]


def _figures(figures: Mapping[str, bytes]) -> list[str]:
    return [
        f'<figure><img src="data:image/png;base64,{base64.b64encode(png).decode()}" alt="{escape(caption)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, png in figures.items()
    ]


def _interval(interval) -> str:
    low, high = interval
    return f"{low:+.3f} to {high:+.3f}" if np.isfinite([low, high]).all() else "no interval"


def _list(sentences: Iterable[str]) -> str:
    return "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Cells are HTML already."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    said = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<div class="wide"><table>{said}<thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'


def _words(facts: Mapping[str, object]) -> str:
    rows = "".join(
        f"<tr><th>{escape(str(name).replace('_', ' '))}</th><td>{escape(_word(value))}</td></tr>"
        for name, value in facts.items()
        if value is not None
    )
    return f'<table class="words"><tbody>{rows}</tbody></table>'


def _word(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
