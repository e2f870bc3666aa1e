"""The version of mpmm: said by the command line, kept in runs and maps."""

__version__ = "0.1.0"
