"""Results of measurements with the mu that a test wants."""

import numpy as np

from decondense.condensation import Condensation


def made(mu, name="toy", histogram=None, **settings):
    """A result with this mu of each text and entry, of texts that are the same by their fingerprint."""
    mu = np.asarray(mu, dtype=float)
    texts, entries = mu.shape
    how = {"max_length": 32, "histogram": None, "bins": 16, "eps": 1e-3, "seed": 0, "texts_sha256": "ab"} | settings
    zeros = np.zeros(entries, dtype=int)
    return Condensation(name, mu, mu, histogram, np.full(texts, 32), zeros, zeros, how)
