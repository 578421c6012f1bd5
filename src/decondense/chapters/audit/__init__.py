"""The audit of the printed tables and figures."""
