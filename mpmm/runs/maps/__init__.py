"""Whole-scene maps as a run makes them: what is mapped, the job, who plays it."""
