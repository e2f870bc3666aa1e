"""The speed of hosts in a certain minute, by what a step of one process takes on one of them."""

from dataclasses import replace

from mpmm.placement import layout_for, simulate

# the simulator plays so many steps, so that pauses by a quota average out
PLAYED = 12
# a quota's pauses make a step's time no straight line of the speed
_TRIES = 4


def at_speed(machine, speed):
    """The machine with cores that are so many times as fast as those that the profile was measured on."""
    return replace(machine, hosts=tuple(replace(host, speed=speed) for host in machine.hosts))


def speed_by(shape, batch, profile, machine, seconds):
    """The speed at which a step of one process is predicted to take so many seconds.

    Parameters
    ----------
    shape, batch, profile
        The network, samples of a step, and what its layers take.
    machine
        The host of one rank.
    seconds
        A step as measured there.
    """
    layout, speed = layout_for(shape, 1, "single"), 1.0
    for _ in range(_TRIES):
        played = simulate(shape, layout, batch, profile, at_speed(machine, speed), PLAYED)
        speed *= played.seconds / seconds
    return speed
