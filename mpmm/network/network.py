"""The network: all blocks of a description, or the few that a rank owns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from operator import attrgetter

from mpmm.errors import NetworkError
from mpmm.network.block import Block
from mpmm.network.build import block_builders
from mpmm.network.layer import NO_COST, Cost, Step
from mpmm.network.names import OUTPUT
from mpmm.network.parameter import Array, Parameter, state_sha256
from mpmm.network.passes import forward_through
from mpmm.network.spec import NetworkSpec
from mpmm.network.state import check_state
from mpmm.network.summary import summary_table
from mpmm.network.sums import Begun, sum_passes, summands


class Network:
    """Blocks in forward order with their parameters.

    Parameters
    ----------
    spec
        Description of the network to build.
    only
        Names of the blocks to build; all by default. A parameter's initial value depends on the seed and
        its name alone, so parts of a network built in several places hold what the whole would.
    drawn
        Whether initial weights are drawn; zeros otherwise, for a network that is only looked at or loaded.

    Attributes
    ----------
    blocks
        By name, in forward order.
    parameters
        By name, in name order; running statistics too.

    Raises
    ------
    NetworkError
        ``only`` names a block that the network has not.
    """

    def __init__(self, spec: NetworkSpec, only: Collection[str] | None = None, *, drawn: bool = True) -> None:
        builders = block_builders(spec, drawn)
        unknown = sorted(set(only or ()) - set(builders))
        if unknown:
            raise NetworkError(f"no block '{unknown[0]}' in this network", f"known: {', '.join(builders)}")
        self.spec = spec
        self.blocks: dict[str, Block] = {
            name: build() for name, build in builders.items() if only is None or name in only
        }
        self.missing = tuple(name for name in builders if name not in self.blocks)
        self._sums = sum_passes(self.blocks)
        self._summands = summands(self.blocks, self._sums)
        parameters = [parameter for block in self.blocks.values() for parameter in block.parameters]
        self.parameters: dict[str, Parameter] = {
            parameter.name: parameter for parameter in sorted(parameters, key=attrgetter("name"))
        }

    def forward(self, inputs: Mapping[str, Array], step: Step) -> Array:
        """Logits of one batch.

        Parameters
        ----------
        inputs
            (n, bands, size, size) by modality.
        step
            Which step, and whether it trains.

        Returns
        -------
        numpy.ndarray
            (n, classes), a view that holds until the next backward or forward.

        Raises
        ------
        NetworkError
            A modality is missing or has another shape, or blocks of the network are not here.
        """
        self._demand_all_blocks()
        outputs = dict(inputs)
        begun: dict[str, Begun] = {}
        for name, block in self.blocks.items():
            if name in self._sums and not step.training:
                begun.update(self._sums[name].infer(outputs))
                continue
            if name in self._summands and not step.training:
                y = self._summands[name].infer(outputs)
            elif name in begun:
                x, layers = begun.pop(name)
                y = forward_through(layers, x, step)
            else:
                y = block.forward(outputs, step)
            outputs.update(dict.fromkeys(block.outputs, y))
        return outputs[OUTPUT]

    def backward(self, dlogits: Array) -> None:
        """Fill the gradient of every parameter from the loss gradient of the last forward's logits."""
        self._demand_all_blocks()
        gradients = {OUTPUT: dlogits}
        for block in reversed(self.blocks.values()):
            dy = block.output_gradient([gradients.pop(output) for output in block.outputs])
            gradients.update(block.backward(dy))

    def state(self) -> dict[str, Array]:
        """A copy of every parameter's value, running statistics too, by name in name order."""
        return {name: parameter.value.copy() for name, parameter in self.parameters.items()}

    def load(self, values: Mapping[str, Array]) -> None:
        """Take over every parameter's value; nothing is changed when something does not fit.

        Raises
        ------
        NetworkError
            A parameter is missing, unexpected, or of another shape.
        """
        expected = {name: parameter.value for name, parameter in self.parameters.items()}
        check_state(expected, values, "parameter")
        for name, parameter in self.parameters.items():
            parameter.value[...] = values[name]

    def cost(self) -> Cost:
        """Work and memory of all blocks for one sample."""
        return sum((block.cost() for block in self.blocks.values()), NO_COST)

    def summary(self) -> str:
        """A table: layer, output shape, parameters, cost a patch, kernel."""
        return summary_table(self.blocks)

    def __str__(self) -> str:
        return self.summary()

    def _demand_all_blocks(self) -> None:
        if self.missing:
            raise NetworkError(
                f"this part of a network has no block {', '.join(self.missing)}",
                "go through .blocks one by one, or build the network without `only`",
            )


def parameters_sha256(network: Network) -> str:
    """SHA-256 over the bits of all parameters, running statistics too, in name order."""
    return state_sha256({name: parameter.value for name, parameter in network.parameters.items()})
