// array.c -- arrays outside the machine.

#include "sim/sim.h"

#include <stdlib.h>
#include <string.h>

// All but the data; `shape` is NULL when the size overflows or memory does not suffice.
static Array described(DType dtype, uint32_t rank, const uint64_t *shape)
{
  Array array = {.dtype = dtype, .rank = rank, .bytes = dtype_bytes(dtype)};
  for (uint32_t i = 0; i < rank; i++)
    if (__builtin_mul_overflow(array.bytes, shape[i], &array.bytes))
      return (Array){.dtype = dtype, .rank = rank};
  if (array.bytes > PTRDIFF_MAX)
    return (Array){.dtype = dtype, .rank = rank};
  array.shape = malloc((rank ? rank : 1) * sizeof *shape);
  if (array.shape && rank)
    memcpy(array.shape, shape, rank * sizeof *shape);
  return array;
}

Array array_new(DType dtype, uint32_t rank, const uint64_t *shape)
{
  Array array = described(dtype, rank, shape);
  array.data = array.shape ? calloc(array.bytes ? array.bytes : 1, 1) : NULL;
  if (!array.data)
    array_free(&array);
  return array;
}

Array array_borrow(DType dtype, uint32_t rank, const uint64_t *shape, const void *data)
{
  Array array = described(dtype, rank, shape);
  if (!array.shape)
    return array;
  array.data = (void *)(uintptr_t)data;
  array.is_borrowed = true;
  return array;
}

uint64_t array_elements(const Array *array)
{
  return array->bytes / dtype_bytes(array->dtype);
}

void array_free(Array *array)
{
  free(array->shape);
  if (!array->is_borrowed)
    free(array->data);
  array->shape = NULL;
  array->data = NULL;
  array->bytes = 0;
}
