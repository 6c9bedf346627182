"""Training and what surrounds it: settings, regime, optimizer, trainer, files, pages, suites."""
