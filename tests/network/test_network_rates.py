"""Learning rates: their formulas, PyTorch's schedulers, and Adam that takes a rate a step."""

import numpy as np
import pytest

from mpmm.network import Adam, Parameter, Rates


def rates(count, *arguments, **options):
    schedule = Rates(*arguments, **options)
    return [schedule.at(step) for step in range(count)]


def test_a_constant_rate_is_that_number():
    assert rates(3, 0.1) == [0.1] * 3


def test_steps_drop_after_so_many():
    expected = [0.1, 0.1, 0.05, 0.05, 0.025]
    assert rates(5, 0.1, "step", factor=0.5, every=2) == pytest.approx(expected)


def test_the_cosine_ends_at_nothing_and_stays_there():
    falling = rates(11, 0.1, "cosine", total=10)
    assert falling[0] == 0.1
    assert falling[5] == pytest.approx(0.05)
    assert falling[10] == 0
    assert all(np.diff(falling) < 0)
    assert rates(13, 0.1, "cosine", total=10)[11:] == [0, 0]


def test_drops_are_counted_from_outside_and_end_at_the_minimum():
    schedule = Rates(0.1, "plateau", factor=0.5, warm_up=4, minimum=0.02)
    assert [schedule.at(9, drops) for drops in range(5)] == [0.1, 0.05, 0.025, 0.02, 0.02]
    assert schedule.at(1, drops=3) == 0.05, "half of the warm-up"
    assert Rates(0.01, "plateau", minimum=0.02).at(0, drops=2) == 0.01, "never raised"


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine", "plateau"])
def test_a_warm_up_rises_to_where_the_schedule_begins(schedule):
    warm = rates(12, 0.1, schedule, every=3, total=12, warm_up=4)
    assert warm[:4] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    assert warm[4:] == rates(8, 0.1, schedule, every=3, total=8)
    assert rates(3, 0.1, schedule, total=2, warm_up=5) == pytest.approx([0.02, 0.04, 0.06])


@pytest.mark.parametrize("schedule", ["step", "cosine"])
def test_adam_with_a_schedule_in_lockstep_with_pytorch(schedule):
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(3)
    parameter = Parameter.trained("p", generator.standard_normal((4, 3)))
    tensor = torch.tensor(parameter.value.copy(), requires_grad=True)
    theirs = torch.optim.AdamW([tensor], lr=0.05, weight_decay=0.01)
    kinds = {
        "step": lambda: torch.optim.lr_scheduler.StepLR(theirs, 5, 0.3),
        "cosine": lambda: torch.optim.lr_scheduler.CosineAnnealingLR(theirs, 20),
    }
    scheduler = kinds[schedule]()
    adam = Adam(Rates(0.05, schedule, factor=0.3, every=5, total=20), decay=0.01)
    for number in range(1, 21):
        parameter.gradient[:] = generator.standard_normal((4, 3))
        tensor.grad = torch.tensor(parameter.gradient.copy())
        adam.update(parameter, number)
        theirs.step()
        scheduler.step()
    np.testing.assert_allclose(parameter.value, tensor.detach().numpy(), rtol=0, atol=1e-12)
