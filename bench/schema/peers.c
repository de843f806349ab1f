// The loops that a programmer would write in C for the kernels of bench_schema.py; compiled there with -O3 -march=native -fopenmp, and
// with -ffp-contract=off, since kernels mean each operation as it stands, or for one thread without OpenMP. Sums of rows are in order, as in the
// kernels; `vector_dot` may be in any.

#include "klr_kernel_abi.h"

#include <math.h>

#define ARRAY(type, i) (type *restrict)a[i].data
typedef const KlrKernelArgument *Arguments;

void vector_add(Arguments a)
{
  const float *restrict x = ARRAY(const float, 0), *restrict y = ARRAY(const float, 1);
  float *restrict z = ARRAY(float, 2);
  const uint32_t n = a[3].value.u32;
#pragma omp parallel for
  for (uint32_t i = 0; i < n; i++)
    z[i] = x[i] + y[i];
}

void saxpy(Arguments a)
{
  const float *restrict x = ARRAY(const float, 0), s = a[2].value.f32;
  float *restrict y = ARRAY(float, 1);
  const uint32_t n = a[3].value.u32;
#pragma omp parallel for
  for (uint32_t i = 0; i < n; i++)
    y[i] = s * x[i] + y[i];
}

void vector_dot(Arguments a)
{
  const float *restrict x = ARRAY(const float, 0), *restrict y = ARRAY(const float, 1);
  float *out = a[2].data, total = 0;
  const uint32_t n = a[3].value.u32;
#pragma omp parallel for simd reduction(+ : total)
  for (uint32_t i = 0; i < n; i++)
    total += x[i] * y[i];
  *out += total;
}

void softmax_row(Arguments a)
{
  const float *restrict x = ARRAY(const float, 0);
  float *restrict y = ARRAY(float, 1);
  const uint32_t rows = a[2].value.u32, columns = a[3].value.u32;
#pragma omp parallel for
  for (uint32_t row = 0; row < rows; row++) {
    const float *in = x + (size_t)row * columns;
    float *out = y + (size_t)row * columns, most = in[0], total = 0;
    for (uint32_t i = 1; i < columns; i++)
      most = in[i] > most ? in[i] : most;
    for (uint32_t i = 0; i < columns; i++)
      total += out[i] = expf(in[i] - most);
    for (uint32_t i = 0; i < columns; i++)
      out[i] /= total;
  }
}

void gemv_f32(Arguments a)
{
  const float *restrict A = ARRAY(const float, 0), *restrict x = ARRAY(const float, 1);
  float *restrict y = ARRAY(float, 2);
  const uint32_t m = a[3].value.u32, n = a[4].value.u32, lda = a[5].value.u32;
#pragma omp parallel for
  for (uint32_t row = 0; row < m; row++) {
    const float *in = A + (size_t)row * lda;
    float total = 0;
    for (uint32_t i = 0; i < n; i++)
      total += in[i] * x[i];
    y[row] = total;
  }
}

void gemm_f32(Arguments a)
{
  const float *restrict A = ARRAY(const float, 0), *restrict B = ARRAY(const float, 1);
  float *restrict C = ARRAY(float, 2);
  const uint32_t m = a[3].value.u32, n = a[4].value.u32, k = a[5].value.u32, lda = a[6].value.u32, ldb = a[7].value.u32, ldc = a[8].value.u32;
#pragma omp parallel for
  for (uint32_t row = 0; row < m; row++) {
    float *out = C + (size_t)row * ldc;
    for (uint32_t i = 0; i < n; i++)
      out[i] = 0;
    for (uint32_t p = 0; p < k; p++) {
      const float left = A[(size_t)row * lda + p], *right = B + (size_t)p * ldb;
      for (uint32_t i = 0; i < n; i++)
        out[i] += left * right[i];
    }
  }
}

void layer_norm(Arguments a)
{
  const float *restrict x = ARRAY(const float, 0), *restrict gamma = ARRAY(const float, 1), *restrict beta = ARRAY(const float, 2);
  float *restrict y = ARRAY(float, 3);
  const uint32_t rows = a[4].value.u32, columns = a[5].value.u32;
  const float eps = a[6].value.f32;
#pragma omp parallel for
  for (uint32_t row = 0; row < rows; row++) {
    const float *in = x + (size_t)row * columns;
    float *out = y + (size_t)row * columns, total = 0, squares = 0;
    for (uint32_t i = 0; i < columns; i++)
      total += in[i];
    const float mean = total / (float)columns;
    for (uint32_t i = 0; i < columns; i++)
      squares += (in[i] - mean) * (in[i] - mean);
    const float scale = 1 / sqrtf(squares / (float)columns + eps);
    for (uint32_t i = 0; i < columns; i++)
      out[i] = (in[i] - mean) * scale * gamma[i] + beta[i];
  }
}

// Each thread counts for itself.
void histogram(Arguments a)
{
  enum { BINS = 256 };
  const uint32_t *restrict values = ARRAY(const uint32_t, 0);
  uint32_t *counts = a[1].data;
  const uint32_t n = a[2].value.u32;
#pragma omp parallel for reduction(+ : counts[:BINS])
  for (uint32_t i = 0; i < n; i++)
    counts[values[i]]++;
}
