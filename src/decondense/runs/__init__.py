"""Training runs: one configuration a run, its record, and grids of them."""
