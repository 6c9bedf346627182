"""Data sets, one file each, and the loaders; data.py names them and imports a file when it is asked for."""
