"""The network: parameters, layers, blocks, streams and fusion, loss, optimizer; knows no rank."""

from mpmm.network.batchnorm import BatchNorm
from mpmm.network.block import Block
from mpmm.network.concatenate import Concatenate
from mpmm.network.convolution import Convolution
from mpmm.network.dense import Dense
from mpmm.network.dropout import Dropout
from mpmm.network.flatten import Flatten
from mpmm.network.layer import EVALUATION, Cost, Layer, Step
from mpmm.network.loss import Loss, SoftmaxCrossEntropy, probabilities
from mpmm.network.network import Network, parameters_sha256
from mpmm.network.optimizer import Adam
from mpmm.network.parameter import Parameter, state_sha256
from mpmm.network.presets import paper
from mpmm.network.spec import BlockSpec, DenseSpec, NetworkSpec, StreamSpec

__all__ = [
    "EVALUATION",
    "Adam",
    "BatchNorm",
    "Block",
    "BlockSpec",
    "Concatenate",
    "Convolution",
    "Cost",
    "Dense",
    "DenseSpec",
    "Dropout",
    "Flatten",
    "Layer",
    "Loss",
    "Network",
    "NetworkSpec",
    "Parameter",
    "SoftmaxCrossEntropy",
    "Step",
    "StreamSpec",
    "paper",
    "parameters_sha256",
    "probabilities",
    "state_sha256",
]
