"""Data sets, one file each, and the loaders; catalog.py names them and imports a file when it is asked for."""
