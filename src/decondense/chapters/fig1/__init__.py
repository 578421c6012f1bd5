"""Fig. 1: the cone, from real tokens."""
