// number_text.h -- floating-point numbers as the shortest text that reads back, in Python's form.

#pragma once
#include "base/str.h"

// As repr() of a Python float: "1.0", "1e-05", "0.1", "inf", "nan".
void number_add_repr(StrBuf *out, double value);

// The shortest text that reads back as the same float32, in the same form.
void number_add_repr_f32(StrBuf *out, float value);
