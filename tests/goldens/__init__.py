"""What users see and get, written down, so that a change of the code that should not change it can prove that."""
