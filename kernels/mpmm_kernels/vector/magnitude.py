"""How large numbers are, whatever their sign."""

from typing import Any

from mpmm_kernels.runtime import compiled_intrinsic
from mpmm_kernels.vector import emit as vector_emit
from mpmm_kernels.vector.vector import Vector


@compiled_intrinsic
def without_smaller(typing: Any, value: Vector, least: Vector) -> Any:
    """Zero in lanes whose magnitude is below ``least``, else ``value``; what is not a number stays so."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit a comparison and a choice."""
        given, floor = args
        smaller = builder.fcmp_ordered("<", vector_emit.magnitude(builder, given), floor)
        return builder.select(smaller, vector_emit.zero(given.type), given)

    return value(value, least), emit
