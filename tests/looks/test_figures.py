"""The smallest type of a figure's file, and the line on one that is shown too small."""

import matplotlib.pyplot as plt
import pytest
from looks import figures, pages


@pytest.fixture
def saved(tmp_path):
    """A figure of 5 inches whose smallest type has 8 points, as a file."""

    def save(name, fonttype="path", **how):
        with plt.rc_context({"svg.fonttype": fonttype, "font.size": 10, "xtick.labelsize": 8}):
            figure, axis = plt.subplots(figsize=(5, 3))
            axis.set_title("a title")
            figure.savefig(tmp_path / name, **how)
            plt.close(figure)
        return tmp_path / name

    return save


@pytest.mark.parametrize("fonttype", ["path", "none"])
def test_type_of_an_svg_is_in_its_own_units(saved, fonttype):
    assert figures.type_size(saved(f"{fonttype}.svg", fonttype)) == pytest.approx(8)


@pytest.mark.parametrize("dpi", [72, 144])
def test_type_of_a_png_grows_with_its_resolution(saved, dpi):
    assert figures.type_size(saved("a.png", dpi=dpi)) == pytest.approx(figures.POINTS * dpi / 72, rel=1e-3)


def test_a_figure_that_is_shown_too_small_is_named(saved):
    path = saved("a.png", dpi=144)
    image = {"src": path.as_uri(), "width": 250, "natural": 720}
    assert pages.small(image) == f"a.png has type of {16 * 250 / 720:.1f} px as shown"
    assert pages.small(image | {"width": 720}) is None
    assert pages.small(image | {"src": "https://example.org/a.png"}) is None
