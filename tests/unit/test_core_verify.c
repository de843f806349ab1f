// test_core_verify.c -- each rule of the verifier broken by a small kernel in text form.

#include "core/verify.h"
#include "core/random.h"
#include "machine/legal.h"
#include "kernel_text.h"

static const char *const legal[] = {
    "  tensor_tensor t[0:128, 0:512] = u[0:128, 0:512], v[0:128, 0:512] op=add engine=dve",
    "  tensor_tensor t[0:128, 0:512] = d[0:128, 0:2, 0:256], v[0:128, 0:512] op=add",
    "  tensor_tensor t[64:128, 0:512] = n[0:64, 0:512], p[0:64, 0:512] op=add",
    "  nc_matmul p[0:128, 0:512] = w[0:128, 0:128], t[0:128, 0:512]",
    "  nc_matmul p[0:128, 0:512] = k[0:64, 0:128], t[0:64, 0:512]",
    "  nc_dma_copy t[0:128, 0:512] = x[0:128, 0:512] oob_mode=$error",
    "  nc_dma_copy t = x{0; 512*128, 1*512; vector=s[0:1, 0:1]; dim=0} oob_mode=$skip",
    "  tensor_scalar t = u imm0=2.0 op0=mult imm1=c[0:128, 0:1] op1=add",
    "  tensor_reduce c[0:128, 0:1] = t[0:128, 0:512] op=add op_dim=X",
    "  tensor_reduce d[0:128, 0:2, 0] = d[0:128, 0:2, 0:256] op=add op_dim=X",
    "  tensor_reduce c = d[0:128, 0:2, 0:256] op=max op_dim=XYZW",
    "  nc_activate t = u activation_func=exp scale=1.0 bias=c reduce_res=c",
    "  transpose p[0:128, 0:64] = t[0:64, 0:128] engine=pe",
    "  nc_copy t{0; 1024*128, 1*1024}:float32>uint16 = t{0; 1024*128, 1*1024}:float32>bfloat16",
    "core 0\nmain:\n  register_move %i imm=0\n  register_move %n imm=4\n  if %i < %n goto body else exit\n"
    "body:\n  nc_dma_copy t[0:1, 0:512] = x{0; 512*1, 1*512; scalar=%i; dim=0} oob_mode=$error\n"
    "  register_alu_op %i = %i imm=1 op=add\n  if %i < %n goto body else exit\nexit:\n  tensor_store s = %i\n",
    "kernel k() -> ()\ncore 0\nmain:\n",
};

static const CheckCase broken[] = {
    // structure
    {"kernel k() -> ()\n", "E0510", {"kernel `k` has no core"}},
    {"kernel k() -> ()\ncore 0\n", "E0510", {"core 0 has no block"}},
    {"core 0\na:\n  goto b\na:\n", "E0510", {"two blocks are labelled `a`"}},
    {"core 0\na:\n  goto b\n", "E0510", {"no block is labelled `b`", "label-defined"}},
    {"core 0\na:\n  register_move %i imm=0\n  if %i < 3 goto a else c\n", "E0510", {"no block is labelled `c`"}},
    {"core 0\na:\n  goto a\n  goto a\n", "E0510", {"a branch stands in the middle of block `a`"}},
    {"core 0\na:\n  register_move %i imm=0\nb:\n", "E0510", {"block `a` does not end with a jump"}},
    // registers
    {"  tensor_store s = %i", "E0512", {"register `i` may be read before it is set"}},
    {"  register_alu_op %i = %i imm=1 op=add", "E0512", {NULL}},
    {"  nc_dma_copy t = x{0; 512*128, 1*512; scalar=%r; dim=0} oob_mode=$error", "E0512", {"register `r`"}},
    {"core 0\na:\n  register_move %i imm=0\n  if %i < 3 goto b else c\nb:\n  register_move %k imm=1\n  goto c\n"
     "c:\n  tensor_store s = %k\n",
     "E0512",
     {"register `k`"}},
    {"core 0\na:\n  register_move %i imm=0\n  if %i < %z goto b else b\nb:\n", "E0512", {"register `z`"}},
    // cores
    {"core 0\na:\n  goto b\nb:\ncore 1\na:\n", "E0511", {"core 1 has 1 blocks, core 0 has 2"}},
    {"core 0\na:\ncore 1\nb:\n", "E0511", {"block 0 is `b` on core 1, `a` on core 0"}},
    {"core 0\na:\n  goto a\nb:\ncore 1\na:\n  goto b\nb:\n", "E0511", {"block `a` ends differently"}},
    // tensors
    {"kernel k(x) -> ()\ntensor x: float32[0, 4] @hbm\ncore 0\nmain:\n",
     "E0513",
     {"tensor `x` has a dimension of size 0"}},
    {"kernel k(x) -> ()\ntensor x: float32[4, 4] @hbm elements=5\ncore 0\nmain:\n", "E0513", {"claims 5 elements"}},
    {"kernel k(x) -> ()\ntensor x: float32[4, 4] @hbm in a[4, 15]\ncore 0\nmain:\n", "E0513", {"needs 4 x 16 bytes"}},
    {"kernel k(x) -> ()\ntensor x: float32[4, 4] @hbm in a[3, 16]\ncore 0\nmain:\n", "E0513", {"tensor-fits"}},
    {"kernel k(x) -> ()\ntensor x: float32[4294967296, 4294967296] @hbm\ncore 0\nmain:\n",
     "E0513",
     {"too many elements"}},
    {"kernel k(x, x~2) -> ()\ntensor x: float32[4, 4] @hbm\ntensor x~2: float32[4, 5] @hbm\ncore 0\nmain:\n",
     "E0513",
     {"two different tensors are called `x`"}},
    {"kernel k(x) -> (y)\ntensor x: float32[4, 4] @hbm\ntensor y: float32[4, 4] @sbuf\ncore 0\nmain:\n",
     "E0513",
     {"output `y` is in sbuf"}},
    // bounds
    {"  nc_copy t{0; 512*129, 1*512} = t{0; 512*129, 1*512}",
     "E0514",
     {"reaches outside of tensor `t`", "partitions 0 to 128"}},
    {"  nc_copy t{0; 512*128, 1*513} = t{0; 512*128, 1*513}", "E0514", {"elements 0 to 512 of a partition"}},
    {"  nc_copy t{1; 512*128, 1*512} = u[0:128, 0:512]", "E0514", {"elements 1 to 512"}},
    {"  nc_copy t{0; 512*128, -1*512} = u[0:128, 0:512]", "E0514", {"elements -511 to 0"}},
    {"  nc_copy t{0; 256*128, 1*512} = u[0:128, 0:512]", "E0514", {"a step of 256 between partitions"}},
    {"  nc_copy t{0; 1024*128, 1*1025}:float32>uint16 = t{0; 1024*128, 1*1025}:float32>uint16", "E0514", {NULL}},
    {"  nc_dma_copy t = x{1; 512*128, 1*512} oob_mode=$error", "E0514", {"elements 1 to 65536"}},
    {"  nc_dma_copy t = x{0; 512*129, 1*512; scalar=s[0:1, 0:1]; dim=0} oob_mode=$error", "E0514", {NULL}},
    {"  nc_dma_copy t = x{0; 512*128, 1*512; vector=s{0; 1*1, 1*2}; dim=0} oob_mode=$error", "E0514", {"tensor `s`"}},
    // shapes
    {"  tensor_tensor t = n, u op=add",
     "E0515",
     {"`dst` of `tensor_tensor` is 128x512, `src0` is 64x512", "same-partitions"}},
    {"  tensor_tensor t = c, u op=add", "E0515", {"`src0` is 128x1", "same-free", "`tensor_scalar` combines a tile"}},
    {"  tensor_scalar t = u imm0=v op0=add", "E0515", {"`imm0` of `tensor_scalar` is 128x512", "column"}},
    {"  tensor_scalar t = u imm0=n[0:64, 0:1] op0=add", "E0515", {"is 64x1"}},
    {"  nc_matmul p = k, t", "E0515", {"`stationary` of `nc_matmul` is 64x128, `moving` is 128x512", "matmul-k"}},
    {"  nc_matmul p[0:64, 0:512] = w, t", "E0515", {"matmul-m"}},
    {"  nc_matmul p[0:128, 0:256] = w, t", "E0515", {"matmul-n"}},
    {"  nc_dma_copy t[0:128, 0:256] = x oob_mode=$error", "E0515", {"same-elements"}},
    {"  dma_compute y = [x, t[0:64, 0:512]] reduce_op=add",
     "E0515",
     {"`dst` of `dma_compute` is 128x512, `srcs` is 64x512"}},
    {"  max8 c = t", "E0515", {"free-size", ": 8"}},
    {"  batch_norm_stats o = t", "E0515", {"free-size", ": 6"}},
    {"  batch_norm_aggregate o[0:128, 0:2] = t", "E0515", {"free-multiple"}},
    {"  tensor_reduce c = d[0:128, 0:2, 0:256] op=add op_dim=X", "E0515", {"reduced"}},
    {"  transpose p[0:64, 0:64] = t[0:64, 0:128]", "E0515", {"transposed"}},
    {"  iota b pattern=(0 + 0*p; 1*511)", "E0515", {"the pattern has 511 positions"}},
    {"  tensor_load %i = t[0:1, 0:2]", "E0515", {"one-element"}},
    {"  tensor_partition_reduce t = u op=add", "E0515", {"partition-count"}},
    {"  nonzero_with_count t = u index_offset=0 padding_val=-1", "E0515", {"free-more"}},
    // dtypes
    {"  copy_predicated t = u, v", "E0516", {"`predicate` of `copy_predicated` is float32", "integer"}},
    {"  copy_predicated t = h, i", "E0516", {"same-dtype", "bfloat16"}},
    {"  tensor_tensor t = u, v op=bitwise_and", "E0516", {"bitwise-integers"}},
    {"  nc_matmul_mx p = w, t, c, c", "E0516", {"packed"}},
    {"  dma_transpose h[0:128, 0:128] = x[0:128, 0:128] axes=None oob_mode=$skip", "E0516", {"same-dtype"}},
    // values
    {"  tensor_scalar b = b imm0=3 op0=bitwise_and imm1=2 op1=add",
     "E0518",
     {"`op1` of `tensor_scalar` is add", "alu-group", "two instructions"}},
    {"  tensor_reduce c = t op=is_gt op_dim=X", "E0518", {"reduction"}},
    {"  nc_affine_select t = u pred=(0 + 1*p; 1*512) on_false_value=0.0 cmp_op=add",
     "E0518",
     {"`cmp_op` of `nc_affine_select` is add"}},
    {"  iota b pattern=(0 + 0*p; 1*2, 1*2, 1*2, 1*2, 1*32)", "E0518", {"pattern-rank", "a list of 5"}},
    {"  shuffle t[0:32, 0:512] = u[0:32, 0:512] shuffle_mask=[1, 2]", "E0518", {"a list of 2"}},
    {"  nc_matmul p = w, t tile_size=[64, 64]", "E0518", {"array-tile-pair"}},
    {"  dma_compute y = [x] reduce_op=max", "E0518", {"`reduce_op` of `dma_compute` is max"}},
    {"  dma_compute y = [x, x] scales=[1.0] reduce_op=add", "E0518", {"one factor for each source"}},
    // memories
    {"  tensor_tensor t = x, u op=add", "E0517", {"`tensor_tensor` cannot read `src0` in hbm", "dma_copy"}},
    {"  nc_matmul t = w, u", "E0517", {"`nc_matmul` cannot write `dst` in sbuf"}},
    {"  nc_matmul p = w, q", "E0517", {"`nc_matmul` cannot read `moving` in psum", "tensor_copy"}},
    {"  nc_dma_copy p = x oob_mode=$error", "E0517", {"cannot write `dst` in psum"}},
    {"  nc_dma_copy y = p oob_mode=$error", "E0517", {"cannot read `src` in psum"}},
    {"  iota p pattern=(0 + 0*p; 1*512)", "E0517", {NULL}},
};

TEST(verify_accepts_what_is_right)
{
  expect_accepted(legal, sizeof legal / sizeof *legal, core_verify);
}

TEST(verify_names_each_broken_rule)
{
  expect_cases(broken, sizeof broken / sizeof *broken, core_verify);
}

static size_t errors_in(const char *text)
{
  Session *session = session_new();
  Arena arena = ARENA_INIT;
  Kernel *kernel = core_parse_text(session, &arena, session_add_source(session, "k.txt", str_from(text)));
  EXPECT(kernel != NULL);
  core_verify(session, kernel);
  size_t count = session->error_count;
  arena_free(&arena);
  session_free(session);
  return count;
}

TEST(verify_says_a_thing_once_for_each_place)
{
  // The same line of the kernel's file, unrolled: positions are equal, so is the error.
  EXPECT_INT(
      errors_in("kernel k() -> ()\ntensor t: float32[128, 4] @sbuf\ntensor c: float32[128, 1] @sbuf\ncore 0\nmain:\n"
                "  nc_copy t = c\n  nc_copy t = c\n  nc_copy t = c\n"),
      ==, 3);  // three lines of text
  Session *session = session_new();
  Arena arena = ARENA_INIT;
  Kernel *kernel = core_parse_text(
      session, &arena,
      session_add_source(
          session, "k.txt",
          STR("kernel k() -> ()\ntensor t: float32[128, 4] @sbuf\ntensor c: float32[128, 1] @sbuf\ncore 0\nmain:\n"
              "  nc_copy t = c\n  nc_copy t = c\n  nc_copy t = c\n")));
  const Block *block = kernel->bodies.items[0].items[0];
  for (uint32_t i = 1; i < block->body.count; i++)
    ((Instr *)(uintptr_t)block->body.items[i])->pos = block->body.items[0]->pos;
  EXPECT(!core_verify(session, kernel));
  EXPECT_INT(session->error_count, ==, 1);
  arena_free(&arena);
  session_free(session);
}

TEST(verify_points_at_the_file_and_the_calls)
{
  Session *session = session_new();
  Arena arena = ARENA_INIT;
  Kernel *kernel = core_parse_text(
      session, &arena,
      session_add_source(
          session, "k.txt",
          STR("kernel k() -> ()\ntensor t: float32[128, 4] @sbuf\ntensor c: float32[128, 1] @sbuf\ncore 0\nmain:\n"
              "  nc_copy t = c\n  nc_copy c = t\n")));
  Source *python = session_add_source(session, "kernel.py", STR("def f(a):\n  copy(a)\nf(x)\n"));
  uint32_t id = session_source_id(session, python);
  CallSite site = {{id, 20, 24}, "f", NULL};
  Pos traced = {.span = {id, 12, 19}, .caller = &site}, loaded = {.line = 7, .column = 2, .filename = "other.py"};
  const Block *block = kernel->bodies.items[0].items[0];
  ((Instr *)(uintptr_t)block->body.items[0])->pos = &traced;
  ((Instr *)(uintptr_t)block->body.items[1])->pos = &loaded;
  EXPECT(!core_verify(session, kernel));
  StrBuf out = strbuf_new(&arena);
  diag_print_text(session, &out, false);
  const char *said = strbuf_cstr(&out);
  EXPECT(strstr(said, "kernel.py:2:3") != NULL);
  EXPECT(strstr(said, "in the call of `f`") != NULL);
  EXPECT(strstr(said, "kernel.py:3:1") != NULL);
  EXPECT(strstr(said, "other.py:7") != NULL);
  arena_free(&arena);
  session_free(session);
}

// Whatever a file may hold is judged without a crash; the sanitizers watch.
TEST(verify_survives_random_kernels)
{
  for (uint64_t seed = 0; seed < 200; seed++) {
    Session *session = session_new();
    Arena arena = ARENA_INIT;
    session->error_limit = 10;
    RandomOptions options = {.op_count = seed % 2 ? 20 : 0,
                             .block_count = 1 + seed % 4,
                             .core_count = 1 + (uint32_t)(seed % 2),
                             .raw = seed & 1,
                             .extensions = seed & 2,
                             .wide_numbers = seed & 4};
    Kernel *kernel = random_kernel(&arena, seed, options);
    bool ok = core_verify(session, kernel);
    EXPECT_INT(ok, ==, session->error_count == 0);
    size_t before = session->error_count;
    ok = machine_check(session, machine_default(), kernel);
    EXPECT_INT(ok, ==, session->error_count == before);
    arena_free(&arena);
    session_free(session);
  }
}
