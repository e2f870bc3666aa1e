"""The program: `mpmm` and `python -m mpmm` are the same."""

from mpmm.commands import main

if __name__ == "__main__":
    main()
