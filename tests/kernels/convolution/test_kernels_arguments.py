"""Records of arguments against the kernels that take them: the same names in the same order."""

import inspect

import pytest
from mpmm_kernels.convolution.argmax_gradient import gradient as argmax
from mpmm_kernels.convolution.argmax_gradient import kernels as argmax_kernels
from mpmm_kernels.convolution.argmax_gradient.layout import ArgmaxGeometry, ArgmaxTile
from mpmm_kernels.convolution.depth import kernels as depth_kernels
from mpmm_kernels.convolution.depth import layout as depth_layout
from mpmm_kernels.convolution.depth import method as depth
from mpmm_kernels.convolution.depth.geometry import DepthTile
from mpmm_kernels.convolution.direct import kernels as direct_kernels
from mpmm_kernels.convolution.direct import layout as direct_layout
from mpmm_kernels.convolution.direct import method as direct
from mpmm_kernels.convolution.direct.tile import DirectTile
from mpmm_kernels.convolution.indirect import kernels as indirect_kernels
from mpmm_kernels.convolution.indirect import layout as indirect_layout
from mpmm_kernels.convolution.indirect import method as indirect
from mpmm_kernels.convolution.indirect import one_pass
from mpmm_kernels.convolution.indirect.tile import IndirectTile
from mpmm_kernels.convolution.shared.arguments import (
    CoreGradient,
    ForwardArrays,
    InputGradientArrays,
    WeightSums,
)
from mpmm_kernels.convolution.winograd import kernels as winograd_kernels
from mpmm_kernels.convolution.winograd import layout as winograd_layout
from mpmm_kernels.convolution.winograd import method as winograd
from mpmm_kernels.convolution.winograd_depth import geometry as filtering_geometry
from mpmm_kernels.convolution.winograd_depth import kernels as filtering_kernels
from mpmm_kernels.convolution.winograd_depth import method as filtering
from mpmm_kernels.convolution.winograd_spectral import kernels as spectral_kernels
from mpmm_kernels.convolution.winograd_spectral import method as spectral
from mpmm_kernels.convolution.winograd_spectral.layout import SpectralGeometry, SpectralTile
from mpmm_kernels.layers.ending import BlockEnding

NUMBERS, BY_ROWS = ("samples", "floor"), ("floor", "row")
FORWARD, TO_WEIGHTS = (ForwardArrays,), ("x", CoreGradient, WeightSums)
TO_INPUT = CoreGradient, InputGradientArrays
# what each call of a kernel stars, in order
CALLS = {
    "direct, forward": (
        direct_kernels.forward,
        (*FORWARD, direct.DirectLineScratch, *NUMBERS, direct_layout.DirectForwardGeometry, DirectTile),
    ),
    "direct, to weights": (
        direct_kernels.backward_weights,
        (*TO_WEIGHTS, direct.DirectLineScratch, *BY_ROWS, direct_layout.DirectWeightGeometry, DirectTile),
    ),
    "direct, to input": (
        direct_kernels.backward_input,
        (*TO_INPUT, direct.DirectSampleScratch, *NUMBERS, direct_layout.DirectInputGeometry, DirectTile),
    ),
    "indirect, forward": (
        indirect_kernels.forward,
        (
            *FORWARD,
            BlockEnding,
            indirect.IndirectForwardScratch,
            *NUMBERS,
            "share",
            indirect_layout.IndirectForwardGeometry,
            IndirectTile,
        ),
    ),
    "indirect, to weights": (
        indirect_kernels.backward_weights,
        (
            *TO_WEIGHTS,
            indirect.IndirectWeightScratch,
            *BY_ROWS,
            indirect_layout.IndirectWeightGeometry,
            IndirectTile,
        ),
    ),
    "indirect, to input": (
        indirect_kernels.backward_input,
        (
            *TO_INPUT,
            indirect.IndirectInputScratch,
            *NUMBERS,
            indirect_layout.IndirectInputGeometry,
            IndirectTile,
        ),
    ),
    "indirect, to both": (
        one_pass.backward,
        (
            "x",
            *TO_INPUT,
            WeightSums,
            one_pass.OnePassScratch,
            *BY_ROWS,
            one_pass.OnePassGeometry,
            indirect_layout.IndirectWeightGeometry,
            IndirectTile,
            *(f"input_{name}" for name in IndirectTile._fields),
        ),
    ),
    "depth, forward": (
        depth_kernels.forward,
        (
            *FORWARD,
            depth.DepthForwardScratch,
            *NUMBERS,
            "added",
            depth_layout.DepthForwardGeometry,
            DepthTile,
        ),
    ),
    "depth, to input": (
        depth_kernels.backward_input,
        (*TO_INPUT, depth.DepthInputScratch, *NUMBERS, depth_layout.DepthInputGeometry, DepthTile),
    ),
    "winograd, forward": (
        winograd_kernels.forward,
        (
            *FORWARD,
            winograd.WinogradForwardScratch,
            *NUMBERS,
            winograd_layout.WinogradGeometry,
            winograd_layout.WinogradForwardTile,
        ),
    ),
    "winograd, backward": (
        winograd_kernels.backward,
        (
            "x",
            CoreGradient,
            "flipped",
            WeightSums,
            "dx",
            winograd.WinogradBackwardScratch,
            *BY_ROWS,
            winograd_layout.WinogradGeometry,
            winograd_layout.WinogradBackwardTile,
        ),
    ),
    "winograd-depth, forward": (
        filtering_kernels.forward,
        (
            filtering.DepthFilteringArrays,
            BlockEnding,
            filtering.DepthFilteringScratch,
            *NUMBERS,
            "shape",
            filtering_geometry.DepthFilteringTile,
        ),
    ),
    "winograd-depth, to weights": (
        filtering_kernels.backward_weights,
        (
            "x",
            "dy",
            WeightSums,
            filtering.DepthWeightScratch,
            "row",
            "shape",
            filtering_geometry.DepthFilteringTile,
        ),
    ),
    "winograd-spectral, forward": (
        spectral_kernels.forward,
        (*FORWARD, spectral.SpectralForwardScratch, *NUMBERS, SpectralGeometry, SpectralTile),
    ),
    "argmax, to weights": (
        argmax_kernels.backward_weights,
        (*TO_WEIGHTS, argmax.ArgmaxScratch, "floor", "places", ArgmaxGeometry, ArgmaxTile),
    ),
}


def names(arguments):
    """Of plain arguments and records, one after the other."""
    for argument in arguments:
        yield from (argument,) if isinstance(argument, str) else argument._fields


@pytest.mark.parametrize("call", CALLS)
def test_records_are_the_kernels_parameters_in_order(call):
    """Sixteen to twenty-seven arguments by position: two arrays swapped would be the same type."""
    kernel, arguments = CALLS[call]
    assert list(names(arguments)) == list(inspect.signature(kernel.py_func).parameters)
