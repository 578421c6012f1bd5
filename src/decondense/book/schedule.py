"""Which notebook runs next, how many at a time, and how long the rest will take."""

from collections.abc import Callable, Sequence

from . import profiles
from .execute import Task

PER_NOTEBOOK = 5 * 10**9  # bytes of memory: a kernel, and the largest model of `laptop` while it is unpacked
MOST = 4  # at a time: the longest notebook is a large part of the whole, and needs the other cores
PRIOR = 10  # seconds of work that were as estimated, before anything is known of this machine
REST = 0.1  # of what a notebook was to take, once it takes longer


def jobs(cores: int, free: int, gpu: bool) -> int:
    """How many notebooks run at a time where nobody has said it: two on two cores, if `free` bytes of memory allow.

    One where there is a GPU, whose memory they would share.
    """
    if gpu:
        return 1
    wanted = min(cores, max(2, cores // 2), MOST)
    return max(1, min(wanted, free // PER_NOTEBOOK))


def needed(task: Task, tasks: Sequence[Task]) -> list[Task]:
    """The tasks whose records this one shows again."""
    return _needs(tasks)[task.id]


def _needs(tasks: Sequence[Task]) -> dict[str, list[Task]]:
    by_id = {task.id: task for task in tasks}
    return {name: [by_id[other] for other in profiles.needs(name) if other in by_id] for name in by_id}


def urgency(tasks: Sequence[Task]) -> dict[str, float]:
    """Seconds from the start of a notebook to the end of the last one that needs it, or needs one that does."""
    needs, seconds = _needs(tasks), {task.id: task.estimate or 0.0 for task in tasks}
    after = {name: [one for one, others in needs.items() if name in {o.id for o in others}] for name in needs}
    of = lambda name: seconds[name] + max(map(of, after[name]), default=0.0)
    return {name: of(name) for name in needs}


def in_order(tasks: Sequence[Task]) -> list[Task]:
    """The most urgent first; among equals the order of the pages."""
    urgent = urgency(tasks)
    return sorted(tasks, key=lambda task: -urgent[task.id])


def following(tasks: Sequence[Task], is_there: Callable[[str], bool]) -> Task | None:
    """The next notebook to start: the most urgent that has all it needs, downloads (`is_there`) included."""
    needs = _needs(tasks)
    for task in in_order(tasks):
        ready = all(other.state.endswith("done") for other in needs[task.id])
        if task.state == "waiting" and ready and is_there(task.id):
            return task
    return None


# --- how long it will take ------------------------------------------------------------------------------------------


def pace(tasks: Sequence[Task]) -> float:
    """How many times longer than estimated the notebooks of this run take so far."""
    ended = [(task.seconds, task.estimate) for task in tasks if task.state == "done" and task.estimate]
    found = _ratio(ended)
    late = [(task.seconds, task.estimate) for task in tasks if task.state == "running" and task.estimate]
    return _ratio([*ended, *(pair for pair in late if pair[0] > found * pair[1])])


def _ratio(pairs: Sequence[tuple[float, float]]) -> float:
    return (sum(took for took, _ in pairs) + PRIOR) / (sum(said for _, said in pairs) + PRIOR)


def left(tasks: Sequence[Task], at_a_time: int) -> float | None:
    """Seconds until all notebooks have run, `at_a_time` of them at once; `None` where some have no estimate.

    The estimates (of an earlier run here, or of the committed one) times the `pace` of this run so far, laid out in the
    order in which the notebooks will be started.
    """
    todo = [task for task in tasks if task.state in ("running", "waiting")]
    if any(task.estimate is None for task in todo):
        return None
    scale = pace(tasks)
    ends = {task.id: _rest(task, scale) for task in todo if task.state == "running"}
    free = sorted([*ends.values(), *[0.0] * (at_a_time - len(ends))])
    waiting = {task.id: task for task in in_order(tasks) if task.state == "waiting"}
    needs = {name: [other.id for other in others] for name, others in _needs(tasks).items()}
    while waiting:
        known = [name for name in waiting if not any(other in waiting for other in needs[name])]
        begins = [max([free[0], *(ends.get(other, 0.0) for other in needs[name])]) for name in known]
        # The first place that is free takes what could begin first: of several the most urgent.
        name, begin = known[begins.index(min(begins))], min(begins)
        ends[name] = begin + waiting.pop(name).estimate * scale
        free = sorted([*free[1:], ends[name]])
    return max(ends.values(), default=0.0)


def _rest(task: Task, scale: float) -> float:
    whole = task.estimate * scale
    return max(whole - task.seconds, REST * whole)
