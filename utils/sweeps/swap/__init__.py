"""SWAP: its phases as runs of a suite, and the average of their weights."""
