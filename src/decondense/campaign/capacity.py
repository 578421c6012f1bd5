"""The item `capacity`: a run after the other, as many as the time holds; a run that is cut off begins anew."""

import time
from collections.abc import Callable, Mapping

from ..chapters.capacity import larger, training


def make(entry: Mapping, tiny: bool, seconds: float, say: Callable[[str], None]) -> bool:
    """Train what has no record, as long as the longest run so far still fits; whether all is done."""
    end, longest = time.monotonic() + seconds, 0.0
    every, done = list(larger.cases(entry)), 0
    for case in every:
        start = time.monotonic()
        if training.find(**case.asked) is None:
            if longest > end - start:
                continue
            training.run(**case.asked)
            longest = max(longest, time.monotonic() - start)
            say(f"capacity, {case.asked['data']['kind']}, {case.label}, seed {case.seed}: {longest:.0f} s at most.")
        done += 1
    say(
        f"capacity: {done} of {len(every)} runs are done."
        + ("" if done == len(every) else " The same command goes on.")
    )
    return done == len(every)
