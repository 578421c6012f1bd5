"""Numbers in the texts of claims."""

import re

from .mathematics import kendall, spearman

VALUE = r"[+-]?\d+(?:\.\d+)?"
BETWEEN = rf"{VALUE} \[{VALUE}, {VALUE}\]"
NUMBER = re.compile(r"(?<![\w.])([+-]?\d+(?:\.(\d+))?)(?![\w.]*\w)")
RANKS = {"Spearman": spearman, "Kendall": kendall, "ρ": spearman, "τ": kendall}
RANKS |= {"spearman": spearman, "kendall": kendall}


def numbers(text):
    """(value, digits) of each decimal number in a text."""
    return [(float(one[1]), len(one[2] or "")) for one in NUMBER.finditer(text)]


def rank_of(text):
    return next((RANKS[word] for word in text.replace(",", " ").split() if word in RANKS), None)


def named(text, values):
    """`NAME 1.2 [1.0, 1.4]; OTHER ...`: the part of each name that has values."""
    for name, value in values.items():
        found = re.search(rf"(?:^|; |, ){re.escape(name)} ({VALUE}(?: \[{VALUE}, {VALUE}\])?)", text)
        if found:
            yield f", {name}", found[1], value[: len(numbers(found[1]))]
