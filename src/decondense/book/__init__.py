"""The book: notebooks executed, cleaned, and built into a site."""
