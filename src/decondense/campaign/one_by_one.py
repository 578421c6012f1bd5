"""Runs of a chapter one after the other, as many as the time holds; a run that is cut off begins anew."""

import time
from collections.abc import Callable, Iterable


def make(item: str, cases: Iterable, find: Callable, run: Callable, seconds: float, say: Callable[[str], None]) -> bool:
    """Train what has no record, as long as the longest run so far still fits; whether all is done.

    cases
        In order of worth; each with a `label`, a `seed` and what is `asked`, the arguments of the other two.
    find, run
        Of a chapter: for the record of a run, or `None`; and for the run.
    """
    end, longest = time.monotonic() + seconds, 0.0
    every, done = list(cases), 0
    for case in every:
        start = time.monotonic()
        if find(**case.asked) is None:
            if longest > end - start:
                continue
            run(**case.asked)
            longest = max(longest, time.monotonic() - start)
            say(f"{item}, {kind(case)}, {case.label}, seed {case.seed}: {longest:.0f} s at most.")
        done += 1
    say(f"{item}: {done} of {len(every)} runs are done." + ("" if done == len(every) else " The same command goes on."))
    return done == len(every)


def kind(case) -> str:
    """What a run is of: its method, or the kind of its data."""
    return case.asked.get("method") or case.asked["data"]["kind"]
