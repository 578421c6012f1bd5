"""The elements of a piece of HTML, for tests that ask what is in it."""

from html.parser import HTMLParser


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[dict]] = {}

    def handle_starttag(self, tag, attrs):
        self.found.setdefault(tag, []).append(dict(attrs))


def elements(html: str) -> dict[str, list[dict]]:
    """The attributes of each element, in order, by the name of its tag."""
    reader = _Reader()
    reader.feed(html)
    return reader.found
