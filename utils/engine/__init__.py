"""From settings to a run: data, network, schedule and methods come together, and the epochs are made."""
