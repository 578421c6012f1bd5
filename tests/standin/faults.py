"""What a real hub does wrong, put between a request and its answer."""

from collections.abc import Callable
from dataclasses import replace

from standin.server import Answer, Asked, refusal

Fault = Callable[[Asked, Answer], Answer]


def at(change: Callable[[Answer], Answer], *, method: str = "", file: str = "", times: int | None = None) -> Fault:
    """Change the answers to requests of this method for files with this ending, so many times (`None`: always)."""
    left = [times]

    def fault(asked: Asked, answer: Answer) -> Answer:
        if method not in ("", asked.method) or not asked.file.endswith(file) or not asked.kind or left[0] == 0:
            return answer
        left[0] = None if left[0] is None else left[0] - 1
        return change(answer)

    return fault


def refused(status: int, code: str = "", **headers: str) -> Callable[[Answer], Answer]:
    return lambda _: refusal(status, code, "", **headers)


def cut(after: int) -> Callable[[Answer], Answer]:
    """The connection is closed after so many bytes."""
    return lambda answer: replace(answer, cut_after=after)


def slow(seconds: float) -> Callable[[Answer], Answer]:
    """Nothing comes for so many seconds, and then again before each piece."""
    return lambda answer: replace(answer, pause=seconds)


def other(answer: Answer) -> Answer:
    """The right number of bytes, and one of them wrong: a weight, or a letter."""
    middle = len(answer.body) // 2
    return replace(answer, body=answer.body[:middle] + bytes([answer.body[middle] ^ 1]) + answer.body[middle + 1 :])
