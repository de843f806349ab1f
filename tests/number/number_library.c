// number_library.c -- the number room as a shared library, so that Python tests can call it on whole arrays.

#include "number/convert.h"

#include <stdint.h>

void number_dtype_to_f32(int dtype, size_t n, float *dst, const uint8_t *src);
void number_dtype_from_f32(int dtype, size_t n, uint8_t *dst, const float *src);
void number_row_to_f32(int dtype, size_t n, float *dst, const uint8_t *src);
void number_row_from_f32(int dtype, size_t n, uint8_t *dst, const float *src);
int number_dtype_of(const char *numpy_name);

void number_dtype_to_f32(int dtype, size_t n, float *dst, const uint8_t *src)
{
  for (size_t i = 0; i < n; i++)
    dst[i] = dtype_to_f32((DType)dtype, src + i * dtype_bytes((DType)dtype));
}

void number_dtype_from_f32(int dtype, size_t n, uint8_t *dst, const float *src)
{
  for (size_t i = 0; i < n; i++)
    dtype_from_f32((DType)dtype, src[i], dst + i * dtype_bytes((DType)dtype));
}

int number_dtype_of(const char *numpy_name)
{
  DType dtype;
  return dtype_from_numpy_name(str_from(numpy_name), &dtype) ? (int)dtype : -1;
}

void number_row_to_f32(int dtype, size_t n, float *dst, const uint8_t *src)
{
  convert_row_to_f32((DType)dtype, n, dst, src, (NumberMode){false, false});
}

void number_row_from_f32(int dtype, size_t n, uint8_t *dst, const float *src)
{
  convert_row_from_f32((DType)dtype, n, dst, src, (NumberMode){false, false});
}
