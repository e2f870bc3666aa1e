"""What a training imports: no room that it does not use, and not many files of the others."""

import subprocess
import sys

# imported by no rank of a training before its first step
UNUSED = (
    "bokeh",
    "filelock._api",
    "matplotlib",
    "mpi4py",
    "mpmm.comparison",
    "mpmm.mapping",
    "mpmm.patches.dealing",
    "mpmm.patches.given",
    "mpmm.pictures",
    "mpmm.placement.search",
    "mpmm.placement.simulator",
    "mpmm.ranks.profiling",
    "mpmm.preparation.given",
    "mpmm.preparation.matching",
    "mpmm.records",
    "mpmm.report",
    "mpmm.results.areas",
    "mpmm.runs.evaluation",
    "mpmm.runs.maps",
    "mpmm.scene.products.dataset",
    "mpmm.synthetic",
    "pydantic.main",
    "pydantic_core._pydantic_core",
    "pyogrio",
    "rasterio",
    "rich.progress",
    "scipy",
    "sklearn",
    "tensorboardX",
    "yaml",
)
# its own files, of 514 in all; a process for each rank reads and runs every one of them
FILES = 272


def test_a_training_imports_what_it_uses():
    code = "from mpmm.commands import program; program.get_command(None, 'train'); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}"], capture_output=True, text=True, timeout=60, check=True
    )
    modules = set(done.stdout.split())
    assert not modules & set(UNUSED)
    assert len([name for name in modules if name.split(".")[0] in ("mpmm", "mpmm_kernels")]) <= FILES
