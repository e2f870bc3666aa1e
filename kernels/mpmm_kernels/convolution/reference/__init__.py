"""The method "plain": loops that take every shape, which faster methods must equal."""
