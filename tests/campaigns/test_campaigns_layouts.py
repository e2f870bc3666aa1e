"""A share of the campaign of layouts, so that it stays runnable; and that it sees other bits."""

import pytest
from campaigns import layouts
from campaigns.layouts import Case

pytestmark = pytest.mark.mpi


@pytest.fixture(scope="module")
def short_batch(tmp_path_factory):
    return layouts.configuration(tmp_path_factory.mktemp("layouts"))


def test_layouts_end_with_the_bits_of_one_process_and_averages_do_not(short_batch, tmp_path):
    chosen = [Case("optimized", 4, "owner", 2, micro_batches=8), Case("data", 3, "server", 1)]
    assert layouts.campaign(chosen, short_batch, tmp_path) == [str(chosen[1])]


def test_the_campaign_has_every_layout_update_and_number_of_threads():
    cases = list(layouts.cases())
    assert len(set(cases)) == len(cases) == (13 + 4 * 3) * 2 * 2
    assert {case.ranks for case in cases if case.layout == "sharded"} == {2, 3, 4, 5, 8}
