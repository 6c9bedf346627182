"""Measuring as a command: checkpoints in, rows and figures out."""
