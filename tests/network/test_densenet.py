"""The layers of the paper, one by one."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from shiftcli.network.checkpoint import load, write_tensors
from shiftcli.network.densenet import PRESETS, Architecture, DenseBlock, MR3DDenseNet, PoolAndCrop


def shapes_of_all_layers(network: MR3DDenseNet, batch: int) -> list[tuple[str, tuple[int, ...]]]:
    """Kind and output shape of every convolution, linear layer and pooling, as they run."""
    seen = []
    for module in network.modules():
        if isinstance(module, (nn.Conv3d, nn.Linear, PoolAndCrop, DenseBlock)):
            module.register_forward_hook(
                lambda m, _, out: seen.append((type(m).__name__, tuple(out.shape)))
            )
    channels = network.features[0][0].in_channels
    with torch.inference_mode():
        network.eval()(torch.rand(batch, channels, 16, 16, 16))
    return seen


def expected_shapes(
    edge: int, stem: int = 64, blocks: int = 2, dense: bool = True, crop: bool = True
) -> list[tuple[str, tuple[int, ...]]]:
    """The paper's Figure 2 for a batch of 2, with `edge` voxels behind the stem."""

    def volume(channels: int, length: int) -> tuple[int, ...]:
        return (2, channels, length, length, length)

    result = [("Conv3d", volume(stem, edge))]
    channels = stem
    for length in [edge // 2**k for k in range(blocks)]:
        for _ in range(4):
            result += [("Conv3d", volume(c, length)) for c in (256, 64, 64)]
        channels = channels + 4 * 64 if dense else 64
        joined = 2 * channels if crop else channels
        result += [("DenseBlock", volume(channels, length))]
        result += [("PoolAndCrop", volume(joined, length // 2))]
        result += [("Conv3d", volume(256, length // 2)), ("Conv3d", volume(64, length // 2))]
        channels = 64
    return [*result, ("Linear", (2, 256)), ("Linear", (2, 128)), ("Linear", (2, 1))]


def test_shapes_of_the_papers_layers():
    seen = shapes_of_all_layers(MR3DDenseNet(PRESETS["paper"]), batch=2)
    assert seen == expected_shapes(edge=16)
    # The numbers that the paper's text states.
    assert seen[0] == ("Conv3d", (2, 64, 16, 16, 16))
    assert seen[13] == ("DenseBlock", (2, 320, 16, 16, 16))
    assert seen[14] == ("PoolAndCrop", (2, 640, 8, 8, 8))
    assert seen[29] == ("DenseBlock", (2, 320, 8, 8, 8))
    assert seen[32] == ("Conv3d", (2, 64, 4, 4, 4))


def test_shapes_of_the_compact_layers():
    seen = shapes_of_all_layers(MR3DDenseNet(PRESETS["compact"]), batch=2)
    assert seen == expected_shapes(edge=4, stem=256, blocks=1)
    assert seen[0] == ("Conv3d", (2, 256, 4, 4, 4))
    assert seen[14] == ("PoolAndCrop", (2, 1024, 2, 2, 2))


@pytest.mark.parametrize(
    ("preset", "dense", "crop"),
    [("mr-arch", True, True), ("mr-input", True, False), ("cnn", False, False)],
)
def test_shapes_of_what_the_paper_takes_away(preset, dense, crop):
    seen = shapes_of_all_layers(MR3DDenseNet(PRESETS[preset]), batch=2)
    assert seen == expected_shapes(edge=16, dense=dense, crop=crop)


@pytest.mark.parametrize(
    ("preset", "channels"),
    [("paper", 20), ("compact", 20), ("mr-arch", 4), ("mr-input", 20), ("cnn", 4)],
)
def test_channels_are_elements_times_grids(preset, channels):
    assert MR3DDenseNet(PRESETS[preset]).features[0][0].in_channels == channels


def expected_parameters(
    stem: int,
    kernel: int,
    final_edge: int,
    channels: int = 20,
    blocks: int = 2,
    dense: bool = True,
    crop: bool = True,
) -> int:
    """Weights of convolutions without bias, two numbers a channel for each normalisation."""

    def conv(inputs: int, outputs: int, kernel: int = 1) -> int:
        return inputs * outputs * kernel**3 + 2 * outputs

    total, inputs = conv(channels, stem, kernel), stem
    for _ in range(blocks):
        for _ in range(4):
            total += conv(inputs, 256) + conv(256, 64) + conv(64, 64, 3)
            inputs = inputs + 64 if dense else 64
        total += conv(inputs * (2 if crop else 1), 256) + conv(256, 64)
        inputs = 64
    return total + conv(64 * final_edge**3, 256) + conv(256, 128) + 128 + 1


@pytest.mark.parametrize(
    ("preset", "total", "layers"),
    [
        ("paper", 2_828_289, {"stem": 64, "kernel": 3, "final_edge": 4}),
        ("medium", 1_958_145, {"stem": 64, "kernel": 4, "final_edge": 2}),
        ("compact", 1_643_521, {"stem": 256, "kernel": 4, "final_edge": 2, "blocks": 1}),
        ("mr-arch", 2_800_641, {"stem": 64, "kernel": 3, "final_edge": 4, "channels": 4}),
        ("mr-input", 2_664_449, {"stem": 64, "kernel": 3, "final_edge": 4, "crop": False}),
        ("cnn", 2_309_121, {"stem": 64, "kernel": 3, "final_edge": 4, "channels": 4,
                            "dense": False, "crop": False}),
    ],
)  # fmt: skip
def test_number_of_parameters(preset, total, layers):
    network = MR3DDenseNet(PRESETS[preset])
    assert sum(p.numel() for p in network.parameters()) == total
    assert expected_parameters(**layers) == total


@pytest.mark.parametrize(("preset", "times"), [("medium", 6), ("paper", 42)])
def test_work_beside_the_compact_network(preset, times):
    work = {}
    for name in ("compact", preset):
        network = MR3DDenseNet(PRESETS[name]).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.zeros(1, 20, 16, 16, 16))
        work[name] = counter.get_total_flops()
    assert round(work[preset] / work["compact"]) == times, "as README and docs/training.md say"


def test_every_convolution_is_normalised_and_rectified():
    features = MR3DDenseNet(PRESETS["paper"]).features
    layers = [m for m in features.modules() if isinstance(m, nn.Sequential) and len(m) == 3]
    layers = [m for m in layers if isinstance(m[0], nn.Conv3d)]
    assert len(layers) == sum(isinstance(m, nn.Conv3d) for m in features.modules()) == 29
    for conv, norm, relu in layers:
        assert isinstance(norm, nn.BatchNorm3d)
        assert norm.num_features == conv.out_channels
        assert isinstance(relu, nn.ReLU)
        assert conv.bias is None


def test_head_normalises_and_drops_out_after_each_hidden_layer():
    kinds = [type(m).__name__ for m in MR3DDenseNet(PRESETS["paper"]).head]
    hidden = ["Linear", "BatchNorm1d", "ReLU", "Dropout"]
    assert kinds == [*hidden, *hidden, "Linear"]
    dropouts = [m for m in MR3DDenseNet(Architecture(dropout=0.3)).modules() if hasattr(m, "p")]
    assert [m.p for m in dropouts] == [0.3, 0.3]


def test_units_see_the_input_and_all_units_before_them():
    torch.manual_seed(0)
    block = DenseBlock(96, 3, Architecture(bottleneck=32, growth=16)).eval()
    assert block.outputs == 96 + 3 * 16
    x = torch.rand(1, 96, 4, 4, 4)
    with torch.inference_mode():
        out = block(x)
        parts = out.split([96, 16, 16, 16], dim=1)
        assert torch.equal(parts[0], x)
        for k, unit in enumerate(block.units):
            expected = unit(torch.cat(parts[: k + 1], dim=1))
            torch.testing.assert_close(parts[k + 1], expected)


def test_units_without_dense_connections_see_the_last_one():
    torch.manual_seed(0)
    block = DenseBlock(24, 3, Architecture(bottleneck=32, growth=16, dense=False)).eval()
    assert block.outputs == 16
    x = torch.rand(1, 24, 4, 4, 4)
    with torch.inference_mode():
        out = block(x)
        expected = x
        for unit in block.units:
            expected = unit(expected)
    assert out.shape == (1, 16, 4, 4, 4)
    assert torch.equal(out, expected)


@pytest.mark.parametrize("edge", [4, 8, 16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_pool_and_crop_is_average_pooling_beside_the_centre(edge, layout):
    torch.manual_seed(edge)
    x = torch.randn(2, 6, edge, edge, edge).contiguous(memory_format=layout)
    got = PoolAndCrop()(x)
    half, start = edge // 2, edge // 4
    middle = slice(start, start + half)
    assert got.shape == (2, 12, half, half, half)
    torch.testing.assert_close(got[:, :6], nn.functional.avg_pool3d(x, 2), rtol=1e-6, atol=1e-6)
    assert torch.equal(got[:, 6:], x[:, :, middle, middle, middle])


def test_pool_without_the_crop():
    x = torch.randn(2, 6, 8, 8, 8)
    assert torch.equal(PoolAndCrop(crop=False)(x), PoolAndCrop()(x)[:, :6])


def test_pool_and_crop_keeps_bfloat16_and_channels_last():
    x = torch.randn(2, 64, 8, 8, 8).bfloat16().contiguous(memory_format=torch.channels_last_3d)
    got = PoolAndCrop()(x)
    assert got.dtype == torch.bfloat16
    assert got.is_contiguous(memory_format=torch.channels_last_3d)
    exact = nn.functional.avg_pool3d(x.float(), 2)
    torch.testing.assert_close(got[:, :64].float(), exact, rtol=0, atol=0.03)


def test_output_is_one_number_for_each_environment_and_independent_in_evaluation():
    torch.manual_seed(0)
    network = MR3DDenseNet(PRESETS["compact"]).eval()
    volume = torch.rand(3, 20, 16, 16, 16)
    with torch.inference_mode():
        together = network(volume)
        alone = torch.cat([network(v[None]) for v in volume])
    assert together.shape == (3,)
    assert together.std() > 0
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_every_parameter_is_trained():
    torch.manual_seed(0)
    network = MR3DDenseNet(PRESETS["compact"]).train()
    network(torch.rand(4, 20, 16, 16, 16)).square().sum().backward()
    untouched = [
        name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()
    ]
    assert untouched == []


def test_channels_follow_the_grids():
    network = MR3DDenseNet(Architecture(grids=(4.0, 8.0), stem_kernel=4, stem_stride=2))
    assert network.features[0][0].in_channels == 8


@pytest.mark.parametrize(
    "architecture",
    [
        *PRESETS.values(),
        Architecture("mine", 4, 2, grids=(4.0, 14.0), kernel="slater", dropout=0.25),
        Architecture("yours", stem_channels=8, units=(2, 1), bottleneck=16, growth=4, dense=False),
    ],
)
def test_architecture_survives_json(architecture):
    rebuilt = Architecture.from_dict(json.loads(json.dumps(architecture.to_dict())))
    assert rebuilt == architecture
    assert hash(rebuilt) == hash(architecture)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": 5}, r"unknown architecture keys: \['depth'\]"),
        ({"kernel": "lorentzian"}, "does not know"),
        ({"stem_kernel": 5}, "does not know"),
        ({"stem_kernel": 3, "stem_stride": 2}, "does not know"),
        ({"stem_stride": 0}, "does not know"),
        ({"grids": ["wide"]}, "does not know"),
        ({"grids": []}, "does not know"),
        ({"grids": 10.0}, "does not know"),
        ({"grids": [float("nan")]}, "does not know"),
        ({"grids": [10.0] * 17}, "does not know"),
        ({"units": []}, "does not know"),
        ({"units": 4}, "does not know"),
        ({"units": [4, 4, 4, 4]}, "does not know"),  # 16, 8, 4, 2: cannot be halved and cropped
        ({"units": [4, 0]}, "does not know"),
        ({"units": [100_000]}, "does not know"),
        ({"stem_channels": 0}, "does not know"),
        ({"bottleneck": 1_000_000}, "does not know"),
        ({"growth": 2.5}, "does not know"),
        ({"growth": "64"}, "does not know"),
        ({"dense": "no"}, "does not know"),
        ({"crop": None}, "does not know"),
        ({"dropout": 1.0}, "does not know"),
        ({"dropout": [0.1]}, "does not know"),
        ({"name": 7}, "does not know"),
    ],
)
def test_architecture_refuses_what_it_does_not_know(change, message):
    with pytest.raises(ValueError, match=message):
        Architecture.from_dict({**Architecture().to_dict(), **change})


#: As it stood in the header of networks before channels, units, crop and dense could differ.
OLD_COMPACT = {
    "name": "compact", "stem_kernel": 4, "stem_stride": 2,
    "grids": [4.0, 6.0, 8.0, 10.0, 14.0], "kernel": "gaussian", "dropout": 0.1,
}  # fmt: skip


def test_architecture_of_an_older_file():
    made = Architecture.from_dict(OLD_COMPACT)
    assert (made.stem_channels, made.units, made.edge) == (64, (4, 4), 2)
    assert (made.bottleneck, made.growth, made.dense, made.crop) == (256, 64, True, True)
    network = MR3DDenseNet(made)
    assert sum(p.numel() for p in network.parameters()) == 1_958_145
    assert shapes_of_all_layers(network, batch=2) == expected_shapes(edge=8)


def test_an_older_file_is_loaded(tmp_path):
    torch.manual_seed(0)
    network = MR3DDenseNet(Architecture.from_dict(OLD_COMPACT)).eval()
    header = {
        "format": 1, "nucleus": "N", "mean": 100.0, "scale": 30.0, "architecture": OLD_COMPACT,
        "orientation": "frames", "validation": {"rmse": 17.0}, "training": {},
    }  # fmt: skip
    path = tmp_path / "compact-N.safetensors"
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    write_tensors(path, tensors, {"shiftcli": json.dumps(header)})
    loaded, metadata = load(path)
    assert metadata.architecture == Architecture.from_dict(OLD_COMPACT)
    assert metadata.calibration == {}
    volume = torch.rand(2, 20, 16, 16, 16)
    with torch.inference_mode():
        assert torch.equal(loaded(volume), network(volume))
