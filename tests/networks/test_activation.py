import torch

from segloop.networks.activation import activate


def test_softmax_maps_add_up_to_one_and_sigmoid_maps_stand_alone() -> None:
    logits = torch.zeros(1, 4, 2, 2, dtype=torch.float16)
    softmax, sigmoid = activate(logits, "softmax"), activate(logits, "sigmoid")
    torch.testing.assert_close(softmax, torch.full((1, 4, 2, 2), 0.25))
    torch.testing.assert_close(sigmoid, torch.full((1, 4, 2, 2), 0.5))
