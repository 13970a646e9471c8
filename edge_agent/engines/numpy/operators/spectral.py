"""RFFT2D and what stands around it: complex numbers, close to TFLite's but not to the last bit.

TFLite transforms in float64 with Ooura's FFT, NumPy in float64 with pocketfft; both round to
float32 at the end.
"""

from __future__ import annotations

import numpy as np

from edge_agent.engines.numpy.operators.moving import whole_numbers
from edge_agent.engines.numpy.plan import Array, Plan, Unsupported
from edge_agent.engines.numpy.program import Operator


def plan_rfft2d(operator: Operator, plan: Plan) -> None:
    """The two-dimensional transform of real numbers, cut or padded with zeros to its length."""
    x, y = plan.input(operator, 0), plan.output(operator)
    lengths = whole_numbers(plan, plan.input(operator, 1))
    if x.dtype != np.float32 or y.dtype != np.complex64 or len(lengths) != 2 or len(x.shape) < 2:
        raise Unsupported(f"{x.dtype} of shape {x.shape} to {y.dtype}, of lengths {lengths}")
    height, width = lengths
    if any(length < 1 or length & (length - 1) for length in lengths):
        raise Unsupported(f"lengths {lengths}: only powers of two are known")
    if y.shape != (*x.shape[:-2], height, width // 2 + 1):
        raise Unsupported(f"lengths {lengths} for an output of {y.shape}")
    wide = plan.scratch((*x.shape[:-2], height, width), np.float64)
    rows, columns = min(height, x.shape[-2]), min(width, x.shape[-1])
    box = (..., slice(rows), slice(columns))
    plan.call(wide.fill, 0.0)
    plan.call(np.copyto, wide[box], plan.array(x)[box])
    plan.call(_transform, wide, plan.array(y))


def _transform(wide: Array, out: Array) -> None:
    found = np.fft.rfft(wide, axis=-1)
    np.copyto(
        out, found if wide.shape[-2] == 1 else np.fft.fft(found, axis=-2), casting="same_kind"
    )


def plan_complex_abs(operator: Operator, plan: Plan) -> None:
    """Absolute values of complex numbers; np.absolute itself is off by an ulp here and there."""
    x, y = plan.input(operator, 0), plan.output(operator)
    if x.dtype.kind != "c" or x.shape != y.shape:
        raise Unsupported(f"{x.dtype} of shape {x.shape}")
    numbers = plan.array(x)
    plan.call(np.hypot, numbers.real, numbers.imag, plan.array(y))


def plan_real(operator: Operator, plan: Plan) -> None:
    """REAL: one half of each complex number."""
    plan.call(
        np.copyto, plan.array(plan.output(operator)), plan.array(plan.input(operator, 0)).real
    )


def plan_imag(operator: Operator, plan: Plan) -> None:
    """IMAG: the other half."""
    plan.call(
        np.copyto, plan.array(plan.output(operator)), plan.array(plan.input(operator, 0)).imag
    )


PLANNERS = {
    "RFFT2D": plan_rfft2d,
    "COMPLEX_ABS": plan_complex_abs,
    "REAL": plan_real,
    "IMAG": plan_imag,
}
