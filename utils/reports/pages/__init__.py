"""Pages that are drawn from the files of runs, readable offline."""
