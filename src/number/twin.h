// twin.h -- ALU operators and activation functions in double precision, for estimates of error: libm decides their last
// bits, so nothing that a kernel computes may come from here.

#pragma once
#include "number/activation.h"
#include "number/alu.h"

// An ARITH operator of alu.def on doubles; `y` is ignored by operators of one operand.
double alu_f64(AluOp op, double x, double y);

// Operators whose result is 0 or 1, whatever small errors their operands have.
bool alu_decides(AluOp op);

// The formula of activation.def; `slope` is that of prelu.
double activation_f64(ActivationFunc func, double x, double slope);
