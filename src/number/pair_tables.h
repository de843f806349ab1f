// pair_tables.h -- what the functions in pairs of floats look up. Written by tools/number_tables.py.

#pragma once

// 2^(i/32).
static const float exp_factor[2 * VECTOR] = {
  0x1.000000p+0f, 0x1.059b0ep+0f, 0x1.0b5586p+0f, 0x1.11301ep+0f, 0x1.172b84p+0f, 0x1.1d4874p+0f,
  0x1.2387a6p+0f, 0x1.29e9e0p+0f, 0x1.306fe0p+0f, 0x1.371a74p+0f, 0x1.3dea64p+0f, 0x1.44e086p+0f,
  0x1.4bfdaep+0f, 0x1.5342b6p+0f, 0x1.5ab07ep+0f, 0x1.6247ecp+0f, 0x1.6a09e6p+0f, 0x1.71f75ep+0f,
  0x1.7a1148p+0f, 0x1.82589ap+0f, 0x1.8ace54p+0f, 0x1.93737cp+0f, 0x1.9c4918p+0f, 0x1.a5503cp+0f,
  0x1.ae89fap+0f, 0x1.b7f770p+0f, 0x1.c199bep+0f, 0x1.cb720ep+0f, 0x1.d5818ep+0f, 0x1.dfc974p+0f,
  0x1.ea4afap+0f, 0x1.f50766p+0f,
};

// What was lost.
static const float exp_factor_low[2 * VECTOR] = {
  0, -0x1.9d4f52p-25f, 0x1.9f3122p-25f, -0x1.fdb496p-25f, -0x1.c15742p-27f, -0x1.d2e8cap-25f, 0x1.ceac48p-25f,
  -0x1.5c0424p-25f, 0x1.4636e2p-25f, -0x1.18aac6p-25f, 0x1.824684p-25f, 0x1.8624b4p-30f, -0x1.593abcp-25f,
  -0x1.2c5610p-25f, -0x1.5bd5ecp-27f, -0x1.f8b550p-25f, 0x1.9fcef4p-26f, 0x1.1d8beep-25f, -0x1.829fd0p-25f,
  -0x1.accc7cp-26f, 0x1.15506ep-27f, -0x1.e64744p-25f, 0x1.51f848p-27f, -0x1.b83b54p-25f, -0x1.a94b14p-26f,
  -0x1.a09438p-25f, -0x1.3d56b2p-27f, -0x1.8837ccp-27f, -0x1.822dbcp-27f, -0x1.908c94p-25f, 0x1.52486cp-27f,
  -0x1.246eb0p-26f,
};

// About 1/m for m with the top bits i after the leading one, from 3/4 to 3/2; 1 next to 1.
static const float log_inverse[2 * VECTOR] = {
  0x1.000000p+0f, 0x1.e90000p-1f, 0x1.db0000p-1f, 0x1.ce0000p-1f, 0x1.c10000p-1f, 0x1.b50000p-1f,
  0x1.aa0000p-1f, 0x1.9f0000p-1f, 0x1.950000p-1f, 0x1.8b0000p-1f, 0x1.820000p-1f, 0x1.790000p-1f,
  0x1.700000p-1f, 0x1.680000p-1f, 0x1.600000p-1f, 0x1.590000p-1f, 0x1.520000p+0f, 0x1.4b0000p+0f,
  0x1.440000p+0f, 0x1.3e0000p+0f, 0x1.380000p+0f, 0x1.320000p+0f, 0x1.2d0000p+0f, 0x1.270000p+0f,
  0x1.220000p+0f, 0x1.1d0000p+0f, 0x1.180000p+0f, 0x1.130000p+0f, 0x1.0f0000p+0f, 0x1.0a0000p+0f,
  0x1.060000p+0f, 0x1.000000p+0f,
};

// The logarithm of 1 / log_inverse, in multiples of 2^-16.
static const float log_of[2 * VECTOR] = {
  0, 0x1.788000p-5f, 0x1.334000p-4f, 0x1.a4e000p-4f, 0x1.0ce800p-3f, 0x1.446000p-3f, 0x1.789800p-3f,
  0x1.ae3000p-3f, 0x1.e02000p-3f, 0x1.09ac00p-2f, 0x1.214400p-2f, 0x1.396c00p-2f, 0x1.522c00p-2f,
  0x1.68ac00p-2f, 0x1.7fb000p-2f, 0x1.944000p-2f, -0x1.1c8800p-2f, -0x1.071c00p-2f, -0x1.e27000p-3f,
  -0x1.bc2800p-3f, -0x1.952800p-3f, -0x1.6d6000p-3f, -0x1.4ba000p-3f, -0x1.226800p-3f, -0x1.fed000p-4f,
  -0x1.b79000p-4f, -0x1.6f1000p-4f, -0x1.254000p-4f, -0x1.d28000p-5f, -0x1.39e000p-5f, -0x1.7b8000p-6f, 0,
};

// What was lost.
static const float log_of_low[2 * VECTOR] = {
  0, 0x1.6568d6p-19f, -0x1.403f3ep-19f, 0x1.d902c6p-18f, -0x1.32333ep-23f, 0x1.5cee4ep-18f, 0x1.b0a88ap-20f,
  -0x1.ac84c6p-18f, 0x1.98c46cp-20f, -0x1.a8d194p-18f, 0x1.5b43aep-20f, 0x1.c6b378p-19f, -0x1.1f8c76p-18f,
  0x1.07d38ep-19f, -0x1.7109fap-20f, 0x1.434a04p-18f, -0x1.8c169ap-18f, 0x1.e80caap-20f, -0x1.db8abcp-21f,
  -0x1.9d0b64p-21f, 0x1.2b185ep-18f, -0x1.fce33ap-20f, -0x1.b79cd2p-18f, 0x1.0e6f5ap-19f, 0x1.bb3890p-18f,
  0x1.bea278p-19f, 0x1.6ba8d4p-19f, 0x1.3a1ebep-21f, 0x1.28ea4ap-18f, -0x1.0f73fep-18f, -0x1.1b07d6p-18f, 0,
};

// arctan(i/16).
static const float arctan_of[2 * VECTOR] = {
  0, 0x1.ff55bcp-5f, 0x1.fd5baap-4f, 0x1.7b97b4p-3f, 0x1.f5b760p-3f, 0x1.362774p-2f, 0x1.6f6194p-2f,
  0x1.a64eecp-2f, 0x1.dac670p-2f, 0x1.0657eap-1f, 0x1.1e00bap-1f, 0x1.345f02p-1f, 0x1.4978fap-1f,
  0x1.5d5898p-1f, 0x1.700a7cp-1f, 0x1.819d0cp-1f, 0x1.921fb6p-1f, 0x1.a1a260p-1f, 0x1.b034f4p-1f,
  0x1.bde70ep-1f, 0x1.cac7c6p-1f, 0x1.d6e57cp-1f, 0x1.e24dd4p-1f, 0x1.ed0d98p-1f, 0x1.f730bep-1f,
  0x1.006132p+0f, 0x1.04e672p+0f, 0x1.092ce4p+0f, 0x1.0d38f2p+0f, 0x1.110eb0p+0f, 0x1.14b1dep+0f,
  0x1.1825f0p+0f,
};

// What was lost.
static const float arctan_of_low[2 * VECTOR] = {
  0, -0x1.1a6042p-30f, -0x1.54f424p-30f, 0x1.79cb60p-28f, -0x1.b4dfc8p-29f, -0x1.1f0286p-27f, 0x1.e4def0p-30f,
  0x1.e611fep-29f, 0x1.586ed4p-28f, -0x1.6499e6p-26f, 0x1.7bdfd6p-26f, -0x1.98e422p-28f, 0x1.934f70p-28f,
  0x1.c5a6c6p-27f, 0x1.5e118cp-27f, -0x1.1d4eb6p-26f, -0x1.777a5cp-26f, -0x1.a6fb60p-26f, -0x1.e6d8dep-27f,
  0x1.a873fcp-26f, -0x1.0f720cp-26f, 0x1.e9e15ap-26f, 0x1.321574p-27f, -0x1.b7df1cp-28f, -0x1.afc12cp-26f,
  0x1.c69ac2p-25f, 0x1.de8076p-26f, 0x1.c614f4p-26f, 0x1.8b7414p-25f, 0x1.fce7dap-30f, -0x1.40de64p-25f,
  0x1.d00c36p-26f,
};

// sin(i/16).
static const float sin_of[2 * VECTOR] = {
  0, 0x1.ffaaaep-5f, 0x1.feaaeep-4f, 0x1.7dc102p-3f, 0x1.faaeeep-3f, 0x1.3ad12ap-2f, 0x1.771026p-2f,
  0x1.b1d830p-2f, 0x1.eaee88p-2f, 0x1.110d0cp-1f, 0x1.2b91dep-1f, 0x1.44eb38p-1f, 0x1.5cffc2p-1f,
  0x1.73b768p-1f, 0x1.88fb76p-1f, 0x1.9cb6aap-1f, 0x1.aed548p-1f, 0x1.bf4536p-1f, 0x1.cdf604p-1f,
  0x1.dad902p-1f, 0x1.e5e150p-1f, 0x1.ef03e4p-1f, 0x1.f6379ep-1f, 0x1.fb754ap-1f, 0x1.feb7aap-1f,
  0x1.fffb7ep-1f, 0x1.ff3f80p-1f, 0x1.fc846ep-1f, 0x1.f7cd02p-1f, 0x1.f11df2p-1f, 0x1.e87deep-1f,
  0x1.ddf596p-1f,
};

// What was lost.
static const float sin_of_low[2 * VECTOR] = {
  0, 0x1.dda9dcp-30f, 0x1.d0ddc6p-29f, 0x1.f75e56p-28f, -0x1.619d52p-28f, -0x1.12c584p-27f, -0x1.5137bep-27f,
  0x1.4c8586p-28f, -0x1.769f42p-27f, 0x1.2da70ep-27f, 0x1.510844p-26f, 0x1.cf386ap-29f, -0x1.280e1ep-26f,
  0x1.bd4af0p-30f, 0x1.02e368p-27f, -0x1.10c66ep-27f, 0x1.e1219ep-26f, 0x1.849770p-26f, 0x1.4395bap-26f,
  0x1.f51590p-26f, -0x1.eebe74p-29f, -0x1.857abcp-30f, -0x1.3cd92cp-26f, -0x1.eaf87ap-26f, -0x1.34e49ep-27f,
  -0x1.818bb6p-26f, -0x1.166cb2p-30f, -0x1.bb1e28p-28f, -0x1.d39f6ep-27f, 0x1.198b6cp-27f, 0x1.ecbce4p-27f,
  -0x1.156378p-26f,
};

// cos(i/16).
static const float cos_of[2 * VECTOR] = {
  0x1.000000p+0f, 0x1.ff0016p-1f, 0x1.fc0156p-1f, 0x1.f706bep-1f, 0x1.f0154ap-1f, 0x1.e733eap-1f,
  0x1.dc6b7ep-1f, 0x1.cfc6d0p-1f, 0x1.c15280p-1f, 0x1.b11d04p-1f, 0x1.9f368ep-1f, 0x1.8bb106p-1f,
  0x1.769fecp-1f, 0x1.601852p-1f, 0x1.4830bep-1f, 0x1.2f0114p-1f, 0x1.14a280p-1f, 0x1.f25ec6p-2f,
  0x1.b98656p-2f, 0x1.7ef484p-2f, 0x1.42e3dep-2f, 0x1.05906ep-2f, 0x1.8e6f08p-3f, 0x1.102ee6p-3f,
  0x1.21bd54p-4f, 0x1.0fd9d6p-7f, -0x1.bbd1b0p-5f, -0x1.dcef14p-4f, -0x1.6d0c44p-3f, -0x1.ea3412p-3f,
  -0x1.32b8eap-2f, -0x1.6f252ap-2f,
};

// What was lost.
static const float cos_of_low[2 * VECTOR] = {
  0, -0x1.56c166p-26f, -0x1.b05486p-26f, -0x1.84c792p-31f, -0x1.0422bep-30f, 0x1.93d3fap-33f, 0x1.732b22p-26f,
  -0x1.6b5498p-27f, 0x1.96df54p-27f, 0x1.62a4c6p-29f, 0x1.b225f0p-26f, -0x1.688dc0p-27f, 0x1.954848p-27f,
  0x1.bd58f8p-27f, -0x1.05662ap-26f, -0x1.b37be4p-26f, 0x1.f6a0d2p-26f, 0x1.70a5f8p-27f, 0x1.ce82cap-29f,
  0x1.785e66p-29f, -0x1.dd09acp-28f, -0x1.3ac826p-30f, -0x1.4acf06p-28f, -0x1.f00142p-28f, 0x1.f8bf34p-29f,
  -0x1.fb6106p-34f, 0x1.bc9612p-33f, -0x1.072cd0p-30f, -0x1.3a7d32p-28f, 0x1.80b1aep-28f, 0x1.56e064p-27f,
  -0x1.5d0c4cp-27f,
};

