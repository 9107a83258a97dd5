"""Rounding errors that occlumap's maps may have: the formula of `Precision::limits`, which
src/engine/rounding.rs derives. A test compares the two; run by itself this prints what it compares."""

import math

#: Multiples of the expected root mean square, and what cutting off loses a layer.
PEAK, SPREAD, DRIFT = 6.0, 4.0, 576 / 2**23
#: The largest error as a part of a map's largest value, and the root mean square as a part of the map's.
FP32 = 1e-5, 5e-6
#: The unit roundoff of operands.
TF32, BF16, BF16X3 = 2.0**-11, 2.0**-8, 2.0**-17


#: The precisions of a device that has them.
PRECISIONS = {"cpu": ("fp32", "bf16x3", "bf16"), "cuda": ("fp32", "tf32", "fp16", "bf16")}


def roundoff(precision, before, device):
    """Of the operands of a convolution with so many convolutions before it; None where they have 32 bits."""
    if precision == "bf16":
        return (BF16 if before % 2 else TF32) if device == "cuda" else BF16 if before else BF16X3
    if precision == "bf16x3":
        return BF16X3 if before else None
    return TF32 if precision in ("tf32", "fp16") and before else None


def limits(precision, convolutions, device):
    """The largest error and the root mean square that are allowed behind so many convolutions."""
    rounded = [roundoff(precision, before, device) for before in range(convolutions)]
    rounded = [u for u in rounded if u]
    rounding = math.sqrt(sum(u**2 for u in rounded) / (4 * math.log(2)))
    drift = DRIFT * len(rounded) if device == "cuda" else 0.0
    return max(PEAK * rounding + drift, FP32[0]), max(SPREAD * rounding + drift, FP32[1])


if __name__ == "__main__":
    for device, precisions in PRECISIONS.items():
        for precision in precisions:
            for convolutions in range(20):
                print(device, precision, convolutions, *limits(precision, convolutions, device))
