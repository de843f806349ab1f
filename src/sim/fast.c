// fast.c -- which executor is the fast one.

#include "sim/piece.h"

FastFn *fast_executor(OpKind kind)
{
  FastFn *found = fast_elementwise(kind);
  if (!found)
    found = fast_move(kind);
  if (!found)
    found = fast_rows(kind);
  return found ? found : fast_tensor_engine(kind);
}
