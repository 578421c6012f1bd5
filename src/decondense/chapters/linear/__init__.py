"""The dispersion loss in linear time: what its expansion is worth."""
