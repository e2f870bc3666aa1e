"""Which rank owns which block, and what each rank does in a step, as data."""
