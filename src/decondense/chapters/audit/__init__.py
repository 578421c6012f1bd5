"""The audit of the printed tables: their arithmetic, their labels, their runs."""
