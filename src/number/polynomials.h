// polynomials.h -- the polynomials of the fast paths. Written by tools/number_polynomials.py.

#pragma once
#include "base/kernel.h"

// 2^z, for z from -0.5 to 0.5; relative error 2^-45.6.
KERNEL_INLINE double poly_exp2(double z)
{
  double a0 = 0x1.62e42fefa39f7p-1 * z + 0x1.000000000003dp+0;
  double a1 = 0x1.c6b08d7044119p-5 * z + 0x1.ebfbdff8149f2p-3;
  double a2 = 0x1.5d87fe908f88ap-10 * z + 0x1.3b2ab72b175eep-7;
  double a3 = 0x1.ffcb76789860fp-17 * z + 0x1.43088e257f341p-13;
  double a4 = 0x1.b6571de2f2351p-24 * z + 0x1.63ef969a64d3cp-20;
  double z2 = z * z;
  double b0 = a1 * z2 + a0;
  double b1 = a3 * z2 + a2;
  double z4 = z2 * z2;
  double c0 = b1 * z4 + b0;
  double z8 = z4 * z4;
  double d0 = a4 * z8 + c0;
  return d0;
}

// (2^z - 1) / z, for z from -0.5 to 0.5; relative error 2^-49.3.
KERNEL_INLINE double poly_exp2m1(double z)
{
  double a0 = 0x1.ebfbdff82c590p-3 * z + 0x1.62e42fefa39f7p-1;
  double a1 = 0x1.3b2ab6fba385fp-7 * z + 0x1.c6b08d7044119p-5;
  double a2 = 0x1.4309130378460p-13 * z + 0x1.5d87fe908f88ap-10;
  double a3 = 0x1.62bfe46117445p-20 * z + 0x1.ffcb76789860fp-17;
  double a4 = 0x1.e5e9f548e5725p-28 * z + 0x1.b6571de2f2351p-24;
  double z2 = z * z;
  double b0 = a1 * z2 + a0;
  double b1 = a3 * z2 + a2;
  double z4 = z2 * z2;
  double c0 = b1 * z4 + b0;
  double z8 = z4 * z4;
  double d0 = a4 * z8 + c0;
  return d0;
}

// 2 atanh(sqrt z) / sqrt z, for z from 0 to 0.111111; relative error 2^-53.3.
KERNEL_INLINE double poly_atanh(double z)
{
  double a0 = 0x1.5555555555aeep-1 * z + 0x1.0000000000000p+1;
  double a1 = 0x1.2492498161ca5p-2 * z + 0x1.99999998ca58bp-2;
  double a2 = 0x1.74628d4f43596p-3 * z + 0x1.c71c47af989fdp-3;
  double a3 = 0x1.1659956da410fp-3 * z + 0x1.3aa5e932d3628p-3;
  double a4 = 0x1.6c26693a7c095p-3 * z + 0x1.94b79523b2fbbp-4;
  double z2 = z * z;
  double b0 = a1 * z2 + a0;
  double b1 = a3 * z2 + a2;
  double z4 = z2 * z2;
  double c0 = b1 * z4 + b0;
  double z8 = z4 * z4;
  double d0 = a4 * z8 + c0;
  return d0;
}

// atan(sqrt z) / sqrt z, for z from 0 to 1; relative error 2^-49.5.
KERNEL_INLINE double poly_atan(double z)
{
  double a0 = -0x1.5555555551d01p-2 * z + 0x1.ffffffffffff5p-1;
  double a1 = -0x1.249248a39fa5ap-3 * z + 0x1.999999969e074p-3;
  double a2 = -0x1.745bd222cc3dcp-4 * z + 0x1.c71c5aa9341dfp-4;
  double a3 = -0x1.10c1eefc7e7fdp-4 * z + 0x1.3b07c37190c98p-4;
  double a4 = -0x1.a4125e7343365p-5 * z + 0x1.dededc10302e9p-5;
  double a5 = -0x1.1db1227853a4fp-5 * z + 0x1.669453ee33ed7p-5;
  double a6 = -0x1.d9c94754ffed9p-7 * z + 0x1.92de6e09c3905p-6;
  double a7 = -0x1.2025beb28c550p-9 * z + 0x1.b354a4c8666c3p-8;
  double a8 = -0x1.7f90f9cfdb736p-15 * z + 0x1.e38c3cf752829p-12;
  double z2 = z * z;
  double b0 = a1 * z2 + a0;
  double b1 = a3 * z2 + a2;
  double b2 = a5 * z2 + a4;
  double b3 = a7 * z2 + a6;
  double z4 = z2 * z2;
  double c0 = b1 * z4 + b0;
  double c1 = b3 * z4 + b2;
  double z8 = z4 * z4;
  double d0 = c1 * z8 + c0;
  double z16 = z8 * z8;
  double e0 = a8 * z16 + d0;
  return e0;
}

// sin(sqrt z) / sqrt z, for z from 0 to 2.4674; relative error 2^-52.1.
KERNEL_INLINE double poly_sin(double z)
{
  double a0 = -0x1.555555555547fp-3 * z + 0x1.fffffffffffffp-1;
  double a1 = -0x1.a01a019a541c3p-13 * z + 0x1.1111111109f2dp-7;
  double a2 = -0x1.ae63578ccf2acp-26 * z + 0x1.71de380899061p-19;
  double a3 = -0x1.9f241fcbfca1fp-41 * z + 0x1.60e727f4571e8p-33;
  double z2 = z * z;
  double b0 = a1 * z2 + a0;
  double b1 = a3 * z2 + a2;
  double z4 = z2 * z2;
  double c0 = b1 * z4 + b0;
  return c0;
}

// erf(sqrt z) / sqrt z, for z from 0 to 1; relative error 2^-50.8.
KERNEL_INLINE double poly_erf(double z)
{
  double a0 = -0x1.812746b037352p-2 * z + 0x1.20dd750429b6bp+0;
  double a1 = -0x1.b82ce3026aae0p-6 * z + 0x1.ce2f21a000d30p-4;
  double a2 = -0x1.c02d67e37081ep-11 * z + 0x1.565bcb082cca2p-8;
  double a3 = -0x1.f4684782919e8p-17 * z + 0x1.f99c295886f05p-14;
  double a4 = -0x1.462a758d4591dp-23 * z + 0x1.b5d3ea9fd0b5ap-20;
  double z2 = z * z;
  double b0 = a1 * z2 + a0;
  double b1 = a3 * z2 + a2;
  double b2 = 0x1.43f6d0dee7032p-27 * z2 + a4;
  double z4 = z2 * z2;
  double c0 = b1 * z4 + b0;
  double z8 = z4 * z4;
  double d0 = b2 * z8 + c0;
  return d0;
}

// e^(x^2/2) Phi(-x) (x + 4), z = (x - 4)/(x + 4), for z from -1 to 0.6; relative error 2^-49.4.
KERNEL_INLINE double poly_normal_tail(double z)
{
  double a0 = -0x1.373e3a893c29bp-1 * z + 0x1.82b4bb8c94dd5p-1;
  double a1 = -0x1.7dff2bff67060p-3 * z + 0x1.8c6dbf2cfb1bdp-2;
  double a2 = -0x1.ee276103b090ap-8 * z + 0x1.eec4cc3ff506ap-5;
  double a3 = 0x1.ab825db65b758p-10 * z + -0x1.c8171bd406697p-9;
  double a4 = -0x1.e4a3134e08466p-13 * z + 0x1.17a5de6fbc6abp-13;
  double a5 = 0x1.26b1233e5ea56p-15 * z + -0x1.01a427d557756p-19;
  double a6 = -0x1.8995534934e4cp-18 * z + 0x1.911263d64266dp-21;
  double a7 = 0x1.eb1e8c12ed96ep-21 * z + -0x1.63b19f873dfb3p-21;
  double a8 = -0x1.19f406308479ep-24 * z + 0x1.11933c4fef6fcp-22;
  double z2 = z * z;
  double b0 = a1 * z2 + a0;
  double b1 = a3 * z2 + a2;
  double b2 = a5 * z2 + a4;
  double b3 = a7 * z2 + a6;
  double b4 = -0x1.f0a7b1f471025p-26 * z2 + a8;
  double z4 = z2 * z2;
  double c0 = b1 * z4 + b0;
  double c1 = b3 * z4 + b2;
  double z8 = z4 * z4;
  double d0 = c1 * z8 + c0;
  double z16 = z8 * z8;
  double e0 = b4 * z16 + d0;
  return e0;
}

