// test_machine_legal.c -- each device rule broken by a small kernel in text form, and what is legal on one generation
// only.

#include "machine/legal.h"
#include "core/verify.h"
#include "kernel_text.h"

#include <stdlib.h>

static bool check_on(Session *session, const Kernel *kernel, const char *target)
{
  return core_verify(session, kernel) && machine_check(session, machine_find(target), kernel);
}

static bool on_trn1(Session *session, const Kernel *kernel)
{
  return check_on(session, kernel, "trn1");
}

static bool on_trn2(Session *session, const Kernel *kernel)
{
  return check_on(session, kernel, "trn2");
}

static bool on_trn3(Session *session, const Kernel *kernel)
{
  return check_on(session, kernel, "trn3");
}

#define ONE_TENSOR(declaration)                                                                                        \
  "kernel k() -> ()\ntensor a: " declaration "\ncore 0\nmain:\n  memset a value=0 dtype=float32\n"

static const char *const legal[] = {
    "  tensor_tensor t = u, v op=add engine=dve",
    "  tensor_tensor t = u, p op=add engine=dve",
    "  tensor_tensor t[32:64, 0:512] = u[96:128, 0:512], v[0:32, 0:512] op=add engine=pool",
    "  tensor_tensor t[64:128, 0:512] = u[0:64, 0:512], n op=add",
    "  nc_dma_copy t[5:7, 0:512] = x[1:3, 0:512] oob_mode=$error",
    "  nc_dma_copy t[0:127:2, 0:512] = x[0:64, 0:512] oob_mode=$error",
    "  nc_matmul p = w, t",
    "  nc_matmul p[0:128, 0:128] = m, m",
    "  transpose p[0:128, 0:128] = w engine=pe",
    "  transpose t[0:32, 0:32] = u[0:32, 0:32] engine=dve",
    "  max8 o = t",
    "core 0\nmain:\ncore 1\nmain:\n",
    ONE_TENSOR("float32[128, 512] @psum at (0, 14336)"),
    ONE_TENSOR("uint8[128, 229376] @sbuf"),
};

static const CheckCase broken_on_trn2[] = {
    {ONE_TENSOR("float32[200, 64] @sbuf"), "E0530", {"`a` is a 200-partition tile", "tiles of at most 128"}},
    {ONE_TENSOR("uint8[128, 229377] @sbuf"), "E0538", {"ends at byte 229377", "sbuf has 229376 bytes"}},
    {ONE_TENSOR("float32[128, 4097] @psum"), "E0538", {"psum has 16384 bytes"}},
    {ONE_TENSOR("float32[128, 512] @psum at (0, 14340)"), "E0538", {"ends at byte 16388"}},
    {ONE_TENSOR("float32[64, 512] @sbuf at (96, 0)"), "E0538", {"partitions 96 to 159"}},
    {"  tensor_tensor t[1:2, 0:512] = u[0:1, 0:512], v[0:1, 0:512] op=add",
     "E0531",
     {"`dst` of `tensor_tensor` starts at partition 1", "dma_copy"}},
    {"  nc_copy t[32:96, 0:512] = u[0:64, 0:512]", "E0531", {"starts at partition 32 with 64 partitions"}},
    {"  nc_copy t[32:128, 0:512] = u[0:96, 0:512]", "E0531", {"start-partition"}},
    {"  nc_copy t[0:64:2, 0:512] = u[0:32, 0:512]", "E0531", {"steps over 2 partitions at a time", "partition-stride"}},
    {"  nc_copy t[0:64, 0:512] = u{0; 0*64, 1*512}", "E0531", {"`src` of `nc_copy` repeats one partition"}},
    {"kernel k() -> ()\ntensor a: float32[32, 4] @sbuf at (16, 0)\ncore 0\nmain:\n  memset a[0:32, 0:4] value=0.0 "
     "dtype=float32\n",
     "E0531",
     {"starts at partition 16"}},
    {"kernel k() -> ()\ntensor a: float32[128, 1024] @psum\ntensor b: bfloat16[128, 1024] @sbuf\ncore 0\nmain:\n"
     "  nc_matmul a[0:128, 256:768] = b[0:128, 0:128], b[0:128, 0:512]\n",
     "E0532",
     {"crosses a PSUM bank: bytes 1024 to 3071"}},
    {"kernel k() -> ()\ntensor a: float32[128, 512] @psum at (0, 1024)\ntensor b: bfloat16[128, 512] @sbuf\ncore "
     "0\nmain:\n"
     "  nc_matmul a[0:128, 0:512] = b[0:128, 0:128], b[0:128, 0:512]\n",
     "E0532",
     {"psum-bank"}},
    {"kernel k() -> ()\ntensor a: float32[128, 1024] @psum\ntensor b: bfloat16[128, 1024] @sbuf\ncore 0\nmain:\n"
     "  nc_matmul a = b[0:128, 0:128], b[0:128, 0:1024]\n",
     "E0533",
     {"`moving` of `nc_matmul` has 1024 columns, at most 512"}},
    {"kernel k() -> ()\ntensor a: float32[128, 1024] @psum\ntensor b: bfloat16[128, 512] @sbuf\ncore 0\nmain:\n"
     "  nc_matmul a{0; 1024*128, 2*512} = b[0:128, 0:128], b\n",
     "E0532",
     {"a PSUM bank has 2048"}},
    {"kernel k() -> ()\ntensor a: float32[256, 4] @psum\ntensor b: bfloat16[128, 256] @sbuf\ncore 0\nmain:\n"
     "  nc_matmul a = b, b[0:128, 0:4]\n",
     "E0533",
     {"`stationary` of `nc_matmul` has 256 columns, at most 128"}},
    {"  nc_matmul p = w, t tile_position=[16, 0] tile_size=[32, 128]",
     "E0533",
     {"tile rows of `nc_matmul` has size 32 at 16"}},
    {"  nc_matmul p = w, t tile_position=[0, 0] tile_size=[48, 128]", "E0533", {"array-tile"}},
    {"  nc_matmul p[0:64, 0:256] = w, t perf_mode=DoubleRow", "E0533", {"double-row", "float32 and float32"}},
    {"  nc_matmul p = m, t", "E0536", {"`nc_matmul` of bfloat16 and float32"}},
    {"  nc_matmul p = b[0:128, 0:128], i", "E0536", {"uint32 and uint8"}},
    {"kernel k() -> ()\ntensor a: bfloat16[128, 512] @psum\ntensor b: bfloat16[128, 512] @sbuf\ncore 0\nmain:\n"
     "  nc_matmul a = b[0:128, 0:128], b\n",
     "E0536",
     {"`dst` of `nc_matmul` is bfloat16", "accumulate in a float32 tile"}},
    {"  activate2 t = u op0=mult op1=add imm0=1.0 imm1=0.0 activation_func=exp relu_param=0.0 reduce_op=add",
     "E0534",
     {"NeuronCore-v3 has no instruction `activate2`", "--target trn3"}},
    {"  tensor_tensor t = u, v op=add engine=act", "E0534", {"does not run on the scalar engine", "vector, gpsimd"}},
    {"  nc_dma_copy t = x oob_mode=$error priority=1", "E0534", {"dma-priority"}},
    {"  nc_dma_copy h = x oob_mode=$error dge_mode=2", "E0534", {"hardware-dge", "converts float32 to bfloat16"}},
    {"  tensor_tensor t = u, p op=add engine=pool", "E0535", {"on the gpsimd engine cannot read `src1` in psum"}},
    {"  memset p value=0.0 dtype=float32 engine=pool", "E0535", {"cannot write `dst` in psum"}},
    {"  transpose t[0:128, 0:128] = w engine=pe",
     "E0535",
     {"`transpose` on the tensor engine cannot write `dst` in sbuf"}},
    {"  tensor_tensor t = p, q op=add", "E0535", {"reads both `src0` and `src1` from PSUM", "tensor_copy"}},
    {"  transpose t[0:64, 0:32] = u[0:32, 0:64] engine=dve", "E0537", {"`src` of `transpose` is 32x64, at most 32x32"}},
    {"  max8 o = t[0:128, 0:7]", "E0537", {"a tile of 7 elements per partition", "8 to 16384"}},
    {"kernel k() -> ()\ntensor a: float32[128, 513] @sbuf\ntensor b: float32[128, 6] @sbuf\ncore 0\nmain:\n"
     "  batch_norm_stats b = a\n",
     "E0537",
     {"1 to 512 elements per partition"}},
    {"kernel k() -> ()\ncore 0\nmain:\ncore 1\nmain:\ncore 2\nmain:\n",
     "E0539",
     {"runs on 3 logical cores, NeuronCore-v3 has 2"}},
};

static const CheckCase broken_on_trn1[] = {
    {"  nc_dma_copy t = x oob_mode=$error dge_mode=2", "E0534", {"NeuronCore-v2 has none"}},
    {"kernel k() -> ()\ncore 0\nmain:\ncore 1\nmain:\n", "E0539", {"NeuronCore-v2 has 1"}},
    {ONE_TENSOR("uint8[128, 196609] @sbuf"), "E0538", {"sbuf has 196608 bytes"}},
    {"  nc_copy t = u engine=act", "E0534", {"does not run on the scalar engine"}},
    {"  nc_matmul p = w, t tile_position=[32, 0] tile_size=[32, 128]", "E0533", {"array-tile"}},
    {"kernel k() -> ()\ntensor a: bfloat16[128, 512] @psum\ntensor b: bfloat16[128, 512] @sbuf\ncore 0\nmain:\n"
     "  nc_matmul a = b[0:128, 0:128], b\n",
     "E0536",
     {"`dst` of `nc_matmul` is bfloat16"}},
};

static const char *const legal_on_trn3[] = {
    "  activate2 t = u op0=mult op1=add imm0=1.0 imm1=0.0 activation_func=exp relu_param=0.0 reduce_op=add",
    "  nc_dma_copy t = x oob_mode=$error priority=1",
    "kernel k() -> ()\ntensor a: bfloat16[128, 512] @psum\ntensor b: bfloat16[128, 512] @sbuf\ncore 0\nmain:\n"
    "  nc_matmul a = b[0:128, 0:128], b\n",
    "kernel k() -> ()\ntensor a: float32[128, 4096] @psum\ntensor b: bfloat16[128, 4096] @sbuf\ncore 0\nmain:\n"
    "  nc_matmul a = b[0:128, 0:128], b\n",
};

TEST(machine_accepts_what_is_legal)
{
  expect_accepted(legal, sizeof legal / sizeof *legal, on_trn2);
  expect_accepted(legal_on_trn3, sizeof legal_on_trn3 / sizeof *legal_on_trn3, on_trn3);
}

TEST(machine_names_each_broken_rule)
{
  expect_cases(broken_on_trn2, sizeof broken_on_trn2 / sizeof *broken_on_trn2, on_trn2);
  expect_cases(broken_on_trn1, sizeof broken_on_trn1 / sizeof *broken_on_trn1, on_trn1);
}

// docs/machine.md is what the generator writes; see ops_page_is_current.
TEST(machine_page_is_current)
{
  Session *session = session_new();
  Arena arena = ARENA_INIT;
  StrBuf page = strbuf_new(&arena);
  machine_print_markdown(&page);
  const char *path = KLR_SOURCE_ROOT "/docs/machine.md";
  if (getenv("KLR_BLESS"))
    EXPECT(file_write(session, path, strbuf_str(&page)));
  Str text = STR("");
  EXPECT(file_read(session, &arena, path, &text));
  if (!str_equal(text, strbuf_str(&page)))
    test_fail(__FILE__, __LINE__, "docs/machine.md is not what the tables say; bless it");
  arena_free(&arena);
  session_free(session);
}
