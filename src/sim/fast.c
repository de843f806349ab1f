// fast.c -- which executor is the fast one.

#include "sim/piece.h"

FastFn *fast_executor(OpKind kind)
{
  FastFn *found = fast_elementwise(kind);
  if (!found)
    found = fast_move(kind);
  return found ? found : fast_tensor_engine(kind);
}
