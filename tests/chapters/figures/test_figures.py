"""The figure of the falls shows the p-values of its table."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from looked_at import looked_at

from decondense.chapters.figures import figures, published


@pytest.mark.parametrize("metric", ["spearman", "kendall"])
def test_each_series_has_its_share_of_orderings_holms_p_and_the_least(metric):
    found = published.falls()
    rows = found[found.metric == metric]
    figure = looked_at(figures.falls(found, metric))
    (axis,) = figure.axes
    least, share, holm = (np.asarray(line.get_xdata(), dtype=float) for line in axis.lines[:3])
    np.testing.assert_allclose(least, rows.least)
    np.testing.assert_allclose(share, rows.p)
    np.testing.assert_allclose(holm, rows.holm)
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names[0] == "GPT2, wikitext-103 (Fig. 2), n = 4"
    assert len(names) == len(rows)
    assert plt.get_fignums() == []
