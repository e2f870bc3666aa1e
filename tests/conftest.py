"""Which tests stay together when workers share the suite out (``pytest -n logical --dist loadgroup``).

A file's tests share kernels, which the first compiles, and fixtures, so they go to one worker. Those that
start ranks, or look at runs that are trained once a session, all go to one: no two runs of five ranks compete
for the cores, and nothing is trained twice. A file of long tests that share little says by marks of its own
(``xdist_group``) how it may be taken apart.
"""

import pytest

TOGETHER = "ranks"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test its group; the largest group first, so that it does not begin when others end."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: item.get_closest_marker("xdist_group").args[0] != TOGETHER)


def _group(item: pytest.Item) -> str:
    if item.get_closest_marker("mpi") is not None or _session_fixtures(item):
        return TOGETHER
    return str(item.path.relative_to(item.config.rootpath))


def _session_fixtures(item: pytest.Item) -> list[str]:
    """Fixtures of the whole session that this test uses and that the suite defines itself."""
    definitions = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]
    return [
        name
        for name, (*_, definition) in definitions.items()
        if definition.scope == "session" and definition.baseid
    ]
