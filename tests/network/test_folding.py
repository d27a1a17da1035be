"""The form of a network that predicts says what the network says."""

import pytest
import torch

from shiftcli.density.orientations import MIRROR_Y, apply_octahedral
from shiftcli.network import folding
from shiftcli.network.checkpoint import Metadata, load, load_folded, save
from shiftcli.network.densenet import PRESETS, Architecture, MR3DDenseNet
from shiftcli.network.folding import FoldedNet, with_mirror_images

CPU = torch.device("cpu")


def trained(architecture: Architecture) -> MR3DDenseNet:
    """A network whose normalisations are not the initial ones, as after training."""
    torch.manual_seed(0)
    network = MR3DDenseNet(architecture)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm3d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
            torch.nn.init.uniform_(module.weight, -2.0, 2.0)
            torch.nn.init.normal_(module.bias)
    return network.eval()


def volumes(architecture: Architecture, count: int = 2) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.rand(count, 4 * len(architecture.grids), 16, 16, 16)


@pytest.mark.parametrize("preset", PRESETS)
@torch.inference_mode()
def test_agrees_within_the_rounding_of_float32(preset):
    network, volume = trained(PRESETS[preset]), volumes(PRESETS[preset], 1)
    expected, got = network(volume), FoldedNet(network, CPU)(volume)
    assert got.shape == expected.shape == (1,)
    torch.testing.assert_close(got, expected, rtol=5e-5, atol=5e-5)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
@torch.inference_mode()
def test_is_no_farther_from_float64_than_the_network(layout):
    network, volume = trained(PRESETS["compact"]), volumes(PRESETS["compact"], 4)
    folded = FoldedNet(network, CPU)(volume.contiguous(memory_format=layout))
    plain, exact = network(volume), network.double()(volume.double())
    worst = (plain - exact).abs().max()
    assert (folded - exact).abs().max() < 5 * worst < 1e-3 * exact.abs().max()


@torch.inference_mode()
def test_hidden_is_what_the_last_layer_sees():
    network, volume = trained(PRESETS["compact"]), volumes(PRESETS["compact"])
    expected = network.head[:-1](network.features(volume).flatten(1))
    torch.testing.assert_close(FoldedNet(network, CPU).hidden(volume), expected)


@torch.inference_mode()
def test_mirror_images_are_those_of_the_densities():
    network, volume = trained(PRESETS["compact"]), volumes(PRESETS["compact"], 3)
    volume = volume * torch.linspace(0.0, 1.0, 16)[:, None]  # along y
    folded = FoldedNet(network, CPU)
    expected = torch.stack([network(volume), network(apply_octahedral(volume, MIRROR_Y))])
    got = with_mirror_images([folded, folded], volume)
    assert (expected[0] - expected[1]).abs().min() > 1e-3 * expected.abs().max()
    assert torch.equal(got[0], got[1])
    torch.testing.assert_close(got[0], expected, rtol=5e-5, atol=5e-5)


@torch.inference_mode()
def test_networks_of_several_architectures_see_the_same_densities():
    networks = [FoldedNet(trained(PRESETS[name]), CPU) for name in ("medium", "compact")]
    volume = volumes(PRESETS["compact"])
    both = with_mirror_images(networks, volume)
    for got, network in zip(both, networks, strict=True):
        assert torch.equal(got, with_mirror_images([network], volume)[0])
        torch.testing.assert_close(got[0], network(volume))
        torch.testing.assert_close(got[1], network(apply_octahedral(volume, MIRROR_Y)))


@torch.inference_mode()
def test_another_architecture():
    odd = Architecture(stem_kernel=4, stem_stride=4, stem_channels=24, units=(3,), bottleneck=40,
                       growth=8, grids=(4.0, 14.0), dense=True, crop=False)  # fmt: skip
    network, volume = trained(odd), volumes(odd, 3)
    torch.testing.assert_close(FoldedNet(network, CPU)(volume), network(volume))


@torch.inference_mode()
def test_convolutions_of_small_maps_as_products_of_polynomials():
    torch.manual_seed(2)
    weight, bias, maps = torch.randn(5, 3, 3, 3, 3), torch.randn(5), torch.randn(7, 3, 4, 4, 4)
    expected = torch.nn.functional.conv3d(maps.double(), weight.double(), bias.double(), padding=1)
    rows = maps.permute(2, 3, 4, 0, 1).flatten(0, 3)
    got = folding._products(weight, bias)(rows, 7).view(4, 4, 4, 7, 5).permute(3, 4, 0, 1, 2)
    torch.testing.assert_close(got.double(), expected.relu(), rtol=0, atol=2e-4)


@torch.inference_mode()
def test_bfloat16_is_as_near_as_autocast():
    network, volume = trained(PRESETS["compact"]), volumes(PRESETS["compact"], 8)
    exact = network.double()(volume.double())
    network.float()
    with torch.autocast("cpu", torch.bfloat16):
        cast = network(volume.bfloat16()).double()
    folded = FoldedNet(network, CPU, torch.bfloat16)(volume.bfloat16())
    assert folded.dtype == torch.bfloat16
    assert (folded.double() - exact).abs().mean() < 2 * (cast - exact).abs().mean()


def test_networks_loaded_one_after_the_other_do_not_share_their_weights(tmp_path):
    metadata = Metadata("C", 100.0, 10.0, PRESETS["compact"], "frames")
    volume = volumes(PRESETS["compact"])
    for name, seed in (("one", 3), ("two", 4)):
        torch.manual_seed(seed)
        save(tmp_path / name, MR3DDenseNet(PRESETS["compact"]), metadata)
    loaded = [load_folded(tmp_path / name, CPU)[0] for name in ("one", "two")]
    with torch.inference_mode():
        for name, folded in zip(("one", "two"), loaded, strict=True):
            network, read = load(tmp_path / name)
            assert read == metadata
            torch.testing.assert_close(folded(volume), network(volume))


def test_what_becomes_of_the_network_does_not_matter():
    network, volume = trained(PRESETS["compact"]), volumes(PRESETS["compact"])
    folded = FoldedNet(network, CPU)
    with torch.inference_mode():
        before = folded(volume)
        for parameter in network.parameters():
            parameter.zero_()
        assert torch.equal(folded(volume), before)
