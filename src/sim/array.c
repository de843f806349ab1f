// array.c -- arrays outside the machine.

#include "sim/sim.h"

#include <stdlib.h>
#include <string.h>

Array array_new(DType dtype, uint32_t rank, const uint64_t *shape)
{
  Array array = {.dtype = dtype, .rank = rank};
  uint64_t bytes = dtype_bytes(dtype);
  for (uint32_t i = 0; i < rank; i++)
    if (__builtin_mul_overflow(bytes, shape[i], &bytes))
      return array;
  if (bytes > PTRDIFF_MAX)
    return array;
  array.shape = malloc((rank ? rank : 1) * sizeof *shape);
  array.data = calloc(bytes ? bytes : 1, 1);
  if (!array.shape || !array.data) {
    array_free(&array);
    return array;
  }
  if (rank)
    memcpy(array.shape, shape, rank * sizeof *shape);
  array.bytes = bytes;
  return array;
}

uint64_t array_elements(const Array *array)
{
  return array->bytes / dtype_bytes(array->dtype);
}

void array_free(Array *array)
{
  free(array->shape);
  free(array->data);
  array->shape = NULL;
  array->data = NULL;
  array->bytes = 0;
}
