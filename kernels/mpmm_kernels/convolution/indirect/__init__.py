"""The method "indirect": outputs from anywhere in a sample, their inputs found through a table of offsets."""
