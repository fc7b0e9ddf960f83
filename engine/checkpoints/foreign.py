"""What else a dropped file may be: enough about others' checkpoints to say so in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["describe_foreign", "foreign_kind"]


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
    ("a ScoreSDE network", (_begins("all_modules."), _begins("sigmas"))),
    ("a ScoreSDE network", (_begins("all_modules.0.W"),)),
    ("a StyleGAN network", (_begins("synthesis.", "mapping.", "G_ema.", "g_ema."),)),
    ("an autoencoder", (_begins("encoder."), _begins("decoder."))),
    ("a vision transformer", (_begins("blocks.0.attn.", "vit."),)),
    ("an image classifier", (_begins("fc.", "classifier.", "layer1."),)),
)
# Relatives of the published networks, known by what they share with them.
_RELATED: tuple[tuple[str, tuple[Callable[[str], bool], ...]], ...] = (
    ("a DDPM or DDIM network of another shape", (_begins("temb.dense.0."), _begins("down."))),
    ("a DDPM++ or NCSN++ network of another shape", (_begins("all_modules."),)),
    ("an ADM network of another shape", (_begins("time_embed.0.W"), _begins("input_blocks."))),
)


def foreign_kind(keys: Iterable[str]) -> str | None:
    """What a state with these keys is for certain, if it is none of GENIE's."""
    return _first(_FOREIGN, tuple(keys))


def _first(
    kinds: tuple[tuple[str, tuple[Callable[[str], bool], ...]], ...], keys: tuple[str, ...]
) -> str | None:
    for words, marks in kinds:
        if all(any(map(mark, keys)) for mark in marks):
            return words
    return None


def describe_foreign(keys: Iterable[str]) -> str:
    """What a state with these keys seems to be, to be read after "it holds"."""
    keys = tuple(keys)
    known = _first(_FOREIGN + _RELATED, keys)
    if known is not None:
        return known
    if not keys:
        return "no weights"
    first = ", ".join(key[:100] for key in keys[:3])
    return f"another network (its first weights are called {first})"
