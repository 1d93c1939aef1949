import numpy as np
import pytest

from segloop.core.errors import DatasetError, ModelError
from segloop.targets import LabelFacts, make_target
from segloop.targets.output import CLASSES, LABELS, MASK
from segloop.targets.semantic import SemanticOptions, SemanticParameters, SemanticTarget


def class_labels() -> np.ndarray:
    """Return three classes and background in a plane."""
    labels = np.zeros((1, 12, 12), np.int32)
    labels[0, 1:5, 1:5], labels[0, 1:5, 7:11], labels[0, 7:11, 1:5] = 1, 2, 3
    return labels


def test_binary_labels_come_back_as_mask_and_connected_objects() -> None:
    labels = class_labels()
    target = make_target("semantic")
    decoded = target.decode(target.encode(labels).maps)
    np.testing.assert_array_equal(decoded.mask, labels > 0)
    assert decoded.labels is not None
    assert decoded.labels.max() == 3
    assert decoded.classes is None


def test_classes_come_back() -> None:
    labels = class_labels()
    target = make_target("semantic", {"classes": 4})
    encoded = target.encode(labels)
    assert encoded.maps.shape == (4, 1, 12, 12)
    np.testing.assert_array_equal(encoded.maps.sum(axis=0), 1)
    decoded = target.decode(encoded.maps)
    np.testing.assert_array_equal(decoded.classes, labels)
    assert decoded.labels is None


def test_excluded_pixels_are_invalid_in_every_map() -> None:
    valid = np.ones((1, 12, 12), bool)
    valid[0, 3:6, 3:6] = False
    for classes in (2, 4):
        encoded = make_target("semantic", {"classes": classes}).encode(class_labels(), valid)
        for of_map in encoded.valid:
            np.testing.assert_array_equal(of_map, valid)


def test_an_unknown_class_is_refused_only_where_it_counts() -> None:
    labels = class_labels()
    target = make_target("semantic", {"classes": 3})
    with pytest.raises(DatasetError, match="class 3 but the target has 3 classes"):
        target.encode(labels)
    assert target.encode(labels, labels != 3).maps.shape[0] == 3


def test_threshold_decides_from_which_probability_a_pixel_is_foreground() -> None:
    maps = np.array([0.2, 0.49, 0.5, 0.8], np.float32).reshape(1, 1, 1, 4)
    target = make_target("semantic")
    masks = [target.decode(maps, SemanticParameters(foreground=value)).mask for value in (0.1, 0.5, 0.7, 1.0)]
    assert [int(mask.sum()) for mask in masks if mask is not None] == [4, 2, 1, 0]


def test_small_parts_are_removed_from_mask_and_classes() -> None:
    labels = class_labels()
    labels[0, 10, 10] = 1
    binary, classes = make_target("semantic"), make_target("semantic", {"classes": 4})
    thresholds = SemanticParameters(min_size=2)
    mask = binary.decode(binary.encode(labels).maps, thresholds).mask
    found = classes.decode(classes.encode(labels).maps, thresholds).classes
    assert mask is not None
    assert found is not None
    assert (mask[0, 10, 10], found[0, 10, 10]) == (0, 0)
    assert found.sum() == labels.sum() - 1


def test_objects_connect_across_slices_only_in_volumes() -> None:
    maps = np.ones((1, 2, 4, 4), np.float32)
    counts = [make_target("semantic", dims=dims).decode(maps).labels for dims in (2, 3)]
    assert [int(labels.max()) for labels in counts if labels is not None] == [2, 1]


def test_outputs_and_activation_follow_from_the_number_of_classes() -> None:
    binary, classes = make_target("semantic"), make_target("semantic", {"classes": 3})
    assert (binary.outputs[0], binary.activation) == (MASK, "sigmoid")
    assert (classes.outputs[0], classes.activation) == (CLASSES, "softmax")
    assert LABELS not in classes.outputs


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(ModelError, match="no target 'sorcery'"):
        make_target("sorcery")


def resolved(values: set[int], kind: str = "semantic", classes: int = 0) -> int:
    labels = LabelFacts(kind, "data", lambda: values)
    return SemanticTarget.resolve_options(SemanticOptions(classes=classes), labels)[0].classes


@pytest.mark.parametrize(("values", "classes"), [(set(), 2), ({1}, 2), ({255}, 2), ({1, 2}, 3), ({1, 3}, 4)])
def test_one_value_besides_background_is_foreground(values: set[int], classes: int) -> None:
    assert resolved(values) == classes


def test_numbered_objects_are_one_foreground() -> None:
    assert resolved({1, 2, 3}, "instances") == 2


def test_a_chosen_number_of_classes_is_kept() -> None:
    assert resolved({1, 2, 3}, classes=8) == 8


def test_object_numbers_are_refused_as_classes() -> None:
    with pytest.raises(
        DatasetError, match=r"go up to 300, too many for classes .* choose the instance target"
    ):
        resolved(set(range(1, 301)))
