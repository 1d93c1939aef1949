"""A network kept as ONNX: the same outputs as onnxruntime gives, whatever sizes and axes it takes."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from segloop.core.errors import ModelError
from segloop.networks import NetworkSpec, build_network
from segloop.networks.onnx_network import apply_steps, windows

pytest.importorskip("onnxruntime", reason='needs the packages of the extra "zoo"')
onnx: Any = pytest.importorskip("onnx", reason='needs the packages of the extra "zoo"')

WEIGHTS = np.random.default_rng(3).normal(0, 1, (2, 1, 5, 5)).astype(np.float32)


def graph(
    *nodes: Any, shape: Any = (1, 1, "y", "x"), out: Any = (1, 2, "y", "x"), domain: str = "", **opsets: int
) -> bytes:
    """Return an ONNX file with these steps, by default one convolution."""
    helper = onnx.helper
    steps = nodes or (helper.make_node("Conv", ["input", "weights"], ["output"], pads=[2, 2, 2, 2]),)
    tensors = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sizes)
        for name, sizes in (("input", shape), ("output", out))
    ]
    made = helper.make_graph(
        steps, "made", tensors[:1], tensors[1:], [onnx.numpy_helper.from_array(WEIGHTS, "weights")]
    )
    imports = [helper.make_opsetid("", 17), *(helper.make_opsetid(key, 1) for key in opsets)]
    content: bytes = helper.make_model(made, opset_imports=imports, ir_version=8).SerializeToString()
    return content


def network(content: bytes, **arguments: Any) -> Any:
    """Return the network of a file; by default with logits of which the second is the foreground."""
    kwargs = {
        "size": len(content),
        "input_axes": "bcyx",
        "output_axes": "bcyx",
        "minimum": [8, 8],
        "step": [4, 4],
        "halo": [0, 0],
        "before": [],
        "after": [["sigmoid"]],
        "outputs": 2,
        "maps": [[1]],
    } | arguments
    maps = len(kwargs["maps"]) or kwargs["outputs"]
    made = build_network(NetworkSpec("onnx", 2, 1, maps, kwargs))
    made.load_state_dict({"file": torch.frombuffer(bytearray(content), dtype=torch.uint8)})
    return made.eval()


def expected(image: np.ndarray) -> np.ndarray:
    """Return the convolution (N, 2, Y, X) of images (N, 1, Y, X), by torch."""
    return torch.nn.functional.conv2d(torch.from_numpy(image), torch.from_numpy(WEIGHTS), padding=2).numpy()


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).normal(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(1, 1, 24, 40), (3, 1, 8, 12)])
def test_outputs_are_those_of_the_file(shape: tuple[int, ...]) -> None:
    made, given = network(graph()), image(*shape)
    np.testing.assert_allclose(made.raw(torch.from_numpy(given)).numpy(), expected(given), atol=1e-4)

    logits = made(torch.from_numpy(given))
    probabilities = torch.sigmoid(torch.from_numpy(expected(given)[:, 1:]))
    assert (made.stride, made.halo) == ((4, 4), None)
    np.testing.assert_allclose(torch.sigmoid(logits).numpy(), probabilities.numpy(), atol=2e-4)


def test_each_output_can_be_a_class() -> None:
    given = image(1, 1, 16, 16)
    made = network(graph(), after=[["softmax"]], maps=[])
    np.testing.assert_allclose(
        made(torch.from_numpy(given)).softmax(dim=1).numpy(),
        torch.from_numpy(expected(given)).softmax(dim=1).numpy(),
        atol=3e-4,
    )


def test_outputs_can_be_subtracted() -> None:
    given = image(1, 1, 16, 16)
    made = network(graph(), maps=[[0], [0, 1]])
    first, second = torch.from_numpy(expected(given))[0].sigmoid()
    np.testing.assert_allclose(
        made(torch.from_numpy(given))[0].sigmoid().numpy(),
        torch.stack([first, (first - second).clamp(0, 1)]).numpy(),
        atol=2e-4,
    )


def test_an_image_that_is_too_small_is_mirrored_and_one_that_is_too_large_is_cut() -> None:
    content = graph(shape=(1, 1, 32, 32), out=(1, 2, 32, 32))
    made = network(content, minimum=[32, 32], step=[0, 0], halo=[2, 2])
    assert (made.stride, made.halo) == ((1, 1), (2, 2))

    large = image(1, 1, 75, 32)
    np.testing.assert_allclose(made.raw(torch.from_numpy(large)).numpy(), expected(large), atol=1e-4)
    small = image(1, 1, 20, 90)
    mirrored = np.pad(small, [(0, 0), (0, 0), (0, 12), (0, 0)], mode="reflect")
    np.testing.assert_allclose(
        made.raw(torch.from_numpy(small)).numpy(), expected(mirrored)[:, :, :20], atol=1e-4
    )


def test_axes_may_have_any_order_and_channels_may_be_left_out() -> None:
    flat = onnx.helper.make_node("Transpose", ["input"], ["output"], perm=[1, 2, 0])
    content = graph(flat, shape=(1, "x", "y"), out=("x", "y", 1))
    made = network(content, input_axes="bxy", output_axes="xyc", outputs=1, maps=[[0]], after=[])
    given = image(1, 1, 8, 12)
    np.testing.assert_array_equal(made.raw(torch.from_numpy(given)).numpy(), given)


def test_a_copy_and_its_memory() -> None:
    made = network(graph())
    assert made.bytes_per_pixel == 2 * 4  # two maps of 32 bits
    again = copy.deepcopy(made)
    given = torch.from_numpy(image(1, 1, 8, 8))
    assert torch.equal(again(given), made(given))


def test_windows_cover_an_axis_and_overlap() -> None:
    for size in range(32, 200):
        parts = windows(size, 32, 5)
        assert [part.write.start for part in parts] == [0, *(part.write.stop for part in parts[:-1])]
        assert parts[-1].write.stop == size
        for part in parts:
            assert 0 <= part.start <= size - 32
            assert part.start == 0 or part.write.start - part.start >= 5
            assert part.start == size - 32 or part.start + 32 - part.write.stop >= 5


def test_steps() -> None:
    values = torch.tensor([[[-2.0, 0.5]], [[1.0, 3.0]]]).transpose(0, 1)  # (1, 2, 2)
    assert apply_steps(values, [["linear", [2.0, 3.0], 1.0]]).tolist() == [[[-3.0, 2.0], [4.0, 10.0]]]
    assert apply_steps(values, [["clip", None, 1.0], ["clip", 0.0, None]]).tolist() == [[[0, 0.5], [1, 1]]]
    assert torch.equal(apply_steps(values, [["sigmoid"]]), values.sigmoid())
    assert torch.equal(apply_steps(values, [["softmax"]]), values.softmax(dim=1))
    with pytest.raises(ModelError, match="no step 'eval'"):
        apply_steps(values, [["eval", "1"]])


def external() -> bytes:
    model = onnx.load_from_string(graph())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    content: bytes = model.SerializeToString()
    return content


def hidden_external() -> bytes:
    """Return a file that names another one in a branch of a step."""
    tensor = onnx.load_from_string(external()).graph.initializer[0]
    constant = onnx.helper.make_node("Constant", [], ["there"], value=tensor)
    branch = onnx.helper.make_graph([constant], "branch", [], [])
    return graph(onnx.helper.make_node("If", ["input"], ["output"], then_branch=branch, else_branch=branch))


def endless() -> bytes:
    body = onnx.helper.make_graph([], "body", [], [])
    return graph(onnx.helper.make_node("Loop", ["", ""], ["output"], body=body))


def bomb() -> bytes:
    size = onnx.helper.make_tensor("size", onnx.TensorProto.INT64, [3], [1 << 20, 1 << 20, 1 << 10])
    nodes = [
        onnx.helper.make_node("Constant", [], ["shape"], value=size),
        onnx.helper.make_node("ConstantOfShape", ["shape"], ["huge"]),
        onnx.helper.make_node("ReduceMax", ["huge"], ["highest"], keepdims=0),
        onnx.helper.make_node("Add", ["input", "highest"], ["output"]),
    ]
    return graph(*nodes)


def two_outputs() -> bytes:
    model = onnx.load_from_string(graph())
    model.graph.output.append(model.graph.output[0])
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: b"\x80\x04K\x01.", "can't be read"),
        (external, "keeps its weights in other files"),
        (hidden_external, "keeps its weights in other files"),
        (endless, "the step Loop, which could run without end"),
        (bomb, "more memory than any genuine one"),
        (two_outputs, "has 1 inputs and 2 outputs"),
        (
            lambda: graph(onnx.helper.make_node("Run", ["input"], ["output"], domain="my.own")),
            r"the step my\.own\.Run, which is not standard ONNX",
        ),
        (lambda: graph(my_own=1), "steps that are not standard ONNX"),
        (lambda: graph(onnx.helper.make_node("Fly", ["input"], ["output"])), "can't be used .*Fly"),
        (lambda: graph(out=(1, 2, "y", "x"))[:200], "can't be"),
    ],
)
def test_a_harmful_or_damaged_file_is_refused(make: Any, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        network(make())(torch.zeros(1, 1, 16, 16))


def test_maps_of_another_size_are_refused() -> None:
    smaller = onnx.helper.make_node("Conv", ["input", "weights"], ["output"])
    with pytest.raises(ModelError, match="but it should give 2 maps of the size of the image"):
        network(graph(smaller, out=(1, 2, "v", "u")))(torch.zeros(1, 1, 16, 16))


@pytest.mark.parametrize(
    "wrong",
    [
        {"minimum": [8]},
        {"step": [-1, 4]},
        {"halo": [4, 4], "step": [0, 0]},
        {"input_axes": "bcyy"},
        {"output_axes": "bczx"},
        {"maps": [[2]]},
        {"maps": [[]]},
        {"callable": "os.system"},
    ],
)
def test_a_description_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="contradicts itself"):
        network(graph(), **wrong)
