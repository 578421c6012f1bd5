"""What every figure must hold, from what is drawn: its width, the size of its letters, room for all its words."""

from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from decondense.plots import SMALL, WIDTH

TOUCH = 1.0  # pixels by which two words may come into each other's boxes: these hold room for letters of any height


def looked_at(figure: Figure) -> Figure:
    """The figure, drawn: at most `WIDTH` wide, no letter under `SMALL` points, no word over another or cut off."""
    figure.draw_without_rendering()  # a closed figure has a canvas that draws nothing
    assert figure.get_size_inches()[0] <= WIDTH
    found = words(figure)
    small = {text.get_text(): text.get_fontsize() for text in found if text.get_fontsize() < SMALL}
    assert not small, small
    over = overlaps(found)
    assert not over, over
    outside = [text.get_text() for text in found if not _inside(text, figure)]
    assert not outside, outside
    return figure


def words(figure: Figure) -> list[Text]:
    """Every text that is drawn."""
    found = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axis in figure.axes:
        if axis.get_visible():
            found += _of_axis(axis)
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def _of_axis(axis: Axes) -> list[Text]:
    found = [*axis.texts, axis.title, *(axis.get_legend().get_texts() if axis.get_legend() else ())]
    if not axis.axison:
        return found
    for one in (axis.xaxis, axis.yaxis):
        low, high = sorted(one.get_view_interval())
        found.append(one.label)
        found += [tick.label1 for tick in one.get_major_ticks() if low - 1e-9 <= tick.get_loc() <= high + 1e-9]
        found += [tick.label2 for tick in one.get_major_ticks() if low - 1e-9 <= tick.get_loc() <= high + 1e-9]
    return found


def overlaps(found: list[Text]) -> list[tuple[str, str]]:
    """Pairs of words over one another. Of two that are both slanted nothing is asked: their boxes are not the words."""
    pairs = []
    for a, b in combinations(found, 2):
        if a.get_rotation() % 90 and b.get_rotation() % 90:
            continue
        one, other = box(a), box(b)
        wide = min(one.x1, other.x1) - max(one.x0, other.x0)
        high = min(one.y1, other.y1) - max(one.y0, other.y0)
        if min(wide, high) > TOUCH:
            pairs.append((a.get_text(), b.get_text()))
    return pairs


def box(text: Text) -> Bbox:
    """Of the letters alone, without the line that an annotation draws to its point."""
    return Text.get_window_extent(text)


def _inside(text: Text, figure: Figure) -> bool:
    its, whole = box(text), figure.bbox
    return its.x0 >= whole.x0 - 2 and its.x1 <= whole.x1 + 2 and its.y0 >= whole.y0 - 2 and its.y1 <= whole.y1 + 2
