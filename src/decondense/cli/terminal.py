"""Measurements in a terminal: tables, a heat map of the cosines over depth, lines of mu. Plain ASCII where need be."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..condensation import Condensation
from ..pairing import Paired, excludes_zero
from ..per_token import Pooled
from .controls import rows

ROWS = 16  # of the heat map over [-1, 1], so that each is 0.125 high
LEVELS = (0.02, 0.05, 0.10, 0.25)  # shares of the pairs from which on a cell is shaded darker
SHADES, ASCII_SHADES = " ░▒▓█", " .:*#"
BARS, ASCII_BARS = "▁▂▃▄▅▆▇█", "_.-:=+*#"
WIDTH = 60  # of a picture, in columns
WIDEST = 7  # columns of one entry
TOKEN = 18  # characters of a token
SHOWN = 9  # rows of the table over layers


def shares(density: Float[np.ndarray, "entries bins"]) -> Float[np.ndarray, "entries rows"]:
    """Share of the pairs in each of `ROWS` equal parts of [-1, 1], lowest cosine first; each entry sums to 1."""
    cumulated = np.concatenate([np.zeros((len(density), 1)), np.cumsum(density, axis=1)], axis=1)
    cumulated /= cumulated[:, -1:]
    edges, bins = np.linspace(-1, 1, ROWS + 1), np.linspace(-1, 1, density.shape[1] + 1)
    return np.diff([np.interp(edges, bins, row) for row in cumulated], axis=1)


def heatmap(result: Condensation, console: Console) -> Text:
    """Cosines over depth, the highest on top: shade is the share of the pairs, `o` the mean mu; embedding to the left.

    Rows below all shaded cells are left out.
    """
    entries = len(result.mu)
    room = min(WIDTH, console.width - 10)
    wide = max(1, min(room // entries, WIDEST))
    entry = np.repeat(np.arange(entries), wide) if entries * wide <= room else np.arange(room) * entries // room
    level = np.searchsorted(LEVELS, np.nan_to_num(shares(result.histogram)), side="right")
    mean = np.minimum(((np.nan_to_num(result.mu, nan=-9) + 1) / 2 * ROWS).astype(int), ROWS - 1)
    lowest = min([*np.flatnonzero(level.any(0)), *mean[mean >= 0]], default=0)
    shades = ASCII_SHADES if console.options.ascii_only else SHADES
    picture = Text("cosine\n", no_wrap=True)
    for row in range(ROWS - 1, lowest - 1, -1):
        picture.append(f"{(row + 1) * 2 / ROWS - 1:+6.2f} ")
        for place, column in enumerate(entry):
            marked = mean[column] == row and (wide < 3 or place % wide == wide // 2)
            picture.append("o" if marked else shades[level[column, row]], "bold" if marked else "red")
        picture.append("\n")
    gap = max(1, len(entry) - len("embeddinglast layer"))
    picture.append(f"       embedding{' ' * gap}last layer\n")
    return picture.append_text(_legend(shades))


def _legend(shades: str) -> Text:
    legend = Text("       share of pairs", no_wrap=True)
    for shade, share in zip(shades[1:], LEVELS, strict=True):
        legend.append("  ").append(shade, "red").append(f" {share:.0%}+")
    return legend.append("   o mean (mu)\n")


def lines(results: Sequence[Condensation], console: Console) -> Table:
    """mu over relative depth, a line of bars per model, all on one scale that begins at 0."""
    bars = ASCII_BARS if console.options.ascii_only else BARS
    top = max([1e-9, *(np.nanmax(r.mu) for r in results if np.isfinite(r.mu).any())])
    table = _table(f"mu over depth, from 0 (lowest bar) to {top:.2f} (highest)")
    table.add_column("model", max_width=24, overflow="fold")
    table.add_column("embedding to last layer", no_wrap=True)
    for result in results:
        at = np.interp(np.linspace(0, 1, 40), result.layer_fraction, result.mu)
        height = np.clip(np.nan_to_num(at) / top * len(bars), 0, len(bars) - 1).astype(int)
        line = "".join("?" if np.isnan(m) else bars[h] for m, h in zip(at, height, strict=True))
        table.add_row(Text(result.name), Text(line, "red"))
    return table


def one(result: Condensation) -> Text:
    """The numbers of one model, a line each."""
    numbers = {
        "rho": (result.rho, result.rho_interval),
        "tau": (result.tau, result.tau_interval),
        "late half": result.mean_of_last(None),
    }
    lines = [f"{result.name}: {len(result.mu) - 1} layers, mu from {result.mu[0]:.3f} to {result.mu[-1]:.3f}"]
    for name, (value, (low, high)) in numbers.items():
        interval = f"95 % interval {low:+.3f} to {high:+.3f}"
        if result.is_constant and name != "late half":
            interval = f"no trend: {constant(result)}"
        elif low != low:
            interval = "no interval: it needs two texts, and finite numbers"
        lines.append(f"  {name:10} {value:+.3f}   {interval}" if value == value else f"  {name:10}   none   {interval}")
    return Text("\n".join(lines) + "\n")


def constant(result: Condensation) -> str:
    """Why a result has no rank correlation."""
    return f"mu is constant up to rounding ({result.resolution:g} in {result.dtype})"


def summary(results: Sequence[Condensation]) -> Table:
    """One row per model: mu at both ends and over the late half, rho and tau, with the 95 % intervals below."""
    table = _table()
    table.add_column("model", overflow="fold", max_width=24)
    for name in ("mu first", "mu last", "late half", "rho", "tau"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        late = _with_interval(*result.mean_of_last(None))
        rho, tau = _with_interval(result.rho, result.rho_interval), _with_interval(result.tau, result.tau_interval)
        table.add_row(Text(result.name), f"{result.mu[0]:.3f}", f"{result.mu[-1]:.3f}", late, rho, tau)
    return table


def _with_interval(value: float, interval) -> str:
    low, high = interval
    return f"{value:+.3f}\n" + ("no interval" if low != low else f"{low:+.2f} {high:+.2f}")


def _table(title: str | None = None) -> Table:
    return Table(
        title=Text(title) if title else None, title_justify="left", title_style="dim", box=box.SIMPLE, pad_edge=False
    )


def layers(result: Condensation) -> Table:
    """mu at up to `SHOWN` entries, evenly spaced, first and last among them."""
    frame = result.to_frame()
    chosen = np.unique(np.linspace(0, len(frame) - 1, min(SHOWN, len(frame))).round().astype(int))
    table = _table(f"{len(chosen)} of {len(frame)} entries (all: --out, --json)")
    for column in ("layer", "depth", "mu", "off diagonal", "std over texts"):
        table.add_column(column, justify="right")
    for row in frame.iloc[chosen].itertuples(index=False):
        values = (row.layer_fraction, row.mu, row.mu_off_diagonal, row.std_over_texts)
        table.add_row(str(row.layer), *(f"{value:.3f}" for value in values))
    return table


def tokens(name: str, outside: Sequence[Pooled], inside: Sequence[Pooled], console: Console) -> Table:
    """The tokens furthest out of the cone and furthest in at the last entry; a star at special ones."""
    quoted = ascii if console.options.ascii_only else repr  # both write control characters as escapes
    short = lambda word: word if len(word) <= TOKEN else f"{word[: TOKEN - 3]}..."
    table = _table(f"{name}: cosine of tokens to the mean direction of their text, last entry")
    for side in ("furthest out", "furthest in"):
        table.add_column(side, no_wrap=True)
        table.add_column("count", justify="right")
        table.add_column("cosine", justify="right")
    for pair in zip(outside, inside, strict=True):
        cells = [(short(quoted(t.token)) + " *" * t.special, str(t.count), f"{t.cosine:+.3f}") for t in pair]
        table.add_row(*(Text(cell) for cell in (*cells[0], *cells[1])))
    if any(token.special for token in (*outside, *inside)):
        table.caption, table.caption_justify = "* a special token", "left"
    return table


def controls(result: Condensation) -> Table:
    """What of mu lies within texts and what between them, at the first, the middle and the last entry."""
    table = _table(f"{result.name}: mean cosine within and between texts")
    table.add_column("quantity", no_wrap=True)
    for place in ("first", "middle", "last"):
        table.add_column(place, justify="right")
    for name, values in rows(result.controls):
        table.add_row(name, *("none" if np.isnan(value) else f"{value:+.3f}" for value, _, _ in values))
    return table


def differences(pairs: Sequence[Paired]) -> Table:
    """Second minus first, a row a pair and number, all with the same first; a star where the interval excludes 0."""
    table = _table(f"differences: each minus {pairs[0].first}")
    table.add_column("model", overflow="fold", max_width=32)
    table.add_column("number")
    table.add_column("difference", justify="right")
    table.add_column("95 % interval", justify="right")
    for pair in pairs:
        for place, number in enumerate(pair.numbers):
            low, high = number.interval
            interval = "none" if low != low else f"{low:+.4f} {high:+.4f}{' *' if excludes_zero(number) else '  '}"
            name = Text(pair.second if place == 0 else "")
            table.add_row(name, number.quantity, f"{number.difference:+.4f}", interval)
    table.caption, table.caption_justify = "* the interval excludes 0", "left"
    return table


def over_depth(pair: Paired) -> Table:
    """mu of both at up to `SHOWN` relative depths, and the difference with its interval."""
    chosen = np.unique(np.linspace(0, len(pair.depth) - 1, min(SHOWN, len(pair.depth))).round().astype(int))
    table = _table("mu over relative depth")
    for column in ("depth", "first", "second", "difference", "95 % interval"):
        table.add_column(column, justify="right")
    low, high = pair.mu.interval
    for i in chosen:
        interval = "none" if np.isnan(low[i]) else f"{low[i]:+.3f} {high[i]:+.3f}"
        values = (f"{pair.depth[i]:.3f}", f"{pair.mu.first[i]:.3f}", f"{pair.mu.second[i]:.3f}")
        table.add_row(*values, f"{pair.mu.difference[i]:+.3f}", interval)
    return table
