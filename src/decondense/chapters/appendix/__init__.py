"""Appendix D: the cosine of two vectors under repeated entries and under Gaussian padding."""
