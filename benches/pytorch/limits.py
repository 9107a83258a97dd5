"""Rounding errors that occlumap's maps may have: the formula of `Precision::limits`, where it is derived
(src/engine/cuda/precision.rs). A test compares the two; run by itself this prints what it compares."""

import math

#: Multiples of the expected root mean square, and what cutting off loses a layer.
PEAK, SPREAD, DRIFT = 6.0, 4.0, 576 / 2**23
#: The largest error as a part of a map's largest value, and the root mean square as a part of the map's.
FP32 = 1e-5, 5e-6
#: The unit roundoff of operands.
TF32, BF16 = 2.0**-11, 2.0**-8


def roundoff(precision, before):
    """Of the operands of a convolution with so many convolutions before it; None where they have 32 bits."""
    if precision == "bf16":
        return BF16 if before % 2 else TF32
    return TF32 if precision in ("tf32", "fp16") and before else None


def limits(precision, convolutions):
    """The largest error and the root mean square that are allowed behind so many convolutions."""
    rounded = [u for u in (roundoff(precision, before) for before in range(convolutions)) if u]
    rounding = math.sqrt(sum(u**2 for u in rounded) / (4 * math.log(2)))
    drift = DRIFT * len(rounded)
    return max(PEAK * rounding + drift, FP32[0]), max(SPREAD * rounding + drift, FP32[1])


if __name__ == "__main__":
    for precision in ("fp32", "tf32", "fp16", "bf16"):
        for convolutions in range(20):
            print(precision, convolutions, *limits(precision, convolutions))
