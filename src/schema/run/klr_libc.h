/* klr_libc.h -- what generated C takes from the C library. Its own headers take longer to read than a kernel takes to compile. */

#define NAN __builtin_nanf("")
#define INFINITY __builtin_inff()
void *malloc(size_t);
void *calloc(size_t, size_t);
void free(void *);
void *memcpy(void *, const void *, size_t);
size_t strlen(const char *);
float sqrtf(float), floorf(float), ceilf(float), truncf(float), rintf(float), fmodf(float, float), fmaf(float, float, float);
double sqrt(double), floor(double), ceil(double), trunc(double), rint(double), fmod(double, double), fma(double, double, double);
/* The compiler calls these and computes none itself (see build.c): it would get other bits than the interpreter. */
#define KLR_CONST __attribute__((const))
KLR_CONST double exp(double), exp2(double), expm1(double), log(double), log2(double), log10(double), log1p(double), erf(double), pow(double, double);
KLR_CONST double sin(double), cos(double), tan(double), asin(double), acos(double), atan(double), atan2(double, double), sinh(double), cosh(double), tanh(double);

