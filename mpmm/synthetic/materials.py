"""What the synthetic scene is made of: materials, described by the components of their spectra.

A spectrum is a sum of a level, a slope, smooth edges (the red edge of vegetation, the rise of paint) and
bumps (the green peak, absorptions), all rational functions; the colour in RGB is the spectrum's visible part.
So materials that share their visible part are alike in RGB however much they differ in the infrared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]
Triples = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Material:
    """A surface material, by the components of its spectrum.

    Attributes
    ----------
    name
        Its key in `NUMBERS`.
    level, slope
        Reflectance at 700 nm without the rest, and its rise per 100 nm.
    edges
        (from nm, to nm, height): a smooth step.
    bumps
        (centre nm, half width nm, height): a Lorentzian; negative heights are absorptions.
    texture
        Strength of the RGB texture at about 0.1 m, 0.6 m and 2.5 m.
    companion
        The material into which this one varies (dry grass in a lawn, dust on asphalt).
    variation
        How far, in 64ths at one standard deviation.
    """

    name: str
    level: float
    slope: float = 0.0
    edges: Triples = ()
    bumps: Triples = ()
    texture: tuple[int, int, int] = (5, 5, 5)
    companion: str = "asphalt"
    variation: int = 6

    def reflectance(self, wavelengths: Curve) -> Curve:
        """Reflectance (0 to 1) at `wavelengths` in nm; only +, -, x, / of doubles: equal everywhere."""
        curve = self.level + self.slope * (wavelengths - 700.0) / 100.0
        for low, high, height in self.edges:
            t = np.clip((wavelengths - low) / (high - low), 0.0, 1.0)
            curve = curve + height * (t * t * (3.0 - 2.0 * t))
        for centre, half, height in self.bumps:
            t = (wavelengths - centre) / half
            curve = curve + height / (1.0 + t * t)
        return np.clip(curve, 0.005, 1.0)


_GREEN = ((550.0, 32.0, 0.055),)
_TITANIUM_WHITE = (385.0, 430.0)

MATERIALS = (
    # vegetation, and the turf that looks like it up to the red edge
    Material(
        "healthy grass",
        0.035,
        0.0,
        ((695, 755, 0.38), (755, 900, 0.05)),
        (*_GREEN, (970, 35, -0.04)),
        (6, 6, 7),
        "stressed grass",
        9,
    ),
    Material("artificial turf", 0.035, 0.0, ((770, 1000, 0.10),), _GREEN, (6, 6, 7), "healthy grass", 3),
    Material(
        "stressed grass",
        0.060,
        0.0,
        ((480, 640, 0.06), (700, 780, 0.20)),
        ((555, 40, 0.03), (675, 25, -0.02)),
        (6, 7, 9),
        "bare earth",
        9,
    ),
    Material(
        "evergreen leaves",
        0.020,
        0.0,
        ((700, 760, 0.22),),
        ((550, 32, 0.032),),
        (10, 20, 6),
        "deciduous leaves",
        6,
    ),
    Material(
        "deciduous leaves",
        0.022,
        0.0,
        ((690, 742, 0.40),),
        ((550, 32, 0.034), (970, 35, -0.03)),
        (10, 20, 6),
        "evergreen leaves",
        6,
    ),
    # ground
    Material("bare earth", 0.090, 0.0, ((400, 900, 0.22),), ((870, 60, -0.02),), (6, 8, 10), "gravel", 9),
    Material("gravel", 0.100, 0.0, ((400, 820, 0.18),), (), (11, 9, 7), "bare earth", 9),
    Material("water", 0.018, 0.0, ((620, 800, -0.012),), ((520, 80, 0.045),), (3, 4, 3), "bare earth", 4),
    Material("asphalt", 0.085, 0.0, ((400, 1000, 0.06),), (), (6, 4, 6), "concrete", 5),
    Material("concrete", 0.200, 0.0, ((400, 700, 0.10),), (), (4, 5, 7), "asphalt", 8),
    Material("ballast", 0.090, 0.0, ((400, 820, 0.10),), (), (13, 9, 6), "asphalt", 8),
    Material("rail steel", 0.150, 0.0, ((500, 800, 0.06),), (), (4, 3, 3), "ballast", 4),
    Material("white line", 0.180, 0.0, ((*_TITANIUM_WHITE, 0.30),), (), (5, 5, 4), "asphalt", 9),
    Material("worn line", 0.170, 0.0, ((400, 1000, 0.12),), (), (5, 6, 4), "asphalt", 6),
    Material("yellow line", 0.070, 0.0, ((480, 560, 0.36),), (), (5, 5, 4), "asphalt", 9),
    # roofs: grey and brown come in pairs that only the infrared tells apart
    Material("grey shingle", 0.110, 0.0, ((400, 1000, 0.04),), (), (5, 6, 5), "asphalt", 6),
    Material(
        "grey membrane",
        0.110,
        0.0,
        ((400, 700, 0.018), (705, 850, 0.15)),
        ((930, 30, -0.05),),
        (5, 6, 5),
        "asphalt",
        6,
    ),
    Material(
        "brown shingle", 0.070, 0.0, ((480, 650, 0.09), (700, 1000, 0.09)), (), (5, 6, 5), "grey shingle", 7
    ),
    Material(
        "tan gravel roof", 0.070, 0.0, ((480, 650, 0.09),), ((880, 70, -0.07),), (5, 6, 5), "grey membrane", 7
    ),
    Material("red tile", 0.050, 0.0, ((560, 640, 0.18),), ((860, 60, -0.04),), (5, 7, 5), "brown shingle", 7),
    Material(
        "white membrane",
        0.200,
        0.0,
        ((*_TITANIUM_WHITE, 0.32),),
        ((930, 25, -0.06),),
        (4, 4, 5),
        "grey membrane",
        7,
    ),
    # paint on metal: cars and trains share it, so that shape must tell them apart
    Material("white paint", 0.200, 0.0, ((*_TITANIUM_WHITE, 0.40),), (), (3, 3, 3), "silver paint", 6),
    Material("silver paint", 0.280, -0.010, (), (), (3, 3, 3), "asphalt", 6),
    Material("black paint", 0.030, 0.002, (), (), (3, 3, 3), "silver paint", 5),
    Material("red paint", 0.040, 0.0, ((590, 640, 0.30),), (), (3, 3, 3), "silver paint", 5),
    Material("blue paint", 0.045, 0.0, ((760, 860, 0.22),), ((460, 40, 0.17),), (3, 3, 3), "silver paint", 5),
    Material("rusty paint", 0.060, 0.0, ((560, 690, 0.16),), ((860, 60, -0.04),), (6, 6, 6), "ballast", 8),
    Material("glass", 0.045, 0.0, (), ((480, 120, 0.03),), (2, 2, 2), "silver paint", 4),
    # plastic: red and blue as the paints, with the absorption of C-H bonds
    Material(
        "red plastic",
        0.040,
        0.0,
        ((590, 640, 0.28), (720, 860, 0.16)),
        ((930, 22, -0.18),),
        (4, 4, 4),
        "concrete",
        8,
    ),
    Material(
        "blue plastic",
        0.045,
        0.0,
        ((720, 860, 0.34),),
        ((460, 40, 0.17), (930, 22, -0.18)),
        (4, 4, 4),
        "concrete",
        8,
    ),
)
NUMBERS: dict[str, int] = {material.name: number for number, material in enumerate(MATERIALS)}
CAR_PAINTS = ("white paint", "white paint", "silver paint", "black paint", "red paint", "blue paint")
TRAIN_PAINTS = ("rusty paint", "rusty paint", "silver paint", "blue paint", "red paint")
