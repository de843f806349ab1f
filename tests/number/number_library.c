// number_library.c -- the number room as a shared library, so that Python tests can call it on whole arrays.

#include "number/activation.h"
#include "number/alu.h"
#include "number/convert.h"

#include <stdint.h>

void number_dtype_to_f32(int dtype, size_t n, float *dst, const uint8_t *src);
void number_dtype_from_f32(int dtype, size_t n, uint8_t *dst, const float *src);
void number_row_to_f32(int dtype, size_t n, float *dst, const uint8_t *src);
void number_row_from_f32(int dtype, size_t n, uint8_t *dst, const float *src);
int number_dtype_of(const char *numpy_name);
int number_activation_of(const char *name);
void number_activation_row(int func, size_t n, float *dst, const float *src);
void number_activation_exact(int func, size_t n, float *dst, const float *src);
void number_oracle(int func, size_t n, float *dst, const float *src);
void number_oracle_mpfr(int func, size_t n, float *dst, const float *src);
float oracle_f32(int func, float x);
float oracle_mpfr(int func, float x);
float oracle_pow(float x, float y);
int number_alu_of(const char *name);
void number_alu_f32(int op, size_t n, float *dst, const float *x, const float *y);
void number_oracle_pow(size_t n, float *dst, const float *x, const float *y);
void number_alu_bits(int op, int bits, size_t n, uint32_t *dst, const uint32_t *x, const uint32_t *y);
void number_alu_int32(int op, int is_signed, size_t n, uint32_t *dst, const uint32_t *x, const uint32_t *y);

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

int number_activation_of(const char *name)
{
  ActivationFunc func;
  return activation_from_wire_name(str_from(name), &func) ? (int)func : -1;
}

void number_activation_row(int func, size_t n, float *dst, const float *src)
{
  activation_row((ActivationFunc)func, n, dst, src);
}

void number_activation_exact(int func, size_t n, float *dst, const float *src)
{
  for (size_t i = 0; i < n; i++)
    dst[i] = activation_exact_f32((ActivationFunc)func, src[i]);
}

void number_oracle(int func, size_t n, float *dst, const float *src)
{
  for (size_t i = 0; i < n; i++)
    dst[i] = oracle_f32(func, src[i]);
}

void number_oracle_mpfr(int func, size_t n, float *dst, const float *src)
{
  for (size_t i = 0; i < n; i++)
    dst[i] = oracle_mpfr(func, src[i]);
}

int number_alu_of(const char *name)
{
  AluOp op;
  return alu_from_wire_name(str_from(name), &op) ? (int)op : -1;
}

void number_alu_f32(int op, size_t n, float *dst, const float *x, const float *y)
{
  for (size_t i = 0; i < n; i++)
    dst[i] = alu_f32((AluOp)op, x[i], y[i]);
}

void number_oracle_pow(size_t n, float *dst, const float *x, const float *y)
{
  for (size_t i = 0; i < n; i++)
    dst[i] = oracle_pow(x[i], y[i]);
}

void number_alu_bits(int op, int bits, size_t n, uint32_t *dst, const uint32_t *x, const uint32_t *y)
{
  for (size_t i = 0; i < n; i++)
    dst[i] = alu_bits((AluOp)op, (unsigned)bits, x[i], y[i]);
}

void number_alu_int32(int op, int is_signed, size_t n, uint32_t *dst, const uint32_t *x, const uint32_t *y)
{
  for (size_t i = 0; i < n; i++)
    dst[i] = alu_int32((AluOp)op, is_signed, x[i], y[i]);
}
