"""The feature network on a part of what it sees."""

from __future__ import annotations

import pytest
import torch

from models.detector.features import FeatureNetwork, Part

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def network() -> FeatureNetwork:
    """One in which every layer counts."""
    torch.manual_seed(0)
    made = FeatureNetwork()
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    assert made.deeper is not None
    assert made.finer is not None
    for layers in (made.context, made.deeper, made.more, made.finer):
        last = layers[-1]
        assert isinstance(last, torch.nn.Conv2d)
        torch.nn.init.normal_(last.weight, 0, 0.1)
    return made


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("part", [Part(80, 80, 300, 200), Part(33, 41, 200, 97), Part(330, 209, 333, 211)])
def test_the_values_of_a_part_are_those_of_the_whole_to_the_bit(
    network: FeatureNetwork, dtype: torch.dtype, part: Part
) -> None:
    folded = network.folded(dtype)
    x = torch.randn(1, 1, 211, 333).to(dtype).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        whole = folded(x)
        assert whole.shape == (1, 211, 333)
        assert torch.equal(folded(x, part), part.of(whole, 1))


@pytest.mark.parametrize("later", ["deeper", "finer"])
def test_weights_from_before_a_part_was_added_are_computed_without_it(network: FeatureNetwork, later: str) -> None:
    state = {name: value for name, value in network.state_dict().items() if not name.startswith(f"{later}.")}
    older = FeatureNetwork()
    older.load_state_dict(state)
    x = torch.randn(1, 1, 96, 96)
    with torch.inference_mode():
        folded = older.folded(torch.float32)
        assert getattr(folded.network, later) is None
        network.eval()
        assert torch.allclose(folded(x), older.eval()(x)[:, 0], atol=1e-3)
        assert not torch.allclose(folded(x), network(x)[:, 0], atol=1e-3)
