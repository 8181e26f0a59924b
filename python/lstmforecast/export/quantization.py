"""Weights of 8 or 16 bits: files a quarter or half as large, forecasts that are nearly the same.

Weights are rounded once and stay rounded. On processors that sum products of integers (AVX-512 VNNI), the kernel
multiplies the 8-bit weights that read states as integers; all other weights are computed in single precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.fitting.distribution import name_of
from lstmforecast.fitting.ensemble import Ensemble

Single = NDArray[np.float32]

DTYPES = ("int8", "bf16")
SCALE = ".scale"
# Added to a name before that suffix if errors are divided by the spread of their series.
IN_UNITS = ".in_units"
# The code of an unknown value.
_MISSING = -128


def quantized(model: _core.Model | Ensemble, dtype: str) -> _core.Model | Ensemble:
    """A network with the same weights, rounded to ``"int8"`` or ``"bf16"``."""
    if dtype not in DTYPES:
        raise ValueError(f"expected dtype='int8' or 'bf16', got {dtype!r}")
    if isinstance(model, Ensemble):
        rounded: _core.Model | Ensemble = Ensemble.build(model.config, len(model.members))
    else:
        rounded = _core.Model(model.config)
    rounded.load_parameters(unpack(pack(model.parameters(), dtype)), dtype == "int8")
    rounded.load_scalers(model.scalers())
    return rounded


def pack(weights: Mapping[str, Single], dtype: str) -> dict[str, NDArray[Any]]:
    """Round weights for a file: matrices to integers with a scale for each row, or to bfloat16; biases stay."""
    packed: dict[str, NDArray[Any]] = {}
    for name, weight in weights.items():
        if weight.ndim < 2:
            packed[name] = weight
        elif dtype == "bf16":
            packed[name] = to_bfloat16(weight)
        else:
            scale = scales_of(weight)
            packed[name] = to_integers(weight, scale, diffuse=name.endswith("skip.weight"))
            packed[name + SCALE] = scale
    return packed


def unpack(packed: Mapping[str, NDArray[Any]]) -> dict[str, Single]:
    """The weights that `pack` wrote; other weights stay as they are."""
    weights: dict[str, Single] = {}
    for name, array in packed.items():
        if array.dtype == np.int8:
            scale = packed[name + SCALE]
            if scale.shape != (len(array),):
                raise ValueError(f"a scale for each row of {name}, got shape {scale.shape}")
            weights[name] = array.astype(np.float32) * scale.reshape(-1, *[1] * (array.ndim - 1))
        elif not name.endswith(SCALE):
            weights[name] = from_bfloat16(array) if array.dtype == np.uint16 else array
    return weights


def scales_of(weight: Single) -> Single:
    """The value of 1 of 127 in each row (n_rows,): 16 bits long, so that its multiples are exact, and rounding them
    again changes nothing.
    """
    largest = np.abs(weight).reshape(len(weight), -1).max(axis=1)
    mantissa, exponent = np.frexp(largest / np.float32(127))
    scale = np.ldexp(np.round(mantissa * 65536) / 65536, exponent).astype(np.float32)
    return np.where(scale > 0, scale, np.float32(1))


def to_integers(weight: Single, scale: Single, *, diffuse: bool) -> NDArray[np.int8]:
    """Round to multiples of the scale of a row: to the nearest or, with ``diffuse``, by error diffusion.

    Each sum of the first weights is then off by at most half a scale: errors cancel for inputs that change slowly.
    """
    steps = weight / scale.reshape(-1, *[1] * (weight.ndim - 1))
    if not diffuse:
        return np.clip(np.round(steps), -127, 127).astype(np.int8)
    rounded, left = np.empty(weight.shape, np.int8), np.zeros(len(weight), np.float32)
    for column in range(weight.shape[1]):
        wanted = steps[:, column] + left
        rounded[:, column] = np.clip(np.round(wanted), -127, 127)
        left = wanted - rounded[:, column]
    return rounded


def to_bfloat16(values: Single) -> NDArray[np.uint16]:
    """The upper 16 bits of single precision, rounded to the nearest, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    rounded = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(values), np.uint16(0x7FC0), rounded)


def from_bfloat16(halves: NDArray[np.uint16]) -> Single:
    """Convert to single precision, exactly."""
    return (halves.astype(np.uint32) << 16).view(np.float32)


def pack_state(tensors: Mapping[str, NDArray[Any]], dtype: str, distribution: Any) -> dict[str, NDArray[Any]]:
    """The fitted arrays besides the network, with the errors for intervals rounded as weights are.

    For quantiles, their distances from the truth replace both. Parameters of other distributions, and the true values,
    are not rounded.
    """
    packed = dict(tensors)
    if "truth" not in tensors or name_of(distribution) not in (None, "quantiles"):
        return packed
    name, errors = "truth", packed.pop("truth")
    if distribution is not None:
        name, errors = "parameters", packed["parameters"] - errors[..., np.newaxis]
    if dtype == "bf16":
        return packed | {name: to_bfloat16(errors)}
    if (spreads := tensors.get("spreads")) is None:
        codes, largest = to_squares(errors)
        return packed | {name: codes, name + SCALE: largest}
    # one scale for series of different sizes would round the errors of small ones to 0
    codes, largest = to_squares((errors / _beside(spreads, errors)).astype(np.float32))
    return packed | {name: codes, name + IN_UNITS + SCALE: largest}


def unpack_state(packed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The inverse of `pack_state`, which leaves other tensors as they are; the truth of quantiles is 0."""
    tensors = dict(packed)
    for name in ("truth", "parameters"):
        codes = tensors.get(name)
        if codes is None or codes.dtype == np.float32:
            continue
        if codes.dtype == np.uint16:
            errors = from_bfloat16(codes)
        else:
            in_units = name + SCALE not in tensors
            largest = tensors.pop(name + (IN_UNITS if in_units else "") + SCALE)
            if np.broadcast_shapes(codes.shape, largest.shape) != codes.shape:
                raise ValueError(f"errors of shape {codes.shape} with the largest of shape {largest.shape}")
            errors = from_squares(codes, largest)
            if in_units:
                spreads = tensors["spreads"]
                if spreads.shape != (codes.shape[0], codes.shape[2]):
                    raise ValueError(f"errors of shape {codes.shape} with spreads of shape {spreads.shape}")
                errors = (errors * _beside(spreads, errors)).astype(np.float32)
        tensors[name] = errors
        if name == "parameters":
            missing = np.isnan(errors[..., 0])
            tensors["truth"] = np.where(missing, np.float32(np.nan), np.float32(0))
            tensors[name] = np.where(missing[..., np.newaxis], np.float32(0), errors)
    return tensors


def _beside(spreads: NDArray[np.float64], errors: NDArray[Any]) -> NDArray[np.float64]:
    """The spreads (n, k) of a panel in the dimensions of errors (n, horizon, k, ...), rounded to powers of two.

    Division and multiplication by powers of two do not round errors.
    """
    beside: NDArray[np.float64] = np.expand_dims(np.exp2(np.round(np.log2(spreads))), (1, *range(3, errors.ndim)))
    return beside


def to_squares(errors: Single) -> tuple[NDArray[np.int8], Single]:
    """Errors (n, horizon, k, ...) as signed squares of 127ths, and the largest of each step and variable.

    The rounding error is smaller for small errors, below a hundredth of the largest; the order stays the same.
    """
    sizes = np.abs(errors)
    axes = (0, *range(3, errors.ndim))
    largest: Single = np.nanmax(sizes, axis=axes, keepdims=True, initial=0.0)[0].astype(np.float32)
    parts = np.sqrt(sizes / np.where(largest > 0, largest, 1))
    codes = np.where(np.isnan(errors), _MISSING, np.copysign(np.round(127 * parts), errors))
    return codes.astype(np.int8), largest


def from_squares(codes: NDArray[np.int8], largest: Single) -> Single:
    """The errors that `to_squares` wrote."""
    parts = codes.astype(np.float32) / np.float32(127)
    return np.where(codes == _MISSING, np.float32(np.nan), np.copysign(parts * parts, parts) * largest)
