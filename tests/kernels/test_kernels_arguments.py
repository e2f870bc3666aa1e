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
from mpmm_kernels.convolution.winograd_spectral import kernels as spectral_kernels
from mpmm_kernels.convolution.winograd_spectral import method as spectral
from mpmm_kernels.convolution.winograd_spectral.layout import SpectralGeometry, SpectralTile

NUMBERS = "samples", "floor"
FORWARD, TO_WEIGHTS = (ForwardArrays,), ("x", CoreGradient, WeightSums)
TO_INPUT = CoreGradient, InputGradientArrays
# what each call of a kernel stars, in order
CALLS = {
    "direct, forward": (
        direct_kernels.forward,
        (*FORWARD, direct.LineScratch, *NUMBERS, direct_layout.ForwardGeometry, DirectTile),
    ),
    "direct, to weights": (
        direct_kernels.backward_weights,
        (*TO_WEIGHTS, direct.LineScratch, *NUMBERS, direct_layout.WeightGeometry, DirectTile),
    ),
    "direct, to input": (
        direct_kernels.backward_input,
        (*TO_INPUT, direct.SampleScratch, *NUMBERS, direct_layout.InputGeometry, DirectTile),
    ),
    "indirect, forward": (
        indirect_kernels.forward,
        (*FORWARD, indirect.ForwardScratch, *NUMBERS, indirect_layout.ForwardGeometry, IndirectTile),
    ),
    "indirect, to weights": (
        indirect_kernels.backward_weights,
        (*TO_WEIGHTS, indirect.WeightScratch, *NUMBERS, indirect_layout.WeightGeometry, IndirectTile),
    ),
    "indirect, to input": (
        indirect_kernels.backward_input,
        (*TO_INPUT, indirect.InputScratch, *NUMBERS, indirect_layout.InputGeometry, IndirectTile),
    ),
    "depth, forward": (
        depth_kernels.forward,
        (*FORWARD, depth.ForwardScratch, *NUMBERS, depth_layout.ForwardGeometry, DepthTile),
    ),
    "depth, to input": (
        depth_kernels.backward_input,
        (*TO_INPUT, depth.InputScratch, *NUMBERS, depth_layout.InputGeometry, DepthTile),
    ),
    "winograd, forward": (
        winograd_kernels.forward,
        (
            *FORWARD,
            winograd.ForwardScratch,
            *NUMBERS,
            winograd_layout.WinogradGeometry,
            winograd_layout.ForwardTile,
        ),
    ),
    "winograd, backward": (
        winograd_kernels.backward,
        (
            "x",
            CoreGradient,
            winograd.BackwardArrays,
            winograd.BackwardScratch,
            *NUMBERS,
            winograd_layout.WinogradGeometry,
            winograd_layout.BackwardTile,
        ),
    ),
    "winograd-spectral, forward": (
        spectral_kernels.forward,
        (*FORWARD, spectral.ForwardScratch, *NUMBERS, SpectralGeometry, SpectralTile),
    ),
    "argmax, to weights": (
        argmax_kernels.backward_weights,
        (*TO_WEIGHTS, argmax.ArgmaxScratch, *NUMBERS, ArgmaxGeometry, ArgmaxTile),
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
