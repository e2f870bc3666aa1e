from .activation_layer import ActivationLayer
from .batchnorm import EPSILON, BatchNorm
from .block import Block
from .block_spec import BlockSpec, DenseSpec, JoinSpec
from .build import block_builders
from .clipping import clip_factor, norm_of, sum_of_squares
from .convolution import Convolution
from .dense import Dense
from .dropout import Dropout
from .flatten import Flatten
from .joining import Add, Concatenate
from .layer import EVALUATION, BatchLayer, Cost, Layer, SplitLayer, Step
from .loss import BatchLoss, SoftmaxCrossEntropy, probabilities
from .names import FUSION, maker_of, section_of
from .network import Network, parameters_sha256
from .on_zeros import READER, UPDATE, USES, Use, run_on_zeros
from .optimizer import Adam
from .parameter import Array, Parameter, parts, state_sha256
from .passes import forward_through
from .pooling_layer import PoolingLayer
from .presets import paper, paper_fusion, paper_stream
from .published import Preset, preset_fusion, preset_stream
from .rates import Rates
from .shapes import Volume
from .spec import NetworkSpec, StreamSpec
from .vocabulary import Activation, DType, Join, Kernels, Padding, Pool, RateSchedule, Start

__all__ = [
    "EPSILON",
    "EVALUATION",
    "FUSION",
    "READER",
    "UPDATE",
    "USES",
    "Activation",
    "ActivationLayer",
    "Adam",
    "Add",
    "Array",
    "BatchLayer",
    "BatchLoss",
    "BatchNorm",
    "Block",
    "BlockSpec",
    "Concatenate",
    "Convolution",
    "Cost",
    "DType",
    "Dense",
    "DenseSpec",
    "Dropout",
    "Flatten",
    "Join",
    "JoinSpec",
    "Kernels",
    "Layer",
    "Network",
    "NetworkSpec",
    "Padding",
    "Parameter",
    "Pool",
    "PoolingLayer",
    "Preset",
    "RateSchedule",
    "Rates",
    "SoftmaxCrossEntropy",
    "SplitLayer",
    "Start",
    "Step",
    "StreamSpec",
    "Use",
    "Volume",
    "block_builders",
    "clip_factor",
    "forward_through",
    "maker_of",
    "norm_of",
    "paper",
    "paper_fusion",
    "paper_stream",
    "parameters_sha256",
    "parts",
    "preset_fusion",
    "preset_stream",
    "probabilities",
    "run_on_zeros",
    "section_of",
    "state_sha256",
    "sum_of_squares",
]
