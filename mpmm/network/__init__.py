"""The network: parameters, layers, blocks, streams and fusion, loss, optimizer; knows no rank."""

from mpmm.network.activation_layer import ActivationLayer
from mpmm.network.batchnorm import EPSILON, BatchNorm
from mpmm.network.block import Block
from mpmm.network.block_spec import BlockSpec, DenseSpec, JoinSpec
from mpmm.network.build import block_builders
from mpmm.network.clipping import clip_factor, norm_of, sum_of_squares
from mpmm.network.convolution import Convolution
from mpmm.network.dense import Dense
from mpmm.network.dropout import Dropout
from mpmm.network.flatten import Flatten
from mpmm.network.joining import Add, Concatenate
from mpmm.network.layer import EVALUATION, BatchLayer, Cost, Layer, Step
from mpmm.network.loss import BatchLoss, SoftmaxCrossEntropy, probabilities
from mpmm.network.names import FUSION, maker_of, section_of
from mpmm.network.network import Network, parameters_sha256
from mpmm.network.on_zeros import READER, UPDATE, run_on_zeros
from mpmm.network.optimizer import Adam
from mpmm.network.parameter import Array, Parameter, parts, state_sha256
from mpmm.network.pooling_layer import PoolingLayer
from mpmm.network.presets import paper, paper_fusion, paper_stream
from mpmm.network.published import Preset, preset_fusion, preset_stream
from mpmm.network.rates import Rates
from mpmm.network.shapes import Volume
from mpmm.network.spec import NetworkSpec, StreamSpec
from mpmm.network.vocabulary import Activation, DType, Join, Kernels, Padding, Pool, RateSchedule, Start

__all__ = [
    "EPSILON",
    "EVALUATION",
    "FUSION",
    "READER",
    "UPDATE",
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
    "Start",
    "Step",
    "StreamSpec",
    "Volume",
    "block_builders",
    "clip_factor",
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
