"""Which notebook comes next, how many at a time, and the time left: worked out, with nothing run."""

import heapq

import pytest

from decondense.book import profiles, schedule
from decondense.book.execute import Task

GB = 10**9
NEEDS = {"needs": {"shown": ["long"], "last": ["shown"]}}
SECONDS = {"long": 100.0, "short": 10.0, "shown": 60.0, "last": 5.0, "other": 130.0}


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    """Tasks by id, all waiting; `last` needs `shown`, which needs `long`."""
    monkeypatch.setattr(profiles, "_table", lambda: NEEDS)
    return {name: Task(tmp_path, "ci", tmp_path / f"0_{name}_x.ipynb", {}, s) for name, s in SECONDS.items()}


@pytest.mark.parametrize(
    ("cores", "free", "gpu", "jobs"),
    [
        (1, 64 * GB, False, 1),
        (2, 64 * GB, False, 2),
        (2, 9 * GB, False, 1),
        (2, 0, False, 1),
        (4, 64 * GB, False, 2),
        (8, 64 * GB, False, 4),
        (64, 640 * GB, False, 4),
        (8, 16 * GB, False, 3),
        (8, 64 * GB, True, 1),
    ],
)
def test_as_many_at_a_time_as_cores_and_memory_allow(cores, free, gpu, jobs):
    assert schedule.jobs(cores, free, gpu) == jobs


def test_urgent_is_what_much_work_waits_for(tasks):
    order = schedule.in_order(list(tasks.values()))
    assert schedule.urgency(order)["long"] == 100 + 60 + 5
    assert [task.id for task in order] == ["long", "other", "shown", "short", "last"]


def test_the_next_one_has_its_downloads_and_what_it_needs(tasks):
    every = list(tasks.values())
    assert schedule.following(every, lambda name: True).id == "long"
    assert schedule.following(every, lambda name: name not in ("long", "other")).id == "short"
    assert schedule.following(every, lambda name: name == "shown") is None
    tasks["long"].state = "already done"
    assert schedule.following(every, lambda name: name == "shown").id == "shown"


def test_without_estimates_the_pages_keep_their_order(tasks):
    for task in tasks.values():
        task.estimate = None
    assert schedule.left(list(tasks.values()), 2) is None
    assert schedule.following(list(tasks.values()), lambda name: True).id == "long"
    tasks["long"].state = "done"
    assert schedule.following(list(tasks.values()), lambda name: True).id == "short"


@pytest.mark.parametrize(
    ("at_a_time", "seconds"),
    [(1, 305), (2, 165), (4, 165)],  # two places: long, shown, last in one; other, short in the other
)
def test_time_left_before_anything_has_run(tasks, at_a_time, seconds):
    assert schedule.left(list(tasks.values()), at_a_time) == pytest.approx(seconds)


def test_pace_is_that_of_what_has_ended_and_of_what_is_late(tasks):
    every = list(tasks.values())
    assert schedule.pace(every) == 1
    tasks["short"].state, tasks["short"].seconds = "done", 20.0
    assert schedule.pace(every) == (20 + schedule.PRIOR) / (10 + schedule.PRIOR)
    tasks["other"].state, tasks["other"].seconds = "running", 30.0  # in time: tells nothing
    assert schedule.pace(every) == (20 + schedule.PRIOR) / (10 + schedule.PRIOR)
    tasks["other"].seconds = 400.0
    assert schedule.pace(every) == (420 + schedule.PRIOR) / (140 + schedule.PRIOR)
    tasks["last"].state, tasks["last"].seconds = "already done", None  # not of this run
    assert schedule.pace(every) == (420 + schedule.PRIOR) / (140 + schedule.PRIOR)


def test_what_is_late_does_not_count_as_ended(tasks):
    for task in tasks.values():
        task.state = "done"
    tasks["other"].state, tasks["other"].seconds = "running", 130.0 * 5
    for name in ("long", "short", "shown", "last"):
        tasks[name].seconds = tasks[name].estimate
    left = schedule.left(list(tasks.values()), 2)
    assert left == pytest.approx(schedule.REST * 130 * schedule.pace(list(tasks.values())))


# Seconds of the pages in the profile `laptop`.
COMMITTED = [13, 49, 205, 47, 11, 26, 26, 33, 20, 39, 9, 8, 10, 26, 9, 15, 34, 35, 187, 59, 578]


@pytest.mark.parametrize("actual", [[1.7 * s for s in COMMITTED], [0.6 * s for s in COMMITTED], COMMITTED])
def test_time_left_after_five_minutes_is_right_within_a_quarter(tmp_path, monkeypatch, actual):
    """On a machine that is slower or faster throughout, played through second by second."""
    monkeypatch.setattr(profiles, "_table", lambda: {"needs": {"p3": ["p2"], "p4": ["p2"], "p17": ["p2", "p6"]}})
    every = [Task(tmp_path, "ci", tmp_path / f"{n:02}_p{n}_x.ipynb", {}, s) for n, s in enumerate(COMMITTED)]
    took = {task.id: s for task, s in zip(every, actual, strict=True)}
    said, end = played(every, took, at=300)
    assert said == pytest.approx(end - 300, rel=0.25)


def played(every, took, at):
    """What was said at that second, and when the run ended."""
    now, running, said = 0.0, [], None
    while running or any(task.state == "waiting" for task in every):
        while len(running) < 2 and (task := schedule.following(every, lambda name: True)):
            task.state, task.began = "running", now
            heapq.heappush(running, (now + took[task.id], task.id, task))
        if said is None and running[0][0] > at:
            for _, _, task in running:
                task.seconds = at - task.began
            said = schedule.left(every, 2)
        now, _, task = heapq.heappop(running)
        task.state, task.seconds = "done", took[task.id]
    return said, now


def test_the_longest_first_ends_sooner_than_page_by_page(tmp_path, monkeypatch):
    monkeypatch.setattr(profiles, "_table", lambda: {"needs": {}})
    every = [Task(tmp_path, "ci", tmp_path / f"{n:02}_p{n}_x.ipynb", {}, s) for n, s in enumerate(COMMITTED)]
    _, end = played(every, {task.id: task.estimate for task in every}, at=300)
    assert end <= 1.01 * max(sum(COMMITTED) / 2, max(COMMITTED))
