"""The package's public names are there, and importing the package costs nothing."""

import subprocess
import sys

import pytest

import mpmm


@pytest.mark.parametrize("name", mpmm.__all__)
def test_public_name_is_there(name):
    assert getattr(mpmm, name).__module__.startswith("mpmm.")
    assert name in dir(mpmm)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="attribute nothing"):
        mpmm.nothing  # noqa: B018


def test_import_loads_nothing_heavy():
    code = (
        "import mpmm, sys; print([m for m in ('numba', 'numpy', 'rasterio', 'mpi4py') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_help_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['mpmm', '--help']\n"
        "from mpmm.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('numba', 'numpy', 'rasterio', 'mpi4py') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"
