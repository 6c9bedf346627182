"""What can be set: groups of settings and their flags, from a command line to checked values.

The files of this room answer `--help`, so they import nothing heavy. Some settings are fields of one group and flags of
another, as --help has always shown them: the weights to start from, the last batch, the length of a run.
"""
