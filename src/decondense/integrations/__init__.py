"""The library in other frameworks' training loops. That of Lightning needs the extra `lightning`."""
