"""Carrying a plan out: the loop that runs and resumes a run, one attempt at a time."""
