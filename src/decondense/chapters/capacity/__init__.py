"""How much a small model holds, of random tokens and of made-up lives, with and without dispersion."""
