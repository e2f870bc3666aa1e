"""SplitMix64 in Python's own integers, and the dropout mask made of it."""

ALL = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15


def mix(z):
    """The finaliser of SplitMix64."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & ALL
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & ALL
    return z ^ (z >> 31)


def splitmix64(state, count):
    """The first numbers of the generator from a state, as published."""
    return [mix((state + (i + 1) * GOLDEN) & ALL) for i in range(count)]


def stays(key, sample, unit, rate):
    """Whether a unit of a sample (of the whole batch) is kept."""
    stream = mix((key + (sample + 1) * GOLDEN) & ALL)
    return mix((stream + (unit + 1) * GOLDEN) & ALL) / 2**64 >= rate
