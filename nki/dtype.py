"""The types of elements: `nki.dtype.float8_e4m3` is `nl.float8_e4m3`."""

from .language.types import (
    bfloat16, bool_, float16, float32, float4_e2m1fn_x4, float8_e4m3, float8_e4m3fn, float8_e4m3fn_x4, float8_e5m2,
    float8_e5m2_x4, float8_e8m0fnu, int16, int32, int8, tfloat32, uint16, uint32, uint8)
