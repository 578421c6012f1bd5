"""Condensation at initialisation: a recursion for it, and measurements beside it."""
