"""Which architectures resist condensation by design: at initialisation, trained small, with and without dispersion."""
