"""The bench around the library: plumbing in the files right here, and a room for each question that one asks of it."""
