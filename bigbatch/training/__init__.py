"""One step of training and a run of them, from plain values."""
