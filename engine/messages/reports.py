"""What is told of an encode: how close a picture is, how much a latent is like noise, each step."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Fidelity", "LatentStatistics", "StepReport"]


@dataclass(frozen=True)
class Fidelity:
    """How close a picture is to the one it should be, by bytes.

    `psnr` in dB is infinite for equal bytes; `ssim` is 1 for them. `changed` counts bytes that
    differ and `largest` says by how much at most.
    """

    psnr: float
    ssim: float
    changed: int
    largest: int

    @property
    def identical(self) -> bool:
        return self.changed == 0

    @property
    def words(self) -> str:
        """ "Comes back to the byte.", "Comes back well: ..."."""
        if self.identical:
            return "Comes back to the byte."
        if self.psnr >= 40.0:
            how = "Comes back so that no eye sees a difference"
        elif self.psnr >= 32.0:
            how = "Comes back well"
        elif self.psnr >= 25.0:
            how = "Comes back with visible differences"
        else:
            how = "Comes back as another picture"
        return f"{how}: {self.psnr:.1f} dB, SSIM {self.ssim:.3f}."


@dataclass(frozen=True)
class LatentStatistics:
    """A latent next to standard normal noise of the same size.

    `kurtosis` is the excess over a normal distribution's; `autocorrelation` the correlation of
    neighbouring pixels. `likely` says for each of mean, std, kurtosis and autocorrelation the most
    that noise of this size departs from 0, 1, 0 and 0 in 99 of 100 cases.
    """

    mean: float
    std: float
    kurtosis: float
    autocorrelation: float
    likely: tuple[float, float, float, float]

    @property
    def departures(self) -> tuple[str, ...]:
        """What does not look like noise, in words; none if all does."""
        mean, std, kurtosis, autocorrelation = self.likely
        found = []
        if abs(self.mean) > mean:
            found.append(f"its mean is {self.mean:+.2f} instead of 0")
        if abs(self.std - 1.0) > std:
            found.append(f"its spread is {self.std:.2f} instead of 1")
        if abs(self.kurtosis) > kurtosis:
            tails = "heavier" if self.kurtosis > 0 else "lighter"
            found.append(f"its tails are {tails} than noise's")
        if abs(self.autocorrelation) > autocorrelation:
            found.append(f"neighbouring pixels agree (correlation {self.autocorrelation:+.2f})")
        return tuple(found)

    @property
    def looks_like_noise(self) -> bool:
        return not self.departures

    @property
    def words(self) -> str:
        if self.looks_like_noise:
            return "Looks like noise."
        return f"Structured: edits may drift; {', '.join(self.departures)}."


@dataclass(frozen=True)
class StepReport:
    """How one step was inverted. `gamma` falls to `gamma_next` when decoding.

    `residual` is the largest error left, in levels of 255 of the picture as the step ends;
    `parts` into how many steps it was split, and `converged` whether the residual is small
    enough for the bytes to be right.
    """

    gamma: float
    gamma_next: float
    residual: float
    evaluations: int
    parts: int = 1
    converged: bool = True
