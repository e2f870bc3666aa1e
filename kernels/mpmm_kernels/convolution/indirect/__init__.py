"""The method "places": outputs from anywhere in a sample, their inputs found through tables."""
