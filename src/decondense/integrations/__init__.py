"""The library in other frameworks' training loops; each module needs the extra of its name."""
