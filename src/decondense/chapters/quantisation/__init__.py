"""What rounding to few bits costs models that are trained with and without dispersion, and real ones."""
