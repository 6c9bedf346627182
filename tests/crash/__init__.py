"""Kill runs at random moments, go on with them, and compare what they end in with a run that nobody killed."""
