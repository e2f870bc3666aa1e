"""One process plays the schedule of layout single: left at any event and taken up again, it ends alike."""

import importlib
import math
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from mpmm_kernels.runtime import available_threads, cold_start, set_threads

from mpmm.errors import RunError
from mpmm.messages import Kind, LocalChannel, MessageError
from mpmm.network import (
    EVALUATION,
    READER,
    UPDATE,
    Adam,
    BlockSpec,
    DenseSpec,
    Network,
    NetworkSpec,
    SoftmaxCrossEntropy,
    Step,
    StreamSpec,
    parameters_sha256,
    run_on_zeros,
)
from mpmm.patches import Batch, Batches, HeldOut
from mpmm.placement import StepKind, describe, layout_for
from mpmm.ranks import (
    Counters,
    EpochDone,
    Limits,
    ParameterStore,
    Player,
    ScheduleCache,
    Scoring,
    Server,
    ShareReader,
    StepDone,
    ValidationStep,
    outcome,
    warm_up,
)
from mpmm.ranks.inference import validate
from mpmm.results import confusion_matrix

CLASSES, SIZE = 3, 5
SPEC = NetworkSpec(
    streams=(
        StreamSpec(
            "hsi", 6, SIZE, (BlockSpec(2, (3, 3, 3), window=(2, 1, 1), dropout=0.2),), (DenseSpec(8),)
        ),
        StreamSpec(
            "rgb", 3, SIZE, (BlockSpec(2, (3, 3, 3), window=(1, 1, 1)),), (DenseSpec(8, dropout=0.5),)
        ),
    ),
    fusion=(DenseSpec(8, dropout=0.5),),
    classes=CLASSES,
    kernels="reference",
    seed=5,
)
EPOCHS = 3


class Patches:
    """Patches in memory, turned by (epoch, sample), whose class shifts their values."""

    def __init__(self, count: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.labels = (np.arange(count) % CLASSES).astype(np.int16)
        self.inputs = {
            name: (random.normal(size=(count, bands, SIZE, SIZE)) + self.labels[:, None, None, None]).astype(
                "f4"
            )
            for name, bands in (("hsi", 6), ("rgb", 3))
        }

    def __call__(self, indices, epoch: int, rows=None, /) -> Batch:
        turned = {
            name: np.stack([np.rot90(values[i], (epoch + i) % 4, (1, 2)) for i in indices])
            for name, values in self.inputs.items()
        }
        return Batch(turned, self.labels[indices])


TRAIN, VALIDATION = Patches(22, seed=1), Patches(10, seed=2)
# of each validation patch, the second of them without any
SCENES = np.array([0, 0, 2, 0, 2, 2, 2, 0, 0, 2])


def process(spec=SPEC, counters=None, rate=1e-2, held=10, read=TRAIN, arrays=None) -> Server:
    """A server that owns all blocks, on a channel without peers."""
    network, optimizer, loss = Network(spec), Adam(rate=rate), SoftmaxCrossEntropy()
    if arrays is not None:
        network.load(arrays["parameters"])
        optimizer.load_state(arrays["moments"], network.parameters)
    store = ParameterStore(network, optimizer, counters or Counters(), in_place=True)
    schedules = ScheduleCache(shape := describe(spec), layout := layout_for(shape, 1), 0)
    held_out = HeldOut(VALIDATION, held, 4, 3, SCENES)
    reader = ShareReader(shape, layout, 0, read, Batches(22, 4, seed=3), held_out)
    player = Player(LocalChannel(), [network], loss, store)
    scoring = Scoring(player, schedules, reader, loss, VALIDATION.labels[:held], CLASSES)
    return Server(player, schedules, reader, store, scoring, seed=7, patient=False)


def taken_up(left: Server) -> Server:
    """A new process with what a checkpoint keeps of the one left."""
    return process(counters=Counters.from_dict(left.counters.to_dict()), arrays=left.store.complete.arrays())


def sha256(server: Server) -> str:
    return parameters_sha256(server.store.network)


def figures(event):
    if isinstance(event, StepDone):
        return event.step, event.loss, event.correct, event.patches
    if isinstance(event, EpochDone):
        found = event.validation
        return event.epoch, event.loss, event.accuracy, found.loss, found.confusion.tolist(), event.improved
    return event.done, event.total


@pytest.fixture(scope="module")
def uninterrupted():
    whole = process()
    events = [figures(event) for event in whole.run(Limits(EPOCHS))]
    return events, sha256(whole)


def test_the_events_of_a_run(uninterrupted):
    kinds = [type(event) for event in process().run(Limits(EPOCHS))]
    assert kinds == ([StepDone] * 6 + [ValidationStep] * 3 + [EpochDone]) * EPOCHS


def test_same_bits_at_another_thread_count(uninterrupted):
    again = process()
    set_threads(1)
    try:
        events = [figures(event) for event in again.run(Limits(EPOCHS))]
    finally:
        set_threads(available_threads())
    assert events == uninterrupted[0]
    assert sha256(again) == uninterrupted[1]


# an epoch is 6 steps, 3 validation steps and its end; stops lie within and behind each of them
@pytest.mark.parametrize("stops", [[3], [6], [8], [10], [1, 1, 1], [4, 3, 9]])
def test_left_anywhere_and_taken_up_ends_with_the_same_bits(uninterrupted, stops):
    run = process()
    for stop in stops:
        with closing(run.run(Limits(EPOCHS))) as events:
            for _ in range(stop):
                next(events)
        run = taken_up(run)
    rest = [figures(event) for event in run.run(Limits(EPOCHS))]
    assert rest == uninterrupted[0][-len(rest) :]
    assert sha256(run) == uninterrupted[1]


def test_steps_end_a_run_within_an_epoch(uninterrupted):
    run = process()
    events = [figures(event) for event in run.run(Limits(EPOCHS, steps=8))]
    assert events == uninterrupted[0][:12]
    assert (run.counters.step, run.counters.epoch, run.counters.position) == (8, 1, 2)
    list(run.run(Limits(EPOCHS)))
    assert sha256(run) == uninterrupted[1]


def test_steps_that_end_an_epoch_validate_it():
    events = list(process().run(Limits(EPOCHS, steps=6)))
    assert isinstance(events[-1], EpochDone)


def test_patience_ends_a_run():
    run = process(rate=0.0, spec=replace(SPEC, seed=1))
    # nothing is learned but running statistics, so the validation stops getting better
    list(run.run(Limits(epochs=50, patience=2)))
    assert run.counters.epoch < 50
    assert run.counters.stale == 2


@pytest.mark.parametrize("start", ["he", "fan_in"])
def test_it_learns(start):
    run = process(replace(SPEC, start=start))
    events = [event for event in run.run(Limits(epochs=25)) if isinstance(event, EpochDone)]
    assert events[-1].validation.accuracy >= 0.9
    if start == "he":
        assert events[-1].loss < events[0].loss / 2
    else:
        # begins near ln 3, and dropout keeps the training's loss up: the validation's has none
        assert events[-1].validation.loss < events[0].validation.loss / 2


def test_validation_counts_every_patch_once_and_agrees_with_the_network():
    run = process()
    last = list(run.run(Limits(epochs=1)))[-1].validation
    assert last.confusion.sum() == 10
    assert last.confusion.sum(axis=1).tolist() == np.bincount(VALIDATION.labels).tolist()
    logits = run.store.network.forward(VALIDATION(np.arange(10), 0).inputs, EVALUATION)
    predicted = logits.argmax(axis=1)
    assert last.accuracy == np.mean(predicted == VALIDATION.labels)
    for number in range(3):
        own = np.equal(SCENES, number)
        expected = confusion_matrix(VALIDATION.labels[own], predicted[own], CLASSES)
        np.testing.assert_array_equal(last.by_scene[number], expected)
    held_out = HeldOut(VALIDATION, 10, 4, 3, SCENES)
    whole = outcome(validate(run.store.network, SoftmaxCrossEntropy(), held_out))
    np.testing.assert_array_equal(whole.by_scene, last.by_scene)


def test_the_schedule_has_the_bits_of_a_plain_loop(uninterrupted):
    """What a step is, without ranks: forward, loss, backward, Adam."""
    network, adam, loss = Network(SPEC), Adam(rate=1e-2), SoftmaxCrossEntropy()
    batches, number = Batches(22, 4, seed=3), 0
    for epoch in range(EPOCHS):
        for indices in batches.epoch(epoch):
            batch = TRAIN(indices, epoch)
            logits = network.forward(batch.inputs, Step(training=True, number=number, seed=7))
            network.backward(loss(logits, batch.labels).dlogits)
            number += 1
            for parameter in network.parameters.values():
                adam.update(parameter, number)
    assert parameters_sha256(network) == uninterrupted[1]


def test_a_state_beside_the_one_under_way_changes_no_bit(uninterrupted):
    """The server among ranks keeps two states, a process that is alone keeps one."""
    run = process()
    run.player.store = run.store = ParameterStore(run.store.network, Adam(rate=1e-2), Counters())
    list(run.run(Limits(EPOCHS)))
    assert sha256(run) == uninterrupted[1]


def test_one_process_holds_one_set_of_values_and_moments():
    run = process()
    list(run.run(Limits(EPOCHS, steps=2)))
    complete = run.store.complete
    assert run.store._next is complete
    for layer in (layer for block in run.store.network.blocks.values() for layer in block.layers):
        assert not layer.parameters or np.shares_memory(layer.values, complete.values)
    assert not run.store.optimizer.state()


def test_no_message_is_sent_and_no_peer_accepted():
    run = process()
    list(run.run(Limits(EPOCHS)))
    run.close()
    channel = run.player.channel
    assert (channel.rank, channel.size, len(channel.traffic)) == (0, 1, 0)
    assert channel.poll(Kind.MAP, 0) is None
    for peer in (0, 1):
        with pytest.raises(MessageError, match="no such other rank"):
            channel.connection(Kind.PUSH, 0, peer)
    assert run.schedules.played[StepKind.TRAIN, 4] == 5 * EPOCHS
    assert run.schedules.played[StepKind.TRAIN, 2] == EPOCHS


def test_without_validation_patches():
    events = list(process(held=0).run(Limits(epochs=1)))
    assert events[-1].validation is None
    assert events[-1].improved


def test_a_loss_that_is_not_finite_ends_the_run_before_it_spoils_the_parameters():
    spoiled = iter(range(100))

    def read(indices, epoch, rows, /):
        batch = TRAIN(indices, epoch)
        if next(spoiled) == 3:
            batch.inputs["rgb"][0, 0, 0, 0] = math.inf
        return batch

    run = process(read=read)
    events = run.run(Limits(EPOCHS))
    for _ in range(3):
        next(events)
    before = sha256(run)
    with pytest.raises(RunError, match="step 4: the loss is nan") as caught:
        next(events)
    assert "training.rate" in caught.value.hint
    assert sha256(run) == before


def test_a_reader_that_fails_ends_the_run_with_its_error():
    def read(indices, epoch, rows, /):
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        list(process(read=read).run(Limits(EPOCHS)))


def test_warm_up_changes_nothing(uninterrupted):
    run = process()
    before = sha256(run)
    warm_up(run.store.network)
    assert sha256(run) == before
    list(run.run(Limits(EPOCHS)))
    assert sha256(run) == uninterrupted[1]


@pytest.fixture
def starting(monkeypatch, tmp_path):
    """The module that warms up, in a process that no other has warmed up for."""
    monkeypatch.setattr(cold_start, "cache_folder", lambda: tmp_path)
    return importlib.import_module("mpmm.ranks.warm_up")


def test_warm_up_says_when_it_compiles(monkeypatch, starting):
    monkeypatch.setattr(starting, "all_on_disk", lambda run: False)
    said = []
    for _ in range(2):
        warm_up(Network(SPEC), said.append)
    # while blocks are compiled, and not again when they are there
    assert said[0] == 0
    assert said == sorted(said)
    assert said[-1] < 1


def test_a_training_compiles_nothing_that_only_scores_need(monkeypatch, starting):
    """The kernels of evaluation and of the focal loss took two seconds before the first step."""
    asked = []
    monkeypatch.setattr(starting, "run_on_zeros", lambda network, name, uses: asked.append(uses))
    warm_up(Network(SPEC), uses=["training"])
    assert asked
    assert all(uses == ["training"] for uses in asked)


def test_blocks_that_share_no_kernel_are_compiled_first(starting):
    """Two processes that began with two convolutions made batch normalisation's kernels twice."""
    names = ("a.block1", "a.block2", "a.head", "b.block1", "b.head", "fusion.output", READER, UPDATE)
    order = starting.unlike_first(names)
    assert order == ["a.block1", "a.head", "fusion.output", READER, UPDATE, "a.block2", "b.block1", "b.head"]


def test_kernels_that_other_networks_left_start_no_process(monkeypatch, starting):
    """Each new network and layout had two started, which loaded what was there and ended."""
    for name in (*Network(SPEC).blocks, READER, UPDATE):
        run_on_zeros(Network(SPEC), name)
    monkeypatch.setattr(starting, "compile_side_by_side", lambda *_: pytest.fail("nothing to compile"))
    other = Network(SPEC, only=list(Network(SPEC).blocks)[:1])
    warm_up(other, pytest.fail, together=Network(SPEC).blocks)
