"""The method "reference": plain loops that take every shape, which faster methods must equal."""
