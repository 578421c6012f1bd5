"""The claims on designs that resist: this book's own, with the smallest effects of the designs of the runs."""

EXPERTS_APART = 0.02  # fixed before the runs: the smallest change of a mean cosine that they should see
WITHIN = 0.05  # of the measurement, at every entry: the recursion's tolerance, as on page 22
