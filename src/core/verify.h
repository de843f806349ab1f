// verify.h -- is a kernel a sentence of the core language? Run after tracing and on every load.
//
// What is checked holds on every NeuronCore: the structure of blocks, registers, tensors, views within their tensors,
// and the shapes, types and memories of each operator's operands (rules.def). What one generation of hardware allows is
// machine/legal.h's business. Where the documents are silent, anything goes.

#pragma once
#include "core/core.h"

// True when every rule holds; else each broken rule was reported once for each line of source, a few a line at most.
bool core_verify(Session *session, const Kernel *kernel);
