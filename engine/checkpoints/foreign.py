"""What else a dropped file may be: enough about others' checkpoints to say so in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["describe_foreign"]


def _begins(*prefixes: str) -> Callable[[str], bool]:
    return lambda key: key.startswith(prefixes)


def _ends(*suffixes: str) -> Callable[[str], bool]:
    return lambda key: key.endswith(suffixes)


# Words, and marks of which each must be found among the keys; the first entry that fits is it.
_FOREIGN: tuple[tuple[str, tuple[Callable[[str], bool], ...]], ...] = (
    ("a Stable Diffusion or latent-diffusion model", (_begins("model.diffusion_model."),)),
    ("a LoRA, which changes another model", (_ends("lora_down.weight", "lora_A.weight", ".lora.up.weight"),)),
    ("a guided-diffusion classifier", (_begins("input_blocks."), _begins("out.1.", "out.2.c_proj"))),
    (
        "a guided-diffusion network, whose time embedding is another",
        (_begins("input_blocks."), _begins("time_embed.0.weight")),
    ),
    ("a diffusers U-Net", (_begins("down_blocks."), _begins("conv_in.", "time_embedding."))),
    ("an EDM network", (_begins("model.map_noise.", "map_noise.", "model.enc.", "enc."),)),
    ("a DDIM or DDPM network of another shape", (_begins("temb.dense.0."), _begins("down."))),
    ("a ScoreSDE network of another kind", (_begins("all_modules."), _begins("sigmas"))),
    ("a ScoreSDE or GENIE network of another shape", (_begins("all_modules."),)),
    ("an ADM network of another shape", (_begins("time_embed.0.W"), _begins("input_blocks."))),
    ("a StyleGAN network", (_begins("synthesis.", "mapping.", "G_ema.", "g_ema."),)),
    ("an autoencoder", (_begins("encoder."), _begins("decoder."))),
    ("a vision transformer", (_begins("blocks.0.attn.", "vit."),)),
    ("an image classifier", (_begins("fc.", "classifier.", "layer1."),)),
)


def describe_foreign(keys: Iterable[str]) -> str:
    """What a state with these keys seems to be, to be read after "it holds"."""
    keys = tuple(keys)
    for words, marks in _FOREIGN:
        if all(any(map(mark, keys)) for mark in marks):
            return words
    if not keys:
        return "no weights"
    first = ", ".join(keys[:3])
    return f"another network (its first weights are called {first})"
