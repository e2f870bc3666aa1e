"""Benchmark scenes of one hyperspectral cube each: names of their files as published, classes, wavelengths.

Sources: the page "Hyperspectral Remote Sensing Scenes" of the Grupo de Inteligencia Computacional (UPV/EHU)
for Indian Pines, Pavia University and Centre, Salinas, KSC and Botswana; the 2013 IEEE GRSS Data Fusion
Contest (C. Debes et al., IEEE JSTARS 7, 2014) for Houston; F. Zhu et al., ISPRS Journal 88, 2014 for Samson,
in the files of B. Rasti's MiSiCNet. Bands shown as red, green and blue are those that the literature shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BenchmarkName = Literal[
    "indian_pines",
    "pavia_university",
    "pavia_centre",
    "salinas",
    "ksc",
    "botswana",
    "houston2013",
    "samson",
]


# the training samples as the contest of 2013 gave them out, ENVI's text
SAMPLES = "2013_IEEE_GRSS_DF_Contest_Samples_TR.txt"


@dataclass(frozen=True)
class CubeFile:
    """A file that a benchmark's cube may be published as.

    Attributes
    ----------
    name
        File, as it is downloaded.
    variable
        Name of the array in it.
    bands
        How many it has.
    drop
        Bands to leave out, counted from 1: those in which water takes all light, where they are still there.
    """

    name: str
    variable: str
    bands: int
    drop: tuple[int, ...] = ()


@dataclass(frozen=True)
class Benchmark:
    """A benchmark scene as it is published.

    Attributes
    ----------
    cubes
        Files of the cube, the usual first.
    labels
        Files of the labels, each with the array in it, the usual first. Label 0 is "not labelled".
    classes
        Names of classes 1, 2, ...
    rgb
        Bands shown as red, green and blue, counted from 1 in the first of the files.
    wavelengths
        Of the first and the last band, in nm, where these are documented and the bands evenly between them.
    """

    cubes: tuple[CubeFile, ...]
    labels: tuple[tuple[str, str], ...]
    classes: tuple[str, ...]
    rgb: tuple[int, int, int]
    wavelengths: tuple[float, float] | None = None


def _bands(*runs: tuple[int, int]) -> tuple[int, ...]:
    """Bands from the first to the last of each run."""
    return tuple(band for first, last in runs for band in range(first, last + 1))


BENCHMARKS: dict[str, Benchmark] = {
    "indian_pines": Benchmark(
        cubes=(
            CubeFile("Indian_pines_corrected.mat", "indian_pines_corrected", 200),
            CubeFile("Indian_pines.mat", "indian_pines", 220, _bands((104, 108), (150, 163), (220, 220))),
        ),
        labels=(("Indian_pines_gt.mat", "indian_pines_gt"),),
        classes=(
            *("alfalfa", "corn-notill", "corn-mintill", "corn", "grass-pasture", "grass-trees"),
            *("grass-pasture-mowed", "hay-windrowed", "oats", "soybean-notill", "soybean-mintill"),
            *("soybean-clean", "wheat", "woods", "buildings-grass-trees-drives", "stone-steel-towers"),
        ),
        rgb=(43, 21, 11),
    ),
    "pavia_university": Benchmark(
        cubes=(CubeFile("PaviaU.mat", "paviaU", 103),),
        labels=(("PaviaU_gt.mat", "paviaU_gt"),),
        classes=(
            *("asphalt", "meadows", "gravel", "trees", "painted metal sheets", "bare soil", "bitumen"),
            *("self-blocking bricks", "shadows"),
        ),
        rgb=(55, 41, 12),
        wavelengths=(430.0, 860.0),
    ),
    "pavia_centre": Benchmark(
        cubes=(CubeFile("Pavia.mat", "pavia", 102),),
        labels=(("Pavia_gt.mat", "pavia_gt"),),
        classes=(
            *("water", "trees", "asphalt", "self-blocking bricks", "bitumen", "tiles", "shadows", "meadows"),
            "bare soil",
        ),
        rgb=(55, 41, 12),
        wavelengths=(430.0, 860.0),
    ),
    "salinas": Benchmark(
        cubes=(
            CubeFile("Salinas_corrected.mat", "salinas_corrected", 204),
            CubeFile("Salinas.mat", "salinas", 224, _bands((108, 112), (154, 167), (224, 224))),
        ),
        labels=(("Salinas_gt.mat", "salinas_gt"),),
        classes=(
            *("broccoli green weeds 1", "broccoli green weeds 2", "fallow", "fallow rough plow"),
            *("fallow smooth", "stubble", "celery", "grapes untrained", "soil vineyard develop"),
            *("corn senesced green weeds", "lettuce romaine 4wk", "lettuce romaine 5wk"),
            *(
                "lettuce romaine 6wk",
                "lettuce romaine 7wk",
                "vineyard untrained",
                "vineyard vertical trellis",
            ),
        ),
        rgb=(43, 21, 11),
    ),
    "ksc": Benchmark(
        cubes=(CubeFile("KSC.mat", "KSC", 176),),
        labels=(("KSC_gt.mat", "KSC_gt"),),
        classes=(
            *("scrub", "willow swamp", "cabbage palm hammock", "cabbage palm/oak hammock", "slash pine"),
            *("oak/broadleaf hammock", "hardwood swamp", "graminoid marsh", "spartina marsh"),
            *("cattail marsh", "salt marsh", "mud flats", "water"),
        ),
        rgb=(43, 21, 11),
    ),
    "botswana": Benchmark(
        cubes=(CubeFile("Botswana.mat", "Botswana", 145),),
        labels=(("Botswana_gt.mat", "Botswana_gt"),),
        classes=(
            *("water", "hippo grass", "floodplain grasses 1", "floodplain grasses 2", "reeds", "riparian"),
            *("firescar", "island interior", "acacia woodlands", "acacia shrublands", "acacia grasslands"),
            *("short mopane", "mixed mopane", "exposed soils"),
        ),
        rgb=(75, 33, 15),
    ),
    "houston2013": Benchmark(
        cubes=(
            CubeFile("Houston.mat", "Houston", 144),
            CubeFile("HSI.mat", "HSI", 144),
            CubeFile("2013_IEEE_GRSS_DF_Contest_CASI.tif", "", 144),
        ),
        labels=(("Houston_gt.mat", "Houston_gt"), ("TRLabel.mat", "TRLabel"), (SAMPLES, "rois")),
        classes=(
            *("healthy grass", "stressed grass", "synthetic grass", "trees", "soil", "water", "residential"),
            *("commercial", "road", "highway", "railway", "parking lot 1", "parking lot 2", "tennis court"),
            "running track",
        ),
        rgb=(59, 40, 23),
        wavelengths=(380.0, 1050.0),
    ),
    "samson": Benchmark(
        cubes=(CubeFile("Y_clean.mat", "Y_clean", 156),),
        labels=(("A_true.mat", "A_true:largest"),),
        classes=("soil", "tree", "water"),
        rgb=(77, 48, 20),
        wavelengths=(401.0, 889.0),
    ),
}
