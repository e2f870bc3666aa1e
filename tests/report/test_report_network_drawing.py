"""The drawing of a network with shortcuts: no arrow lies behind a block."""

from branched_networks import branched

from mpmm.placement import describe, layout_for
from mpmm.records import OwnedNetwork
from mpmm.report.network_drawing import HEIGHT, WIDTH, draw_network
from mpmm.scene import Labels, Modality, Scene
from mpmm.settings.config import Config


def test_arrows_past_other_blocks_go_beside_them(tmp_path):
    scene = Scene(tmp_path, Labels("labels.tif"), (Modality("hsi", ("hsi.tif",)),), None)
    spec = branched("float32")
    shape = describe(spec)
    owners = {"hsi.block4": 1, "hsi": 2, "rgb": 0, "fusion": 0}
    layout = layout_for(shape, 3, blocks=owners)
    drawing = draw_network(OwnedNetwork(Config(scene), spec, shape, layout))
    boxes = {box.name: box for box in drawing.boxes}
    beside = [arrow for arrow in drawing.arrows if arrow.beside]
    # block1 to block4, and block4 to its second and third reader
    starts = [boxes["hsi.block1"], boxes["hsi.block4"], boxes["hsi.block4"]]
    assert [(arrow.x1, arrow.y1) for arrow in beside] == [
        (box.x + WIDTH, box.y + HEIGHT / 2) for box in starts
    ]
    assert len(drawing.arrows) == len(shape.consumers)
    assert ["activations from" in arrow.words for arrow in beside] == [True, True, True]
