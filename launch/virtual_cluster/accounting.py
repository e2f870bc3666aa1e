"""What a host's processes have used of the CPU, ended ones too: counted by a control group."""

from __future__ import annotations

from pathlib import Path

MOUNTS = Path("/proc/self/mounts")


def accounting_group(group: Path, mounts: Path = MOUNTS) -> Path | None:
    """Where the CPU time of a host's processes is counted.

    Parameters
    ----------
    group
        Folder of the control group with the host's quota, two levels below its hierarchy's root.
    mounts
        The machine's mounts.

    Returns
    -------
    Path or None
        Of version 2 the same group; of version 1 its twin in the hierarchy that counts, which may be the same
        too; None where nothing counts.
    """
    version = 2
    for line in mounts.read_text().splitlines():
        _, folder, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpuacct" in options.split(","):
            return Path(folder, group.parent.name, group.name)
        if kind == "cgroup" and Path(folder) == group.parent.parent:
            version = 1
    return group if version == 2 else None


def used_seconds(group: Path) -> float | None:
    """CPU seconds that a host's processes have used so far; None where nothing counts them."""
    counting = accounting_group(group)
    if counting is None:
        return None
    if (counting / "cpuacct.usage").exists():
        return int((counting / "cpuacct.usage").read_text()) / 1e9
    fields = dict(line.split() for line in (counting / "cpu.stat").read_text().splitlines())
    return int(fields["usage_usec"]) / 1e6
