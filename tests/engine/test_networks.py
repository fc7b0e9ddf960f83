"""The compact network and its head: shapes, what they depend on, the head's formula in numbers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.networks.attention import attend, forward_differentiable
from engine.networks.compact import CompactConfig, CompactUNet
from engine.networks.head import CompactHead, CompactHeadConfig, mixed_convolution, mixed_derivative
from tests.engine.tiny_model import tiny_card, tiny_states


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tiny_network(**changes: object) -> CompactUNet:
    card = tiny_card()
    network = CompactUNet(CompactConfig(**{**card.network.config, **changes})).eval()
    if not changes:
        network.load_state_dict(tiny_states(card)[0])
    return network


def test_mixed_derivative_is_the_published_mixture() -> None:
    h = torch.tensor([5.0, 7.0, 11.0]).reshape(1, 3, 1, 1)
    # gamma = 2: -5/2 + 7 * 2/5 + 11 / (2 * 5) = -2.5 + 2.8 + 1.1
    assert mixed_derivative(h, 2.0).item() == pytest.approx(1.4)
    # gamma = 1/2: -10 + 7 * 0.4 + 11 / (0.5 * 1.25) = -10 + 2.8 + 17.6
    assert mixed_derivative(h, 0.5).item() == pytest.approx(10.4)


def test_mixed_derivative_takes_whole_images_apart_in_order() -> None:
    h = torch.arange(2 * 6 * 2 * 2, dtype=torch.float64).reshape(2, 6, 2, 2)
    gamma = torch.tensor([2.0, 0.5], dtype=torch.float64).reshape(2, 1, 1, 1)
    k = mixed_derivative(h, gamma)
    assert k.shape == (2, 2, 2, 2)
    for b, g in ((0, 2.0), (1, 0.5)):
        expected = -h[b, 0:2] / g + h[b, 2:4] * g / (1 + g * g) + h[b, 4:6] / (g * (1 + g * g))
        torch.testing.assert_close(k[b], expected)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("blocks", [1, 2])
def test_shapes_follow_the_configuration(channels: int, blocks: int) -> None:
    config = CompactConfig(
        image_size=16, channels=channels, classes=4, widths=(16, 32), blocks=blocks, embedding=24
    )
    head = CompactHead(CompactHeadConfig(channels=channels, features=16, embedding=24, width=8))
    with torch.no_grad():
        x = randn(3, channels, 16, 16)
        out, features, embedding = CompactUNet(config)(x, randn(3), torch.tensor([0, 3, 4]))
        k = head(x, out, features, embedding, 0.5)
    assert out.shape == x.shape
    assert features.shape == (3, 16, 8, 8)
    assert embedding.shape == (3, 24)
    assert k.shape == (3, channels, 16, 16)


def test_a_new_network_and_a_new_head_say_zero() -> None:
    """Both begin at the trivial prediction; training starts from there."""
    network, head = tiny_network(widths=(16, 32)), CompactHead(CompactHeadConfig(1, 2, 16, 16, 8))
    with torch.no_grad():
        x = randn(2, 1, 8, 8)
        out, features, embedding = network(x, torch.zeros(2), torch.tensor([0, 1]))
        assert out.abs().max() == 0.0
        assert head(x, out, features, embedding, 2.0).abs().max() == 0.0


def test_the_output_depends_on_image_noise_level_and_label() -> None:
    network = tiny_network()
    x, level, label = randn(1, 1, 8, 8), torch.tensor([0.3]), torch.tensor([1])
    with torch.no_grad():
        plain = network(x, level, label)[0]
        for other in (
            network(randn(1, 1, 8, 8, seed=1), level, label),
            network(x, torch.tensor([0.5]), label),
            network(x, level, torch.tensor([2])),
            network(x, level, torch.tensor([3])),  # the null label
        ):
            assert (other[0] - plain).abs().mean() > 1e-3


def test_images_of_a_batch_do_not_see_each_other() -> None:
    network = tiny_network()
    x, level, label = randn(3, 1, 8, 8), randn(3, seed=1), torch.tensor([0, 1, 3])
    with torch.no_grad():
        together = network(x, level, label)
        for i in range(3):
            alone = network(x[i : i + 1], level[i : i + 1], label[i : i + 1])
            for one, all_of_them in zip(alone, together, strict=True):
                torch.testing.assert_close(one[0], all_of_them[i], rtol=1e-4, atol=1e-5)


def test_spelled_out_attention_is_the_fused_one() -> None:
    q, k, v = (randn(2, 3, 16, 8, seed=i) for i in range(3))
    fused = attend(q, k, v)
    with forward_differentiable():
        explicit = attend(q, k, v)
    torch.testing.assert_close(fused, explicit, rtol=1e-5, atol=1e-6)


def test_attention_is_fused_again_after_an_exception() -> None:
    with pytest.raises(RuntimeError, match="stop"), forward_differentiable():
        raise RuntimeError("stop")
    q = randn(1, 1, 4, 8)
    with pytest.raises(NotImplementedError), torch.autograd.forward_ad.dual_level():
        # No forward-mode derivative: so this is the fused kernel.
        attend(torch.autograd.forward_ad.make_dual(q, q), q, q)


def test_a_head_that_strides_over_squares_is_one_on_the_folded_image() -> None:
    torch.manual_seed(0)
    head = CompactHead(CompactHeadConfig(channels=3, patch=4, features=8, embedding=8, width=12, kernel=1))
    torch.nn.init.normal_(head.conv_out.weight)
    x, eps, features, emb = (torch.randn(2, *shape) for shape in ((3, 8, 8), (3, 8, 8), (8, 2, 2), (8,)))
    scale, shift = head.modulate(emb)[:, :, None, None].chunk(2, dim=1)
    assert head.conv_image is not None
    folded = F.conv2d(
        F.pixel_unshuffle(torch.cat([x, eps], dim=1), 4), head.conv_image.weight.reshape(12, -1, 1, 1)
    )
    h = shift + scale * (head.conv_features(features) + folded)
    h123 = F.pixel_shuffle(head.conv_out(F.silu(h)), 4)
    k = head(x, eps, features, emb, 0.7)
    torch.testing.assert_close(k, mixed_derivative(h123, 0.7, head.fade))


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("gamma", [0.01, 0.7, 100.0])
def test_mixing_the_rows_of_a_convolution_mixes_what_it_puts_out(kernel: int, gamma: float) -> None:
    torch.manual_seed(0)
    conv, x = torch.nn.Conv2d(5, 6, kernel, padding=kernel // 2).double(), torch.randn(2, 5, 4, 4).double()
    expected = mixed_derivative(conv(x), gamma, 4.0)
    torch.testing.assert_close(mixed_convolution(conv, x, gamma, 4.0), expected)
    each = torch.tensor([gamma, gamma]).double().reshape(2, 1, 1, 1)
    torch.testing.assert_close(mixed_convolution(conv, x, each, 4.0), expected)


def test_a_head_without_an_eye_for_the_image_sees_features_and_level_alone() -> None:
    torch.manual_seed(0)
    head = CompactHead(CompactHeadConfig(features=8, embedding=8, width=12, image=False))
    torch.nn.init.normal_(head.conv_out.weight)
    x, eps, features, emb = (torch.randn(2, *shape) for shape in ((1, 4, 4), (1, 4, 4), (8, 2, 2), (8,)))
    said = head(x, eps, features, emb, 1.0)
    assert said.shape == (2, 1, 4, 4)
    assert torch.equal(head(eps, x, features, emb, 1.0), said)
    assert not torch.allclose(head(x, eps, features, 2 * emb, 1.0), said)
    assert not torch.allclose(head(x, eps, 2 * features, emb, 1.0), said)
