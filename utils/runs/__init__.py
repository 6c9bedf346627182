"""What is on disk: the folder of a run, its files, their columns, who reads and who writes them."""
