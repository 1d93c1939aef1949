import weakref
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from torch import nn

from segloop.core.context import Context, Progress
from segloop.core.errors import Cancelled, ModelError
from segloop.inference.engine import Engine
from segloop.networks import NetworkSpec
from segloop.targets import make_target, quantise

MakeNetwork = Callable[..., nn.Module]
THIN_VOLUMES = {
    "filters": [4, 6, 8],
    "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
    "kernels": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
}


def scaled(image: np.ndarray) -> np.ndarray:
    """Return a (C, Z, Y, X) float32 image between about 0 and 1."""
    low, high = np.percentile(image, (1, 99.8))
    return ((image - low) / (high - low)).astype(np.float32)


@pytest.fixture(scope="module")
def plane(sample_nuclei: Path) -> np.ndarray:
    """Return a real image (1, 1, 181, 203): odd sizes, larger than two halos."""
    return scaled(tifffile.imread(sample_nuclei / "raw" / "000.tif")[None, None, :181, :203])


def assemble(engine: Engine, image: np.ndarray, tile: tuple[int, ...] | None) -> np.ndarray:
    whole = np.full((len(engine.target.maps), *image.shape[1:]), np.nan, np.float32)
    for where, maps in engine.run(lambda at: image[(slice(None), *at)], image.shape[1:], tile_size=tile):
        assert np.isnan(whole[(slice(None), *where)]).all()
        whole[(slice(None), *where)] = maps
    assert not np.isnan(whole).any()
    return whole


def assert_same(tiled: np.ndarray, reference: np.ndarray) -> None:
    np.testing.assert_allclose(tiled, reference, atol=1e-5)
    counts = quantise(tiled).astype(int) - quantise(reference)
    assert np.abs(counts).max() <= 1


@pytest.mark.parametrize("tile", [(32, 24), (64, 40), (97, 120), (500, 500), None])
def test_tiles_of_any_size_give_the_reference_in_planes(
    tile: tuple[int, ...] | None, plane: np.ndarray, make_network: MakeNetwork
) -> None:
    engine = Engine(make_network(), make_target("instance"))
    reference = engine.run_whole(plane)
    assert np.ptp(reference) > 0.2
    assert_same(assemble(engine, plane, tile), reference)


@pytest.mark.parametrize("tile", [(8, 24, 24), (10, 40, 24), (32, 64, 64)])
def test_tiles_of_any_size_give_the_reference_in_volumes(
    tile: tuple[int, ...], test_data: Path, stir: Callable[[NetworkSpec], nn.Module]
) -> None:
    (file,) = (test_data / "nuclei3d_embryo" / "train" / "raw").glob("*.tif")
    volume = scaled(tifffile.imread(file)[None, 10:33, :61, 20:95])
    engine = Engine(stir(NetworkSpec("unet", 3, 1, 2, THIN_VOLUMES)), make_target("instance", dims=3))
    reference = engine.run_whole(volume)
    assert np.ptp(reference) > 0.2
    assert_same(assemble(engine, volume, tile), reference)


def test_the_reference_is_a_plain_forward_pass_where_no_padding_is_needed(
    plane: np.ndarray, make_network: MakeNetwork
) -> None:
    network = make_network()
    image = plane[..., :176, :200]
    with torch.inference_mode():
        expected = torch.sigmoid(network(torch.from_numpy(image[:, 0])[None]))[0].numpy()
    maps = Engine(network, make_target("instance")).run_whole(image)
    np.testing.assert_allclose(maps[:, 0], expected, atol=1e-4)


def test_a_stack_is_taken_slice_by_slice_in_two_dimensions(
    plane: np.ndarray, make_network: MakeNetwork
) -> None:
    engine = Engine(make_network(), make_target("instance"))
    stack = np.concatenate([plane, plane[:, :, ::-1]], axis=1)
    maps = assemble(engine, stack, (96, 96))
    assert_same(maps[:, 1:], engine.run_whole(stack[:, 1:]))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 3), (1, 8, 300), (1, 2, 9)])
def test_images_smaller_than_the_stride_work(shape: tuple[int, ...], make_network: MakeNetwork) -> None:
    image = np.random.default_rng(0).random((1, *shape)).astype(np.float32)
    engine = Engine(make_network(), make_target("instance"))
    assert_same(assemble(engine, image, (16, 16)), engine.run_whole(image))


def test_classes_and_several_channels_work(plane: np.ndarray, make_network: MakeNetwork) -> None:
    engine = Engine(make_network(channels=2, maps=3), make_target("semantic", {"classes": 3}))
    image = np.concatenate([plane, 1 - plane])
    maps = assemble(engine, image, (64, 64))
    np.testing.assert_allclose(maps.sum(axis=0), 1, atol=1e-4)
    assert_same(maps, engine.run_whole(image))


def test_quantised_maps_are_those_of_the_pieces(plane: np.ndarray, make_network: MakeNetwork) -> None:
    engine = Engine(make_network(), make_target("instance"))
    maps = engine.maps(lambda at: plane[(slice(None), *at)], plane.shape[1:], tile_size=(96, 96))
    np.testing.assert_array_equal(maps, quantise(assemble(engine, plane, (96, 96))))


def test_networks_of_unknown_halo_are_blended_without_seams(
    plane: np.ndarray, stir: Callable[[NetworkSpec], nn.Module]
) -> None:
    engine = Engine(stir(NetworkSpec("monai.BasicUNet", 2, 1, 2)), make_target("instance"))
    reference = engine.run_whole(plane)
    np.testing.assert_allclose(assemble(engine, plane, (500, 500)), reference, atol=1e-4)
    tiled = assemble(engine, plane, (96, 96))
    assert 0 < np.abs(tiled - reference).mean() < 0.02


def test_blocks_are_read_lazily_and_bounded_by_the_tile_and_its_halo(
    plane: np.ndarray, make_network: MakeNetwork
) -> None:
    engine = Engine(make_network(), make_target("instance"))
    sizes = []

    def read(at: tuple[slice, ...]) -> np.ndarray:
        sizes.append([part.stop - part.start for part in at])
        return plane[(slice(None), *at)]

    pieces = engine.run(read, plane.shape[1:], tile_size=(32, 32))
    next(pieces)
    # The first, and the next one while the first was computed.
    assert len(sizes) <= 2
    pieces.close()
    assert max(max(size) for size in sizes) <= 32 + 2 * 48


def test_cancel_ends_a_forward_pass_before_its_end(plane: np.ndarray, make_network: MakeNetwork) -> None:
    network = make_network()
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 5

    engine = Engine(network, make_target("instance"))
    with pytest.raises(Cancelled):
        list(
            engine.run(
                lambda at: plane[(slice(None), *at)],
                plane.shape[1:],
                tile_size=(500, 500),
                context=Context(cancelled=cancelled),
            )
        )
    # No layer after the one at which the user asked.
    assert asked == 6


def test_progress_grows_to_the_whole_image(plane: np.ndarray, make_network: MakeNetwork) -> None:
    seen: list[Progress] = []
    engine = Engine(make_network(), make_target("instance"))
    engine.maps(
        lambda at: plane[(slice(None), *at)],
        plane.shape[1:],
        tile_size=(64, 64),
        context=Context(report=seen.append),
    )
    fractions = [progress.fraction for progress in seen]
    assert fractions[-1] == 1
    assert all(first <= second for first, second in pairwise(fractions))


class Memory:
    """What a small device can hold: a block of so many pixels. Copies of a network share it."""

    def __init__(self, most: int, message: str = "") -> None:
        self.most, self.message = most, message
        self.blocks: list[int] = []
        self.failed: list[weakref.ref[torch.Tensor]] = []

    def __deepcopy__(self, _: object) -> "Memory":
        return self

    def hold(self, inputs: torch.Tensor) -> None:
        pixels = inputs[0, 0].numel()
        self.blocks.append(pixels)
        # What an earlier pass left behind would make each further one smaller.
        assert all(left() is None for left in self.failed)
        if pixels > self.most:
            self.failed.append(weakref.ref(inputs))
            raise RuntimeError(self.message) if self.message else torch.OutOfMemoryError("CUDA out of memory")


class OnSmallDevice(nn.Module):
    """A network on a device of little memory."""

    def __init__(self, network: nn.Module, memory: Memory) -> None:
        super().__init__()
        self.network, self.memory = network, memory
        self.stride, self.halo, self.in_channels = network.stride, network.halo, network.in_channels

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if not inputs.is_meta:
            self.memory.hold(inputs)
        maps: torch.Tensor = self.network(inputs)
        return maps


def on_small_device(network: nn.Module, memory: Memory, dims: int = 2) -> Engine:
    return Engine(OnSmallDevice(network, memory), make_target("instance", dims=dims))


@pytest.mark.parametrize(
    "message",
    ["", "MPS backend out of memory (MPS allocated: 5 GB)", "DefaultCPUAllocator: can't allocate memory"],
)
def test_tiles_that_do_not_fit_are_halved_without_changing_the_result(
    message: str, plane: np.ndarray, make_network: MakeNetwork
) -> None:
    network, memory = make_network(), Memory(20_000, message)
    reference = Engine(network, make_target("instance")).run_whole(plane)
    assert_same(assemble(on_small_device(network, memory), plane, None), reference)
    assert 1 <= len(memory.failed) < 6


@pytest.mark.parametrize("name", ["unet", "monai.BasicUNet"])
def test_what_did_not_fit_is_not_tried_again_with_the_next_image(
    name: str,
    plane: np.ndarray,
    make_network: MakeNetwork,
    stir: Callable[[NetworkSpec], nn.Module],
) -> None:
    network = make_network() if name == "unet" else stir(NetworkSpec(name, 2, 1, 2))
    memory = Memory(20_000)
    engine = on_small_device(network, memory)
    first = assemble(engine, plane, None)
    failed = len(memory.failed)
    assert_same(assemble(engine, plane, None), first)
    assemble(engine, plane.swapaxes(2, 3), None)
    assemble(engine, np.tile(plane, (1, 1, 2, 1)), None)
    assert len(memory.failed) == failed > 0

    engine.forget_limits()
    assemble(engine, plane, None)
    assert len(memory.failed) == 2 * failed


def test_only_what_is_not_done_is_computed_again(plane: np.ndarray, make_network: MakeNetwork) -> None:
    network, memory = make_network(), Memory(10**9)
    stack = np.concatenate([plane] * 4, axis=1)
    reference = Engine(network, make_target("instance")).run_whole(stack)
    engine = on_small_device(network, memory)
    seen: list[Progress] = []
    whole = np.full_like(reference, np.nan)
    pieces = engine.run(
        lambda at: stack[(slice(None), *at)], stack.shape[1:], context=Context(report=seen.append)
    )
    for number, (where, maps) in enumerate(pieces):
        assert np.isnan(whole[(slice(None), *where)]).all()
        whole[(slice(None), *where)] = maps
        if number == 1:
            memory.most = 20_000
    assert_same(whole, reference)
    assert memory.blocks[:3] == [184 * 208] * 3
    assert all(pixels < 184 * 208 for pixels in memory.blocks[3:])
    assert all(progress.fraction >= 0.5 for progress in seen if progress.done > 2 * plane.size)
    assert seen[-1].fraction == 1


def test_volumes_that_do_not_fit_are_halved(
    test_data: Path, stir: Callable[[NetworkSpec], nn.Module]
) -> None:
    (file,) = (test_data / "nuclei3d_embryo" / "train" / "raw").glob("*.tif")
    volume = scaled(tifffile.imread(file)[None, 10:33, :61, 20:95])
    network, memory = stir(NetworkSpec("unet", 3, 1, 2, THIN_VOLUMES)), Memory(80_000)
    reference = Engine(network, make_target("instance", dims=3)).run_whole(volume)
    assert_same(assemble(on_small_device(network, memory, 3), volume, None), reference)
    assert len(memory.blocks) > 2


def test_blended_tiles_that_do_not_fit_are_halved_without_seams(
    plane: np.ndarray, stir: Callable[[NetworkSpec], nn.Module]
) -> None:
    network, memory = stir(NetworkSpec("monai.BasicUNet", 2, 1, 2)), Memory(20_000)
    reference = Engine(network, make_target("instance")).run_whole(plane)
    tiled = assemble(on_small_device(network, memory), plane, None)
    assert 0 < np.abs(tiled - reference).mean() < 0.02
    jumps = np.abs(np.diff(tiled - reference, axis=-1)).max(axis=(0, 1, 2))
    assert jumps.max() < 0.2


def test_a_device_too_small_for_any_tile_is_named(plane: np.ndarray, make_network: MakeNetwork) -> None:
    memory = Memory(100)
    with pytest.raises(ModelError, match=r"Even a block of \d+ x \d+ pixels does not fit into memory: close"):
        assemble(on_small_device(make_network(), memory), plane, None)
    assert 1 < len(memory.blocks) < 20


def test_a_tile_size_that_was_chosen_is_not_changed(plane: np.ndarray, make_network: MakeNetwork) -> None:
    memory = Memory(10_000)
    with pytest.raises(ModelError, match="does not fit into memory: choose a smaller tile size"):
        assemble(on_small_device(make_network(), memory), plane, (64, 64))
    assert len(memory.blocks) == 1


def test_other_errors_of_the_network_are_not_taken_for_a_lack_of_memory(
    plane: np.ndarray, make_network: MakeNetwork
) -> None:
    memory = Memory(100, "mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="mat1"):
        assemble(on_small_device(make_network(), memory), plane, None)
    assert len(memory.blocks) == 1


def test_a_model_of_damaged_weights_is_refused(plane: np.ndarray, make_network: MakeNetwork) -> None:
    network = make_network()
    next(iter(network.parameters())).data[:] = np.nan
    with pytest.raises(ModelError, match="are not finite: its weights are damaged"):
        assemble(Engine(network, make_target("instance")), plane, None)


def test_an_error_in_reading_reaches_the_caller(make_network: MakeNetwork) -> None:
    def read(_: tuple[slice, ...]) -> np.ndarray:
        raise OSError("disk on fire")

    engine = Engine(make_network(), make_target("instance"))
    with pytest.raises(OSError, match="disk on fire"):
        list(engine.run(read, (1, 64, 64)))


def test_an_image_of_other_channels_is_refused(plane: np.ndarray, make_network: MakeNetwork) -> None:
    engine = Engine(make_network(channels=2), make_target("instance"))
    with pytest.raises(ModelError, match="has 1 channels, but the model expects 2"):
        engine.run_whole(plane)


def test_a_tile_size_of_other_dimensions_is_refused(make_network: MakeNetwork) -> None:
    engine = Engine(make_network(), make_target("instance"))
    with pytest.raises(ModelError, match="give Y and X"):
        list(engine.run(lambda at: np.zeros((1, 1, 1, 1), np.float32), (1, 64, 64), tile_size=(32,)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("mixed", [False, True])
def test_tiles_give_the_reference_on_the_gpu(
    mixed: bool, plane: np.ndarray, make_network: MakeNetwork
) -> None:
    engine = Engine(make_network(), make_target("instance"), "cuda", mixed)
    reference = engine.run_whole(plane)
    for tile in ((64, 40), (97, 120)):
        np.testing.assert_allclose(assemble(engine, plane, tile), reference, atol=1e-2 if mixed else 2e-3)


class OverflowsIn16Bit(nn.Module):
    """The difference of two large values that are the same: 0 in 32 bit, no number in 16."""

    stride, halo, in_channels = (1, 1), (0, 0), 1

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Conv2d(1, 2, 1, bias=False), nn.Conv2d(2, 2, 1, bias=False)
        self.up.weight.data[:] = 1e6
        self.down.weight.data[:, 0], self.down.weight.data[:, 1] = 1, -1

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        maps: torch.Tensor = self.down(self.up(inputs))
        return maps


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_what_overflows_in_16_bit_is_computed_in_32(plane: np.ndarray) -> None:
    engine = Engine(OverflowsIn16Bit(), make_target("instance"), "cuda", mixed=True)
    np.testing.assert_array_equal(assemble(engine, plane, None), 0.5)
