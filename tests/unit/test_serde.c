#include "core/random.h"
#include "serde/klr_file.h"
#include "test.h"

#include <stdio.h>

typedef struct Fixture {
  Session *session;
  Arena arena;
} Fixture;

static Fixture begin(void)
{
  return (Fixture){session_new(), ARENA_INIT};
}

static void finish(Fixture *f)
{
  session_free(f->session);
  arena_free(&f->arena);
}

static Str bytes_of(const StrBuf *buf)
{
  return (Str){buf->data, buf->len};
}

static const char *first_message(const Session *session)
{
  return session->diags.count ? session->diags.items[0]->message : "(no error)";
}

// `text` is hexadecimal with spaces; true when `bytes` holds it at *at, which then moves past it.
static bool has_hex(Str bytes, size_t *at, const char *text)
{
  unsigned value;
  int used;
  while (sscanf(text, " %2x%n", &value, &used) == 1) {
    if (*at >= bytes.len || (unsigned char)bytes.data[*at] != value) {
      fprintf(stderr, "at byte %zu: 0x%02x, expected %02x\n", *at, *at < bytes.len ? (unsigned char)bytes.data[*at] : 0,
              value);
      return false;
    }
    ++*at;
    text += used;
  }
  return true;
}

static const Tensor *named_tensor(Arena *arena, const char *name, Memory memory)
{
  Tensor *tensor = arena_new(arena, Tensor);
  Address *address = arena_new(arena, Address);
  uint64_t *dims = arena_array(arena, uint64_t, 1);
  dims[0] = 512;
  *address = (Address){.name = name, .memory = memory, .par_size = 128, .free_size = 2048};
  *tensor = (Tensor){.name = name,
                     .dtype = DTYPE_FLOAT32,
                     .shape = {128, {dims, 1}},
                     .address = address,
                     .free_elements = 512,
                     .address_rotation = true};
  return tensor;
}

static TensorRef whole(Arena *arena, const Tensor *tensor)
{
  View *view = arena_new(arena, View);
  view->tensor = tensor;
  view->pattern = (Core_LIST_AP_PAIR){arena_array(arena, ApPair, 2), 2};
  view->pattern.items[0] = (ApPair){512, 128, 0};
  view->pattern.items[1] = (ApPair){1, 512, 0};
  return ref_of_view(view);
}

static const Instr *new_instr(Arena *arena, Op *op, const char *name)
{
  Instr *instr = arena_new(arena, Instr);
  Pos *pos = arena_new(arena, Pos);
  *pos = (Pos){.line = 3, .column = 2, .line_end = {true, 3}, .column_end = {true, 9}, .filename = "k.py"};
  *instr = (Instr){op, name, pos};
  return instr;
}

// The kernel of docs/format.md's example: a copy from HBM and a multiplication by 1.5.
static const Kernel *example_kernel(Arena *arena)
{
  const Tensor *a = named_tensor(arena, "a", MEMORY_HBM), *t0 = named_tensor(arena, "t0", MEMORY_SBUF);
  Op *copy = op_new(arena, OP_nc_dma_copy), *scale = op_new(arena, OP_tensor_scalar);
  copy->nc_dma_copy.dst = whole(arena, t0);
  copy->nc_dma_copy.src = whole(arena, a);
  copy->nc_dma_copy.oob_mode.ctor = DmaBounds_error;
  scale->tensor_scalar.dst = scale->tensor_scalar.src = whole(arena, t0);
  scale->tensor_scalar.imm0 = (Operand){.ctor = Operand_imm, .imm = {.ctor = Immediate_real, .real = 1.5f}};
  scale->tensor_scalar.op0 = ALU_OP_MULT;
  Block *block = arena_new(arena, Block);
  *block = (Block){.label = "main.1", .body = {arena_array(arena, const Instr *, 2), 2}};
  block->body.items[0] = new_instr(arena, copy, "inst.1");
  block->body.items[1] = new_instr(arena, scale, NULL);
  Kernel *kernel = arena_new(arena, Kernel);
  const Tensor **tensors = arena_array(arena, const Tensor *, 1);
  const Block **blocks = arena_array(arena, const Block *, 1);
  tensors[0] = a;
  blocks[0] = block;
  kernel->name = "k.kernel";
  kernel->inputs = kernel->outputs = (Core_LIST_TENSOR){tensors, 1};
  kernel->bodies = (Core_LIST_LIST_BLOCK){arena_new(arena, Core_LIST_BLOCK), 1};
  kernel->bodies.items[0] = (Core_LIST_BLOCK){blocks, 1};
  return kernel;
}

TEST(a_file_has_the_bytes_of_the_format)
{
  Fixture f = begin();
  StrBuf out = strbuf_new(&f.arena);
  EXPECT(klr_write(f.session, example_kernel(&f.arena), &out));
  Str bytes = bytes_of(&out);
  static const char tensor_a[] = "d9720088 6161 d96f0580 d9700082 1880 81 190200 d9710087 6161 d96e0080 1880 190800"
                                 "d9ff0080 d9ff0080 f4 190200 f5";
  size_t at = 0;
  EXPECT(has_hex(bytes, &at, "d9d9f783 00 00 0c  d9eb0081 63 4e4b49  d9ec0381  d96c0087 68 6b2e6b65726e656c"));
  EXPECT(has_hex(bytes, &at, "81") && has_hex(bytes, &at, tensor_a));
  EXPECT(has_hex(bytes, &at, "81") && has_hex(bytes, &at, tensor_a));
  EXPECT(has_hex(bytes, &at, "81 81 d9680083 66 6d61696e2e31 f4  82"));
  EXPECT(has_hex(bytes, &at, "d9670083 d9da0b81 d9990088 d9800081 d97d0381 d97c0087"));
  EXPECT(
      has_hex(bytes, &at, "d9720088 62 7430 d96f0580 d9700082 1880 81 190200 d9710087 62 7430 d96e0180 1880 190800"));
  EXPECT(has_hex(bytes, &at, "d9ff0080 d9ff0080 f4 190200 f5"));
  EXPECT(has_hex(bytes, &at, "00 82 d9770083 190200 1880 00 d9770083 01 190200 00 d9ff0080 d9ff0080 00 d9ff0080"));
  EXPECT(has_hex(bytes, &at, "d9800081 d97d0381 d97c0087") && has_hex(bytes, &at, tensor_a));
  EXPECT(has_hex(bytes, &at, "00 82 d9770083 190200 1880 00 d9770083 01 190200 00 d9ff0080 d9ff0080 00 d9ff0080"));
  EXPECT(has_hex(bytes, &at, "d98c0080 d98d0180 00 f4 d9ff0080 d9820080"));
  EXPECT(has_hex(bytes, &at, "d9ff0181 66 696e73742e31  d9640085 03 02 d9ff018103 d9ff018109 d9ff0181 64 6b2e7079"));
  EXPECT(has_hex(bytes, &at, "d9670083 d9da2181 d9b40089"));
  EXPECT(has_hex((Str){bytes.data + bytes.len - 3, 3}, &(size_t){0}, "80 80 80"));
  finish(&f);
}

// Encodes, decodes and encodes again in every form.
static void check_round_trips(uint64_t seed, RandomOptions options)
{
  Fixture f = begin();
  const Kernel *kernel = random_kernel(&f.arena, seed, options);
  StrBuf bytes = strbuf_new(&f.arena), again = strbuf_new(&f.arena), json = strbuf_new(&f.arena),
         sexp = strbuf_new(&f.arena);
  KlrFile written = {.contents = KLR_CONTENTS_LNC, .kernel = kernel};
  if (options.core_count <= 1 && seed % 4 == 0)
    written.contents = KLR_CONTENTS_KERNEL;
  EXPECT(klr_write_file(f.session, &written, &bytes));
  KlrFile *file = klr_read(f.session, &f.arena, bytes_of(&bytes), "random.klr");
  EXPECT(file != NULL);
  if (file) {
    EXPECT(written.contents == KLR_CONTENTS_KERNEL || core_equal(&core_type_Kernel, kernel, file->kernel));
    EXPECT(klr_write_file(f.session, file, &again));
    EXPECT(str_equal(bytes_of(&bytes), bytes_of(&again)));
    EXPECT(klr_to_json(f.session, file, 0, &json));
    file = klr_from_json(f.session, &f.arena, bytes_of(&json), "random.json");
    EXPECT(file && klr_to_sexp(f.session, file, &sexp));
    file = file ? klr_from_sexp(f.session, &f.arena, bytes_of(&sexp), "random.sexp") : NULL;
    again.len = 0;
    EXPECT(file && klr_write_file(f.session, file, &again) && str_equal(bytes_of(&bytes), bytes_of(&again)));
  }
  if (f.session->error_count)
    test_fail(__FILE__, __LINE__, "seed %d: %s", (int)seed, first_message(f.session));
  finish(&f);
}

TEST(random_kernels_round_trip_in_every_form)
{
  for (uint64_t seed = 0; seed < 400; seed++) {
    check_round_trips(seed, (RandomOptions){.op_count = 1 + seed % 7, .raw = true});
    check_round_trips(seed, (RandomOptions){.op_count = 3, .block_count = 2, .core_count = 1 + seed % 3});
    check_round_trips(seed, (RandomOptions){.op_count = 4, .raw = true, .extensions = true});
  }
  check_round_trips(1, (RandomOptions){.raw = true});
  check_round_trips(1, (RandomOptions){.raw = true, .extensions = true});
}

TEST(wide_numbers_round_trip_as_text)
{
  for (uint64_t seed = 0; seed < 100; seed++) {
    Fixture f = begin();
    Kernel *kernel = random_kernel(&f.arena, seed, (RandomOptions){.op_count = 5, .raw = true, .wide_numbers = true});
    Kernel from_json = {0}, from_sexp = {0};
    StrBuf json = strbuf_new(&f.arena), sexp = strbuf_new(&f.arena);
    EXPECT(core_to_json(f.session, &core_type_Kernel, kernel, 2, &json));
    EXPECT(core_from_json(f.session, &f.arena, &core_type_Kernel, bytes_of(&json), "a.json", &from_json));
    EXPECT(core_equal(&core_type_Kernel, kernel, &from_json));
    EXPECT(core_to_sexp(f.session, &core_type_Kernel, kernel, &sexp));
    EXPECT(core_from_sexp(f.session, &f.arena, &core_type_Kernel, bytes_of(&sexp), "a.sexp", &from_sexp));
    EXPECT(core_equal(&core_type_Kernel, kernel, &from_sexp));
    if (f.session->error_count)
      test_fail(__FILE__, __LINE__, "%s", first_message(f.session));
    finish(&f);
  }
}

TEST(extensions_change_the_format_name_only_when_used)
{
  Fixture f = begin();
  StrBuf plain = strbuf_new(&f.arena), extended = strbuf_new(&f.arena);
  Kernel *kernel = random_kernel(&f.arena, 1, (RandomOptions){0});
  EXPECT(klr_write(f.session, kernel, &plain));
  EXPECT(memcmp(plain.data + 11, "\x63NKI\xd9", 5) == 0);
  for (uint32_t i = 0; i < kernel->bodies.items[0].items[0]->body.count; i++) {
    Op *op = kernel->bodies.items[0].items[0]->body.items[i]->op;
    if (op->kind == OP_nc_matmul)
      op->nc_matmul.accumulate = (Core_OPT_BOOL){true, false};
  }
  EXPECT(klr_write(f.session, kernel, &extended));
  EXPECT(memcmp(extended.data + 11, "\x67NKI+klr\xd9", 9) == 0);
  EXPECT_INT(extended.len, ==, plain.len + 4 + 5);
  KlrFile *file = klr_read(f.session, &f.arena, bytes_of(&extended), "e.klr");
  EXPECT(file && file->has_extensions && core_equal(&core_type_Kernel, kernel, file->kernel));
  // The same bytes under the plain name are refused.
  StrBuf forged = strbuf_new(&f.arena);
  strbuf_add(&forged, plain.data, 15);
  strbuf_add(&forged, extended.data + 19, extended.len - 19);
  EXPECT(klr_read(f.session, &f.arena, bytes_of(&forged), "f.klr") == NULL);
  EXPECT(strstr(first_message(f.session), "`NcMatMul` has 10 fields, which only files of format `NKI+klr` may have"));
  finish(&f);
}

TEST(equal_tensors_and_texts_are_read_as_one)
{
  Fixture f = begin();
  StrBuf out = strbuf_new(&f.arena);
  EXPECT(klr_write(f.session, example_kernel(&f.arena), &out));
  KlrFile *file = klr_read(f.session, &f.arena, bytes_of(&out), "k.klr");
  EXPECT(file != NULL);
  if (file) {
    const Kernel *kernel = file->kernel;
    const Block *block = kernel->bodies.items[0].items[0];
    const Op *copy = block->body.items[0]->op, *scale = block->body.items[1]->op;
    EXPECT(kernel->inputs.items[0] == kernel->outputs.items[0]);
    EXPECT(kernel->inputs.items[0] == copy->nc_dma_copy.src.abstract.view->tensor);
    EXPECT(copy->nc_dma_copy.dst.abstract.view->tensor == scale->tensor_scalar.src.abstract.view->tensor);
    EXPECT(kernel->inputs.items[0]->name == kernel->inputs.items[0]->address->name);
    EXPECT(block->body.items[0]->pos == block->body.items[1]->pos);
    EXPECT_INT(copy->nc_dma_copy.src.abstract.view->tensor->id, ==, 0);
    EXPECT_INT(copy->nc_dma_copy.dst.abstract.view->tensor->id, ==, 1);
  }
  finish(&f);
}

// Reading fails with exactly one error of room E07xx that names a byte.
static void expect_clean_failure(Str bytes, const char *what)
{
  Fixture f = begin();
  KlrFile *file = klr_read(f.session, &f.arena, bytes, "damaged.klr");
  if (file)
    test_fail(__FILE__, __LINE__, "%s: was read", what);
  else if (f.session->error_count != 1 || !strstr(first_message(f.session), "byte "))
    test_fail(__FILE__, __LINE__, "%s: %d errors, first: %s", what, (int)f.session->error_count,
              first_message(f.session));
  finish(&f);
}

TEST(every_truncation_is_a_clean_error)
{
  Fixture f = begin();
  StrBuf out = strbuf_new(&f.arena);
  EXPECT(klr_write(f.session, random_kernel(&f.arena, 7, (RandomOptions){.op_count = 20, .raw = true}), &out));
  for (size_t len = 0; len < out.len; len++)
    expect_clean_failure((Str){out.data, len}, arena_printf(&f.arena, "truncated to %zu", len));
  strbuf_putc(&out, 0);
  expect_clean_failure(bytes_of(&out), "a byte too many");
  finish(&f);
}

static uint64_t next_random(uint64_t *state)
{
  *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return *state >> 33;
}

TEST(random_corruptions_fail_or_decode_to_what_encodes_to_the_same_bytes)
{
  Fixture f = begin();
  StrBuf out = strbuf_new(&f.arena);
  EXPECT(klr_write(f.session, random_kernel(&f.arena, 3, (RandomOptions){.raw = true}), &out));
  uint64_t state = 1;
  int accepted = 0;
  for (int i = 0; i < 600; i++) {
    Fixture g = begin();
    char *copy = arena_strndup(&g.arena, out.data, out.len);
    for (uint64_t k = next_random(&state) % 3 + 1; k > 0; k--)
      copy[next_random(&state) % out.len] = (char)next_random(&state);
    KlrFile *file = klr_read(g.session, &g.arena, (Str){copy, out.len}, "c.klr");
    StrBuf again = strbuf_new(&g.arena), dump = strbuf_new(&g.arena);
    if (file) {
      accepted++;
      EXPECT(klr_write_file(g.session, file, &again));
      EXPECT(str_equal((Str){copy, out.len}, bytes_of(&again)));
    } else {
      EXPECT_INT(g.session->error_count, ==, 1);
      EXPECT(!klr_dump_bytes(g.session, (Str){copy, out.len}, "c.klr", &dump));
      EXPECT(strstr(strbuf_cstr(&dump), "reading stops here"));
    }
    finish(&g);
  }
  EXPECT(accepted > 5 && accepted < 550);
  finish(&f);
}

// The bytes that the lines of a dump show, in order.
static Str bytes_of_dump(Arena *arena, const char *dump)
{
  StrBuf bytes = strbuf_new(arena);
  strbuf_puts(&bytes, "");
  for (const char *line = dump; *line; line = strchr(line, '\n') + 1) {
    const char *at = strchr(line, ' ') + 2;
    unsigned value;
    for (int i = 0; i < 12 && at[0] != ' ' && at[0] != '-' && sscanf(at, "%2x", &value) == 1; i++) {
      strbuf_putc(&bytes, (char)value);
      at += 2;
      if (*at != ' ')
        break;
      at++;
    }
  }
  return bytes_of(&bytes);
}

TEST(a_dump_names_every_byte)
{
  Fixture f = begin();
  StrBuf out = strbuf_new(&f.arena), dump = strbuf_new(&f.arena);
  EXPECT(klr_write(f.session, example_kernel(&f.arena), &out));
  EXPECT(klr_dump_bytes(f.session, bytes_of(&out), "k.klr", &dump));
  EXPECT(str_equal(bytes_of(&out), bytes_of_dump(&f.arena, strbuf_cstr(&dump))));
  EXPECT(strstr(strbuf_cstr(&dump), "\n0013  d9 6c 00 87                          LncKernel, 7 fields\n"));
  EXPECT(strstr(strbuf_cstr(&dump),
                "bodies[0][0].body[0].op.ncDmaCopy.dst.abstract.birPattern.tensor.name  text \"t0\"\n"));
  EXPECT(strstr(strbuf_cstr(&dump), "bodies[0][0].body[1].op.tensorScalar.imm0.imm.float  float32 1.5\n"));
  EXPECT(!strstr(strbuf_cstr(&dump), "not understood"));
  for (size_t len = 0; len < out.len; len += 13) {
    dump.len = 0;
    EXPECT(!klr_dump_bytes(f.session, (Str){out.data, len}, "k.klr", &dump));
    EXPECT(str_equal((Str){out.data, len}, bytes_of_dump(&f.arena, len ? strbuf_cstr(&dump) : "")));
  }
  finish(&f);
}

static void expect_write_error(const Kernel *kernel, const char *code, const char *message, const char *note)
{
  Fixture f = begin();
  StrBuf out = strbuf_new(&f.arena);
  strbuf_puts(&out, "kept");
  EXPECT(!klr_write(f.session, kernel, &out));
  EXPECT_INT(out.len, ==, 4);
  EXPECT_INT(f.session->error_count, ==, 1);
  if (f.session->error_count) {
    const Diag *diag = f.session->diags.items[0];
    EXPECT_TEXT(diag_info(diag->code)->code, code);
    EXPECT_TEXT(diag->message, message);
    EXPECT_TEXT(diag->notes.count ? diag->notes.items[0] : "", note);
  }
  finish(&f);
}

TEST(what_a_file_cannot_hold_names_field_and_instruction)
{
  Fixture f = begin();
  const Kernel *kernel = example_kernel(&f.arena);
  View *view = (View *)kernel->bodies.items[0].items[0]->body.items[0]->op->nc_dma_copy.src.abstract.view;
  view->offset = UINT64_C(1) << 32;
  expect_write_error(
      kernel, "E0704",
      "`bodies[0][0].body[0].op.ncDmaCopy.src.abstract.birPattern.offset` is 4294967296, but .klr files hold "
      "numbers up to 4294967295",
      "in instruction `inst.1`, a `nc_dma_copy`");
  view->offset = 0;
  Instr *instr = (Instr *)kernel->bodies.items[0].items[0]->body.items[1];
  instr->name = "\xC3";
  expect_write_error(kernel, "E0705", "`bodies[0][0].body[1].name` is not valid UTF-8 at byte 0",
                     "in instruction `\xC3`, a `tensor_scalar`");
  char *name = arena_alloc(&f.arena, 65538);
  memset(name, 'x', 65536);
  instr->name = NULL;
  instr->op->tensor_scalar.dst =
      (TensorRef){.ctor = TensorRef_abstract,
                  .abstract = {.ctor = Access_simple, .simple = named_tensor(&f.arena, name, MEMORY_SBUF)}};
  StrBuf out = strbuf_new(&f.arena);
  EXPECT(klr_write(f.session, kernel, &out));
  name[65536] = 'x';
  expect_write_error(
      kernel, "E0705",
      "`bodies[0][0].body[1].op.tensorScalar.dst.abstract.simple.name` is a text of 65537 bytes, but files hold "
      "at most 65536",
      "in a `tensor_scalar` without a name");
  finish(&f);
}

static void expect_read_error(const char *hex, const char *code, const char *message)
{
  Fixture f = begin();
  StrBuf bytes = strbuf_new(&f.arena);
  strbuf_puts(&bytes, "");
  unsigned value;
  for (int used; sscanf(hex, " %2x%n", &value, &used) == 1; hex += used)
    strbuf_putc(&bytes, (char)value);
  EXPECT(!klr_read(f.session, &f.arena, bytes_of(&bytes), "x.klr"));
  EXPECT_TEXT(first_message(f.session), message);
  EXPECT_TEXT(f.session->diags.count ? diag_info(f.session->diags.items[0]->code)->code : "", code);
  finish(&f);
}

#define HEADER "d9d9f783 00 00 0c d9eb0081 634e4b49 "

TEST(the_reader_is_strict)
{
  expect_read_error("", "E0701", "byte 0: not a .klr file: it does not begin with d9 d9 f7 83");
  expect_read_error("7b7d", "E0701", "byte 0: not a .klr file: it does not begin with d9 d9 f7 83");
  expect_read_error("d9d9f783 00 00 0d", "E0702",
                    "byte 7: the file has format version 0.0.13, and only 0.0.12 is known");
  expect_read_error("d9d9f783 00 00 180c", "E0701", "byte 6: the number 12 is not in its shortest encoding");
  expect_read_error("d9d9f783 00 00 0c d9eb0081 634e4b4a", "E0702",
                    "byte 15: the file has format `NKJ`, and only `NKI` and `NKI+klr` are known");
  expect_read_error("d9d9f783 00 00 0c d9eb0081 7803 4e4b49", "E0701",
                    "byte 11: the text's length 3 is not in its shortest encoding");
  expect_read_error(HEADER "d9ec0081 d9100080", "E0703",
                    "byte 19: the file holds `python` contents, not a kernel or gathered sources");
  expect_read_error(HEADER "d9ec0581", "E0701", "byte 15: `Contents` has no constructor 5");
  expect_read_error(HEADER "d9ec1081", "E0701", "byte 19: gathered sources need a file of format `NKI+klr`");
  expect_read_error(HEADER "d9ec0281 d9690083", "E0701", "byte 19: `Kernel` has 4 fields, found 3");
  expect_read_error(HEADER "d9ec0281 d9690084 f4", "E0701", "byte 23: expected a text, found a boolean (0xf4)");
  expect_read_error(HEADER "d9ec0281 d9690084 7f", "E0701", "byte 23: the text's length has no definite length");
  expect_read_error(HEADER "d9ec0281 d9690084 62c328", "E0701", "byte 24: the text is not valid UTF-8");
  expect_read_error(HEADER "d9ec0281 d9690084 626100", "E0701", "byte 25: the text holds a NUL byte");
  expect_read_error(HEADER "d9ec0281 d9690084 60 9f", "E0701", "byte 24: the list's length has no definite length");
  expect_read_error(HEADER "d9ec0281 d9690084 60 9b00000001000000008080", "E0701",
                    "byte 24: a list of 4294967296 items does not fit in the 2 bytes left");
  expect_read_error(HEADER "d9ec0281 d9690084 60 80 80 80 00", "E0701", "byte 27: 1 bytes follow the contents");
  expect_read_error("d9d9f783 00 00 0c d9eb0081 674e4b492b6b6c72 d9ec0281 d9690084 60 80 80 80", "E0701",
                    "byte 31: the format is `NKI+klr`, but nothing in the file needs more than `NKI`");
}

TEST(deep_nesting_is_a_clean_error)
{
  Fixture f = begin();
  const Tensor *tensor = named_tensor(&f.arena, "t", MEMORY_SBUF);
  const View *inner = whole(&f.arena, tensor).abstract.view;
  for (int i = 0; i < 100; i++) {
    View *outer = arena_new(&f.arena, View);
    Access *access = arena_new(&f.arena, Access);
    *access = (Access){.ctor = Access_view, .view = inner};
    outer->tensor = tensor;
    outer->vector_offset = access;
    inner = outer;
  }
  StrBuf out = strbuf_new(&f.arena);
  EXPECT(!core_to_cbor(f.session, &core_type_View, inner, &out));
  EXPECT(strstr(first_message(f.session), "is nested deeper than 200 levels"));
  StrBuf deep = strbuf_new(&f.arena);
  for (int i = 0; i < 100000; i++)
    strbuf_putc(&deep, '(');
  View view;
  EXPECT(!core_from_sexp(f.session, &f.arena, &core_type_View, bytes_of(&deep), "deep.sexp", &view));
  for (size_t i = 0; i < deep.len; i++)
    deep.data[i] = '[';
  EXPECT(!core_from_json(f.session, &f.arena, &core_type_View, bytes_of(&deep), "deep.json", &view));
  EXPECT_INT(f.session->error_count, ==, 3);
  finish(&f);
}

TEST(json_has_the_documented_form)
{
  Fixture f = begin();
  StrBuf out = strbuf_new(&f.arena);
  const Kernel *kernel = example_kernel(&f.arena);
  const Instr *scale = kernel->bodies.items[0].items[0]->body.items[1];
  Op *op = scale->op;
  EXPECT(core_to_json(f.session, &core_OPERAND, &op->tensor_scalar.imm0, 0, &out));
  EXPECT_TEXT(strbuf_cstr(&out), "{\"imm\":{\"i\":{\"float\":{\"f\":1.5}}}}\n");
  out.len = 0;
  EXPECT(core_to_json(f.session, &core_type_Pos, scale->pos, 0, &out));
  EXPECT_TEXT(strbuf_cstr(&out), "{\"line\":3,\"column\":2,\"lineEnd\":3,\"columnEnd\":9,\"filename\":\"k.py\"}\n");
  Op *barrier = op_new(&f.arena, OP_load_mask_register);
  Instr instr = {.op = barrier, .pos = &(Pos){.line = 1}};
  out.len = 0;
  EXPECT(core_to_json(f.session, &core_type_Instr, &instr, 0, &out));
  EXPECT_TEXT(strbuf_cstr(&out), "{\"oper\":{\"op\":{\"loadMaskRegister\":{\"op\":{\"regNum\":0}}},\"name\":null,"
                                 "\"pos\":{\"line\":1,\"column\":0}}}\n");
  out.len = 0;
  EXPECT(core_to_sexp(f.session, &core_type_Instr, &instr, &out));
  EXPECT(strstr(strbuf_cstr(&out), "(name ())"));
  finish(&f);
}

static void expect_json_error(const char *text, const char *message)
{
  Fixture f = begin();
  Instr instr = {0};
  EXPECT(!core_from_json(f.session, &f.arena, &core_type_Instr, str_from(text), "x.json", &instr));
  EXPECT_TEXT(first_message(f.session), message);
  EXPECT_INT(f.session->error_count, ==, 1);
  finish(&f);
}

TEST(json_mistakes_are_explained)
{
  expect_json_error("{", "not JSON: string or '}' expected near end of file");
  expect_json_error("[]", "expected a `Stmt`, which is {\"oper\": {...}}, found an array");
  expect_json_error("{\"oper\":{\"op\":{\"tensorScala\":{\"op\":{}}}}}", "`Operator` has no constructor `tensorScala`");
  expect_json_error("{\"oper\":{\"op\":{\"rankId\":{\"op\":{}}},\"name\":null}}", "the field `dst` is missing");
  expect_json_error("{\"oper\":{\"op\":{\"rankId\":{\"op\":{\"dst\":1}}},\"name\":null}}",
                    "expected a string, found an integer");
  expect_json_error("{\"oper\":{\"op\":{\"rankId\":{\"op\":{\"dst\":\"r\",\"more\":1}}},\"name\":null}}",
                    "there is no field `more` here");
  expect_json_error("{\"oper\":{\"op\":{\"rankId\":{\"op\":{\"dst\":\"r\"}}},\"pos\":{\"line\":-1}}}",
                    "the field `name` is missing");
}

TEST(gathered_sources_round_trip)
{
  Fixture f = begin();
  char *text = arena_alloc(&f.arena, 200001);
  memset(text, 'y', 200000);
  GatheredModule modules[] = {{"kernels.add", "/home/kernels/add.py", false, "def add(x):\n  return x\n"},
                              {"kernels", "/home/kernels/__init__.py", true, text}};
  GatheredArgument arguments[] = {{"x", "f32[128,512]"}};
  Gathered gathered = {"kernels.add", "add", {modules, 2}, "trn2", {true, 2}, {arguments, 1}};
  StrBuf bytes = strbuf_new(&f.arena), json = strbuf_new(&f.arena), again = strbuf_new(&f.arena);
  EXPECT(gathered_write(f.session, &gathered, &bytes));
  const Gathered *read = gathered_read(f.session, &f.arena, bytes_of(&bytes), "g.klr");
  EXPECT(read && core_equal(&gathered_type, &gathered, read));
  EXPECT(klr_to_json(f.session, &(KlrFile){.contents = KLR_CONTENTS_SOURCES, .sources = &gathered}, 1, &json));
  read = gathered_read(f.session, &f.arena, bytes_of(&json), "g.json");
  EXPECT(read && core_equal(&gathered_type, &gathered, read));
  EXPECT(read && gathered_write(f.session, read, &again) && str_equal(bytes_of(&bytes), bytes_of(&again)));
  bytes.len = 0;
  EXPECT(klr_write(f.session, example_kernel(&f.arena), &bytes));
  EXPECT(!gathered_read(f.session, &f.arena, bytes_of(&bytes), "k.klr"));
  EXPECT_TEXT(first_message(f.session), "the file holds a kernel, not gathered sources");
  finish(&f);
}

// What docs/format.md says is ours. Numbers of members and the order of fields are in files: neither may change.
TEST(extensions_are_those_documented)
{
  Fixture f = begin();
  StrBuf found = strbuf_new(&f.arena);
  const TypeInfo *enums[] = {core_DTYPE.of, core_ALU_OP.of, core_ACTIVATION_FUNC.of};
  for (int i = 0; i < 3; i++)
    for (uint32_t k = enums[i]->wire_count; k < enums[i]->member_count; k++)
      strbuf_printf(&found, "%u %s\n", k, enums[i]->member_name(k));
  for (int i = 0; i < OP_COUNT; i++) {
    if (i >= OP_FORMAT_COUNT)
      strbuf_printf(&found, "%u %s %u\n", op_info((OpKind)i)->number, op_info((OpKind)i)->wire,
                    op_info((OpKind)i)->payload_tag);
    uint32_t count, extensions = 0;
    const FieldInfo *fields = op_info((OpKind)i)->fields(&count);
    for (uint32_t k = 0; k < count; k++) {
      EXPECT(fields[k].is_extension || extensions == 0); // ours stand last
      extensions += fields[k].is_extension;
      if (fields[k].is_extension)
        strbuf_printf(&found, "%s.%s\n", op_info((OpKind)i)->payload, fields[k].wire);
    }
  }
  EXPECT_TEXT(strbuf_cstr(&found),
              "20 bool\n21 float8_e8m0fnu\n22 float4_e2m1fn\n"
              "29 abs_max\n30 abs_min\n31 square\n32 relu\n33 reciprocal\n34 logical_not\n25 prelu\n"
              "CopyPredicated.imm\nNcMatMul.accumulate\nTensorScalarReduce.reduceResNegate\n"
              "TensorScalarReduce.reduceInitTile\nMatMulMX.accumulate\nDmaCompute.skipsOob\nCollectiveOp.metadata\n"
              "CollectiveOp.recvCountsKnown\nCollectiveOp.hasRdispls\nCollectiveOp.metadata\n"
              "CollectiveOp.recvCountsKnown\nCollectiveOp.hasRdispls\n128 topk 230\n");
  finish(&f);
}

// Reads with the n-th allocation failing; true when there were not so many. Nothing may be lost or left half done.
static bool read_with_failure(Str bytes, int64_t n)
{
  Fixture f = begin();
  jmp_buf exhausted;
  volatile bool done = false;
  f.arena.on_exhausted = f.session->arena.on_exhausted = &exhausted;
  f.arena.fail_after = n;
  if (setjmp(exhausted) == 0) {
    EXPECT(klr_read(f.session, &f.arena, bytes, "k.klr") != NULL);
    done = true;
  }
  EXPECT_INT(f.session->error_count, ==, 0);
  finish(&f);
  return done;
}

TEST(every_failing_allocation_leaves_reading_cleanly)
{
  Fixture f = begin();
  StrBuf out = strbuf_new(&f.arena);
  EXPECT(klr_write(f.session, random_kernel(&f.arena, 5, (RandomOptions){.op_count = 10, .raw = true}), &out));
  int64_t n = 0;
  while (!read_with_failure(bytes_of(&out), n))
    n++;
  EXPECT(n > 100);
  finish(&f);
}
