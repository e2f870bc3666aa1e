"""Every way to run a block: a new one is a folder beside these, its name in `vocabulary`, and a line here."""

from mpmm_kernels.convolution.depth.method import DEPTH, DEPTH_IF_NARROW
from mpmm_kernels.convolution.direct.method import DIRECT
from mpmm_kernels.convolution.indirect.method import INDIRECT
from mpmm_kernels.convolution.method import Method
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.reference.method import REFERENCE
from mpmm_kernels.convolution.winograd.method import WINOGRAD
from mpmm_kernels.convolution.winograd_depth.method import WINOGRAD_DEPTH
from mpmm_kernels.convolution.winograd_spectral.method import WINOGRAD_SPECTRAL
from mpmm_kernels.vocabulary import Kernels, MethodName

# Best first: a plan gets the first method that its choice of kernels allows and that offers to run it.
_METHODS: tuple[tuple[Method, frozenset[Kernels]], ...] = (
    # where half a vector holds all filters, depth comes before Winograd's tiles
    (DEPTH_IF_NARROW, frozenset({"fast", "direct"})),
    (WINOGRAD_SPECTRAL, frozenset({"fast"})),
    (WINOGRAD, frozenset({"fast"})),
    (WINOGRAD_DEPTH, frozenset({"fast"})),
    (DEPTH, frozenset({"fast", "direct"})),
    (INDIRECT, frozenset({"fast", "direct"})),
    (DIRECT, frozenset({"fast", "direct"})),
    (REFERENCE, frozenset({"fast", "direct", "reference"})),
)
METHODS: dict[MethodName, Method] = {method.name: method for method, _ in _METHODS}

# Multiply-adds of a sample from which a block is worth kernels compiled for its shape: plain loops need 5 us
_LARGE = 20_000


def choose(plan: BlockPlan, kernels: Kernels) -> tuple[Method, str]:
    """The method for a plan's shapes, and its text for ``plan.detail``."""
    if kernels == "fast" and plan.operations < 2 * _LARGE:
        kernels = "reference"
    for method, choices in _METHODS:
        detail = method.offer(plan) if kernels in choices else None
        if detail is not None:
            return method, detail
    raise AssertionError("the last method takes every shape")
