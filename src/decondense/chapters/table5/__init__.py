"""Table 5: training from scratch with and without dispersion, each at its own best rate, by a design fixed before."""
