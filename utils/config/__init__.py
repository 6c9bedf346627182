"""What can be set: declared settings and their flags, from a command line to checked values."""
