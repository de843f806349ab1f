// verify_help.c -- next steps, in terms of the call that was refused.

#include "core/verify_help.h"
#include "core/nki_names.h"

#include <inttypes.h>
#include <string.h>

enum { LONGEST_QUOTE = 60 }; // of an argument that is repeated in a help line

// ---- arguments as written

static bool is_word(char c)
{
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The text of one argument, from `at` to the comma or bracket that ends it.
static Str argument_at(Str text, size_t at)
{
  int depth = 0;
  size_t end = at;
  for (char quote = 0; end < text.len; end++) {
    char c = text.data[end];
    if (quote || c == '"' || c == '\'')
      quote = !quote ? c : c == quote ? 0 : quote;
    else if (c == '(' || c == '[' || c == '{')
      depth++;
    else if ((c == ')' || c == ']' || c == '}') && depth-- == 0)
      break;
    else if (c == ',' && depth == 0)
      break;
  }
  return (Str){text.data + at, end - at};
}

// The text of keyword argument `name` in a call; empty when it is not there, or not fit to be repeated on one line.
static Str keyword_argument(Str call, const char *name)
{
  size_t len = strlen(name);
  int depth = 0;
  for (size_t i = 0; i + len + 1 < call.len; i++) {
    char c = call.data[i];
    depth += c == '(' || c == '[' || c == '{';
    depth -= c == ')' || c == ']' || c == '}';
    if (depth != 1 || i == 0 || is_word(call.data[i - 1]) || memcmp(call.data + i, name, len) != 0 ||
        call.data[i + len] != '=')
      continue;
    Str found = argument_at(call, i + len + 1);
    bool fits =
        found.len <= LONGEST_QUOTE && !memchr(found.data, '\n', found.len) && !memchr(found.data, '#', found.len);
    return fits ? found : (Str){0};
  }
  return (Str){0};
}

static Str call_text(const Reporter *reporter, const Pos *pos)
{
  const Source *source = pos && pos->span.source ? session_source(reporter->session, pos->span.source) : NULL;
  if (!source || pos->span.end > source->text.len || pos->span.start >= pos->span.end)
    return (Str){0};
  return (Str){source->text.data + pos->span.start, pos->span.end - pos->span.start};
}

const char *help_argument(Reporter *reporter, const Instr *instr, const char *field, const Tile *tile)
{
  Arena *arena = &reporter->session->arena;
  Str written = keyword_argument(call_text(reporter, instr->pos), field_known_as(instr, field));
  if (written.len)
    return arena_printf(arena, "%.*s", STR_ARG(written));
  const char *name = tile->tensor->name, *number = instr_is_traced(instr) ? strrchr(name, '.') : NULL;
  return number ? arena_printf(arena, "%.*s", (int)(number - name), name) : name;
}

// ---- pieces of code

static const char *dtype_text(Arena *arena, DType dtype)
{
  const char *name = dtype_nki_name(dtype);
  return arena_printf(arena, "nl.%s", name ? name : core_DTYPE.of->member_name(dtype));
}

static const char *shape_text(Arena *arena, const Tile *tile)
{
  StrBuf out = strbuf_new(arena);
  for (uint32_t i = 0; i < tile->view->pattern.count; i++)
    strbuf_printf(&out, "%s%u", i ? ", " : "", tile->view->pattern.items[i].num);
  return strbuf_cstr(&out);
}

static const char *memory_text(Memory memory)
{
  return memory == MEMORY_SBUF ? "nl.sbuf" : memory == MEMORY_PSUM ? "nl.psum" : "nl.shared_hbm";
}

static const char *new_tile(Arena *arena, const char *name, const char *shape, DType dtype, Memory memory)
{
  return arena_printf(arena, "%s = nl.ndarray((%s), dtype=%s, buffer=%s)", name, shape, dtype_text(arena, dtype),
                      memory_text(memory));
}

// The instruction that copies between two memories of which one is on chip.
static const char *mover(Memory a, Memory b)
{
  return memory_is_on_chip(a) && memory_is_on_chip(b) ? "nisa.tensor_copy" : "nisa.dma_copy";
}

static const char *memory_name(Memory memory)
{
  return memory == MEMORY_SBUF ? "SBUF" : memory == MEMORY_PSUM ? "PSUM" : "HBM";
}

// ---- memories

void help_space(Reporter *reporter, Diag *diag, const Instr *instr, const char *field, const Tile *tile, uint32_t set,
                bool written)
{
  Arena *arena = &reporter->session->arena;
  Memory to = set & 1u << MEMORY_SBUF ? MEMORY_SBUF : MEMORY_PSUM;
  const char *known = field_known_as(instr, field);
  if (!instr_is_traced(instr)) {
    bool on_chip = memory_is_on_chip(tile->memory);
    diag_help(diag, on_chip ? "move it with `tensor_copy` between PSUM and SBUF"
                            : "move it with `dma_copy` between HBM and SBUF");
    return;
  }
  const char *operand = help_argument(reporter, instr, field, tile);
  const char *made = new_tile(arena, "tile", shape_text(arena, tile), tile->dtype, to);
  const char *move = mover(tile->memory, to);
  if (written && to == MEMORY_PSUM && !memory_is_on_chip(tile->memory))
    diag_help(diag,
              "write to a tile in PSUM, copy it to SBUF with `nisa.tensor_copy` and store it with `nisa.dma_copy`:\n%s",
              made);
  else if (written)
    diag_help(diag, "write to a tile in %s, pass `%s=tile`, and copy it from there:\n%s\n%s(dst=%s, src=tile)",
              memory_name(to), known, made, move, operand);
  else
    diag_help(diag, "copy it to %s first and pass `%s=tile`:\n%s\n%s(dst=tile, src=%s)", memory_name(to), known, made,
              move, operand);
}

void help_convert(Reporter *reporter, Diag *diag, const Instr *instr, const char *field, const Tile *tile, DType dtype)
{
  if (!diag || !instr_is_traced(instr))
    return;
  Arena *arena = &reporter->session->arena;
  diag_help(diag, "convert one of them and pass `%s=tile`:\n%s\nnisa.tensor_copy(dst=tile, src=%s)",
            field_known_as(instr, field), new_tile(arena, "tile", shape_text(arena, tile), dtype, MEMORY_SBUF),
            help_argument(reporter, instr, field, tile));
}

void help_pieces(Reporter *reporter, Diag *diag, const Instr *instr, const char *field, const Tile *tile, uint64_t most)
{
  if (!diag || !instr_is_traced(instr))
    return;
  const char *operand = help_argument(reporter, instr, field, tile);
  bool is_name = !strchr(operand, '[') && tile->view->pattern.count == 2;
  uint64_t count = (tile->free_elements + most - 1) / most;
  diag_help(diag, "work in pieces of %" PRIu64 ":\nfor i in nl.affine_range(%" PRIu64 "):  # %s=%s%s", most, count,
            field_known_as(instr, field), operand,
            is_name ? arena_printf(&reporter->session->arena, "[:, i * %" PRIu64 ":(i + 1) * %" PRIu64 "]", most, most)
                    : " in slices");
}

// ---- shapes

// `large` has as many dimensions as `small`, none smaller.
static bool contains(const Tile *large, const Tile *small)
{
  if (large->view->pattern.count != small->view->pattern.count)
    return false;
  for (uint32_t i = 0; i < small->view->pattern.count; i++)
    if (large->view->pattern.items[i].num < small->view->pattern.items[i].num)
      return false;
  return true;
}

static void help_equal_part(Reporter *reporter, Diag *diag, const Instr *instr, const char *a_field, const Tile *a,
                            const char *b_field, const Tile *b)
{
  bool a_is_larger = contains(a, b);
  const Tile *large = a_is_larger ? a : b, *small = a_is_larger ? b : a;
  if (!instr_is_traced(instr) || !contains(large, small))
    return;
  const char *field = a_is_larger ? a_field : b_field, *operand = help_argument(reporter, instr, field, large);
  StrBuf part = strbuf_new(&reporter->session->arena);
  for (uint32_t i = 0; i < small->view->pattern.count; i++)
    strbuf_printf(&part, "%s0:%u", i ? ", " : "", small->view->pattern.items[i].num);
  diag_help(diag, "give both operands one shape; the part of `%s` that fits is `%s=%s[%s]`", operand,
            field_known_as(instr, field), operand, strbuf_cstr(&part));
}

// tensor_tensor with one value for each partition is tensor_scalar.
static void help_tensor_scalar(Reporter *reporter, Diag *diag, const Instr *instr, const char *b_field, const Tile *b)
{
  Str call = call_text(reporter, instr->pos);
  Str dst = keyword_argument(call, "dst"), left = keyword_argument(call, "data1"),
      right = keyword_argument(call, "data2");
  const char *op = alu_info(instr->op->tensor_tensor.op)->nki_name;
  bool is_left = strcmp(b_field, "src0") == 0;
  if (!dst.len || !left.len || !right.len || !op || b->free_elements != 1) {
    diag_help(diag, "`tensor_scalar` combines a tile with one value for each partition");
    return;
  }
  Str tile = is_left ? right : left, column = is_left ? left : right;
  diag_help(diag,
            "`nisa.tensor_scalar` combines a tile with one value for each partition:\n"
            "nisa.tensor_scalar(dst=%.*s, data=%.*s, op0=nl.%s, operand0=%.*s%s)",
            STR_ARG(dst), STR_ARG(tile), op, STR_ARG(column), is_left ? ", reverse0=True" : "");
}

static void help_result(Reporter *reporter, Diag *diag, const Instr *instr, const char *field, const Tile *tile,
                        uint64_t partitions, uint64_t columns)
{
  if (!instr_is_traced(instr))
    return;
  Arena *arena = &reporter->session->arena;
  const char *operand = help_argument(reporter, instr, field, tile), *known = field_known_as(instr, field);
  const char *shape = arena_printf(arena, "%" PRIu64 ", %" PRIu64, partitions, columns);
  bool is_name = operand[strcspn(operand, "[(. ")] == '\0';
  diag_help(diag, "`%s` needs the shape (%s)%s:\n%s", known, shape,
            is_name ? "" : arena_printf(arena, "; pass `%s=tile`", known),
            new_tile(arena, is_name ? operand : "tile", shape, tile->dtype, tile->memory));
}

static void help_reduced(Reporter *reporter, Diag *diag, const Instr *instr, const char *field, const Tile *dst,
                         const Tile *src)
{
  uint64_t count = 1;
  for (uint32_t i = 1; i + instr->op->tensor_reduce.op_dim + 1u < src->view->pattern.count; i++)
    count *= src->view->pattern.items[i].num;
  help_result(reporter, diag, instr, field, dst, src->partitions, count);
}

static void help_product(Reporter *reporter, Diag *diag, const Instr *instr, const Tile *dst)
{
  Tile stationary, moving;
  if (!instr_is_traced(instr) || instr->op->kind != OP_nc_matmul ||
      !tile_of_ref(&reporter->scratch, &instr->op->nc_matmul.stationary, &stationary) ||
      !tile_of_ref(&reporter->scratch, &instr->op->nc_matmul.moving, &moving))
    return;
  Arena *arena = &reporter->session->arena;
  uint64_t rows = stationary.free_elements, columns = moving.free_elements;
  const char *shape = arena_printf(arena, "%" PRIu64 ", %" PRIu64, rows, columns);
  if (rows <= stationary.partitions)
    diag_help(diag, "the product of stationary KxM and moving KxN is MxN:\n%s",
              new_tile(arena, help_argument(reporter, instr, "dst", dst), shape, DTYPE_FLOAT32, MEMORY_PSUM));
  else
    diag_help(
        diag,
        "the product of stationary KxM and moving KxN is MxN, here (%s): take as many columns as `%s` has room for",
        shape, help_argument(reporter, instr, "dst", dst));
}

void help_rule(Reporter *reporter, Diag *diag, const Instr *instr, CheckKind check, const char *a_field, const Tile *a,
               const char *b_field, const Tile *b, uint64_t number)
{
  switch (check) {
  case CHECK_FREE:
    if (instr->op->kind == OP_tensor_tensor && (a->free_elements == 1 || b->free_elements == 1)) {
      help_tensor_scalar(reporter, diag, instr, b_field, b);
      return;
    }
    help_equal_part(reporter, diag, instr, a_field, a, b_field, b);
    return;
  case CHECK_PARTITIONS:
  case CHECK_ELEMENTS: help_equal_part(reporter, diag, instr, a_field, a, b_field, b); return;
  case CHECK_COLUMN:
    diag_help(diag, "select one column, as in `%s[:, 0:1]`; a whole tile is combined with `%stensor_tensor`",
              instr_is_traced(instr) ? help_argument(reporter, instr, a_field, a) : "t",
              instr_is_traced(instr) ? "nisa." : "");
    return;
  case CHECK_CONTRACTED:
    diag_help(diag,
              "both operands hold the contracted dimension on their partitions: stationary is KxM, moving is KxN; "
              "`%s` and `%s` transpose",
              instr_is_traced(instr) ? "nisa.nc_transpose" : "transpose",
              instr_is_traced(instr) ? "nisa.dma_transpose" : "dma_transpose");
    return;
  case CHECK_MATMUL_ROWS:
  case CHECK_MATMUL_COLUMNS: help_product(reporter, diag, instr, a); return;
  case CHECK_TRANSPOSED: help_result(reporter, diag, instr, a_field, a, b->free_elements, b->partitions); return;
  case CHECK_REDUCED: help_reduced(reporter, diag, instr, a_field, a, b); return;
  case CHECK_FREE_IS: help_result(reporter, diag, instr, a_field, a, a->partitions, number); return;
  case CHECK_INTEGER: diag_help(diag, "copy it to an integer tile first, or compute it as one, such as uint8"); return;
  case CHECK_BITS:
    if (instr_is_traced(instr))
      diag_help(diag, "to work on the bits of floats, pass integer views such as `%s.view(nl.int32)`",
                help_argument(reporter, instr, a_field, a));
    return;
  case CHECK_SAME_DTYPE:
    if (instr_is_traced(instr) && memory_is_on_chip(a->memory))
      diag_help(diag, "allocate `%s` with dtype=%s and convert it with `nisa.tensor_copy` before or after",
                help_argument(reporter, instr, a_field, a), dtype_text(&reporter->session->arena, b->dtype));
    return;
  default: return;
  }
}
