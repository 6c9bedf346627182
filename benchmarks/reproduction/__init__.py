"""Which figures of the papers reproduce: docs/reproduction.md, written from the runs that are kept beside it."""
