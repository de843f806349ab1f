// legal.c -- the device rules of legal.def, applied to each tensor and each operator once.

#include "machine/legal.h"
#include "base/bug.h"
#include "core/nki_names.h"
#include "core/verify_help.h"
#include "machine/isa_rules.h"

#include <inttypes.h>
#include <string.h>

typedef enum LegalRule {
#define LEGAL(name, id, code, doc, source) LEGAL_##name,
#include "machine/legal.def"
} LegalRule;

static const struct {
  const char *id;
  DiagCode code;
  const char *doc, *source;
} legal_rules[] = {
#define LEGAL(name, id, code, doc, source) {id, code, doc, source},
#include "machine/legal.def"
};

enum {
  NONE = 0,
  PE = 1 << ENGINE_PE,
  DVE = 1 << ENGINE_DVE,
  ACT = 1 << ENGINE_ACT,
  POOL = 1 << ENGINE_POOL,
  SP = 1 << ENGINE_SP,
  DMA = 1 << ENGINE_DMA,
};

static const struct {
  OpKind op;
  uint8_t engines[3];  // by generation, from 2
} engine_rows[] = {
#define ENGINES(op, gen2, gen3, gen4) {OP_##op, {gen2, gen3, gen4}},
#include "machine/legal.def"
};

static const struct {
  OpKind op;
  uint32_t a, b;
} psum_rows[] = {
#define NOT_BOTH_IN_PSUM(op, a, b) {OP_##op, offsetof(Op, op.a), offsetof(Op, op.b)},
#include "machine/legal.def"
};

static const struct {
  OpKind op;
  uint32_t field;
  uint8_t engines;
} indirect_rows[] = {
#define INDIRECT(op, field, engines) {OP_##op, offsetof(Op, op.field), engines},
#include "machine/legal.def"
};

static const OpKind any_partition[] = {
#define ANY_PARTITION(op) OP_##op,
#include "machine/legal.def"
};

static const OpKind takes_packed[] = {
#define TAKES_PACKED(op) OP_##op,
#include "machine/legal.def"
};

enum { ALU_FIELDS_MAX = 4 };

// What applies to one kind of operator on this machine.
typedef struct OpLimits {
  OpShape shape;
  bool is_restricted;  // `engines` says where it runs
  bool starts_anywhere, takes_packed;
  uint8_t engines, alu_count;
  const FieldInfo *alu_fields[ALU_FIELDS_MAX];  // that hold an ALU operator
  int not_both_in_psum[2];  // slots; -1: no such rule
  const IsaUse *uses;       // rows of isa.def
  uint32_t use_count;
} OpLimits;

enum {
  RECENT_TENSORS = 4096,  // power of two
  REWIND_EVERY = 256,     // instructions whose views may stay in scratch
};

typedef struct Checker {
  Reporter reporter;
  const Machine *machine;
  uint32_t core_count;  // of the kernel
  OpLimits ops[OP_COUNT];
  const Tensor *recent[RECENT_TENSORS];  // tensors that were looked at
  Tile tiles[TILES_MAX];                 // of the instruction being looked at
} Checker;

static void limits_find_operators(OpLimits *limits, OpKind kind)
{
  uint32_t count;
  const FieldInfo *fields = op_info(kind)->fields(&count);
  for (uint32_t i = 0; i < count; i++)
    if (fields[i].type == &core_ALU_OP || fields[i].type == &core_OPT_ALU_OP) {
      if (limits->alu_count == ALU_FIELDS_MAX)
        bug("%s has more than %d ALU operators", op_info(kind)->name, ALU_FIELDS_MAX);
      limits->alu_fields[limits->alu_count++] = &fields[i];
    }
}

static void limits_init(Checker *c, OpKind kind)
{
  OpLimits *limits = &c->ops[kind];
  op_shape_init(&limits->shape, kind);
  limits->not_both_in_psum[0] = limits->not_both_in_psum[1] = -1;
  for (size_t i = 0; i < sizeof engine_rows / sizeof *engine_rows; i++)
    if (engine_rows[i].op == kind) {
      limits->is_restricted = true;
      limits->engines = engine_rows[i].engines[c->machine->generation - 2];
    }
  for (size_t i = 0; i < sizeof psum_rows / sizeof *psum_rows; i++)
    if (psum_rows[i].op == kind) {
      limits->not_both_in_psum[0] = op_shape_slot(&limits->shape, psum_rows[i].a);
      limits->not_both_in_psum[1] = op_shape_slot(&limits->shape, psum_rows[i].b);
    }
  for (size_t i = 0; i < sizeof any_partition / sizeof *any_partition; i++)
    limits->starts_anywhere |= any_partition[i] == kind;
  for (size_t i = 0; i < sizeof takes_packed / sizeof *takes_packed; i++)
    limits->takes_packed |= takes_packed[i] == kind;
  limits_find_operators(limits, kind);
  limits->uses =
      isa_uses(&c->reporter.session->arena, &limits->shape, kind, c->machine->generation, &limits->use_count);
}

static Diag *report_as(Checker *c, const Pos *pos, LegalRule rule, const char *id, const char *source,
                       const char *message)
{
  Diag *diag = report_at(&c->reporter, pos, legal_rules[rule].code, id, "%s", message);
  if (diag)
    diag_note(diag, "expected on %s (%s): %s [%s]", c->machine->name, c->machine->nc_version, legal_rules[rule].doc,
              source);
  return diag;
}

static Diag *report(Checker *c, const Pos *pos, LegalRule rule, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static Diag *report_op(Checker *c, const Instr *instr, LegalRule rule, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// Of a rule that holds for all operators alike.
static Diag *report(Checker *c, const Pos *pos, LegalRule rule, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  char *message = arena_vprintf(&c->reporter.session->arena, format, args);
  va_end(args);
  return report_as(c, pos, rule, legal_rules[rule].id, legal_rules[rule].source, message);
}

// "nki.isa" stands for the page of each instruction.
static const char *page_of(Arena *arena, OpKind kind, const char *source)
{
  return strcmp(source, "nki.isa") == 0 ? arena_printf(arena, "nki.isa %s", op_rule_name(arena, kind)) : source;
}

// Of a rule about one operator, which names it: "nc_matmul.psum-bank".
static Diag *report_op(Checker *c, const Instr *instr, LegalRule rule, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  Arena *arena = &c->reporter.session->arena;
  char *message = arena_vprintf(arena, format, args);
  va_end(args);
  return report_as(c, instr->pos, rule, rule_id(arena, instr->op->kind, NULL, legal_rules[rule].id),
                   page_of(arena, instr->op->kind, legal_rules[rule].source), message);
}

static const char *op_name(const Instr *instr)
{
  return op_known_as(instr);
}

// ---- tensors

static uint64_t memory_row_bytes(const Machine *machine, Memory memory)
{
  return memory == MEMORY_PSUM ? (uint64_t)machine->psum_banks * machine->psum_bank_bytes
                               : machine->sbuf_partition_bytes;
}

static void check_new_tensor(Checker *c, const Tensor *tensor, const Pos *pos)
{
  const Address *address = tensor->address;
  if (!memory_is_on_chip(address->memory))
    return;
  pos = tensor->pos ? tensor->pos : pos;
  const char *memory = core_MEMORY.of->member_name(address->memory);
  uint64_t first = address->par_offset.some ? address->par_offset.value : 0, most = c->machine->partitions;
  if (tensor->shape.par_dim > most) {
    Diag *diag =
        report(c, pos, LEGAL_TILE_PARTITIONS, "`%s` is a %" PRIu64 "-partition tile: %s has %" PRIu64 " partitions",
               tensor->name, tensor->shape.par_dim, memory, most);
    if (diag)
      diag_help(diag,
                "split the first dimension into tiles of at most %" PRIu64 ", as in "
                "`for i in nl.affine_range((%" PRIu64 " + %" PRIu64 ") // %" PRIu64 ")`",
                most, tensor->shape.par_dim, most - 1, most);
    return;
  }
  if (first > most || first + tensor->shape.par_dim > most)
    report(c, pos, LEGAL_CAPACITY, "`%s` lies in partitions %" PRIu64 " to %" PRIu64 " of %s", tensor->name, first,
           first + tensor->shape.par_dim - 1, memory);
  uint64_t byte = address->free_offset.some ? address->free_offset.value : 0, cell = c->machine->psum_cell_bytes;
  if (address->memory == MEMORY_PSUM && byte % cell) {
    Diag *diag = report(c, pos, LEGAL_PSUM_ADDRESS, "`%s` begins at byte %" PRIu64 " of the PSUM partition", tensor->name, byte);
    if (diag)
      diag_help(diag, "begin it with a bank, at a multiple of %u", c->machine->psum_bank_bytes);
  }
  uint64_t row_bytes = tensor->free_elements * dtype_bytes(tensor->dtype),
           limit = memory_row_bytes(c->machine, address->memory);
  uint64_t start = address->free_offset.some ? address->free_offset.value : 0;
  if (row_bytes <= limit && start <= limit - row_bytes)
    return;
  Diag *diag =
      report(c, pos, LEGAL_CAPACITY, "`%s` ends at byte %" PRIu64 " of each partition: %s has %" PRIu64 " bytes",
             tensor->name, start + row_bytes, memory, limit);
  if (diag)
    diag_help(diag, "process it in pieces along the free dimension");
}

static inline void check_tensor(Checker *c, const Tensor *tensor, const Pos *pos)
{
  const Tensor **recent = &c->recent[((uintptr_t)tensor >> 4 ^ (uintptr_t)tensor >> 14) & (RECENT_TENSORS - 1)];
  if (*recent == tensor)
    return;
  *recent = tensor;
  check_new_tensor(c, tensor, pos);
}

// ---- partitions

static bool start_is_legal(const Machine *machine, uint64_t start, uint64_t partitions)
{
  uint64_t quadrant = machine->partition_quadrant;
  if (start == 0)
    return true;
  return partitions <= quadrant ? start % quadrant == 0 : partitions <= 2 * quadrant && start % (2 * quadrant) == 0;
}

static void check_start(Checker *c, const Instr *instr, const char *field, const Tile *tile)
{
  const Core_OPT_NAT *placed = &tile->tensor->address->par_offset;
  uint64_t start = tile->start_partition + (placed->some ? placed->value : 0);
  if (tile->partitions > 1 && tile->partition_step != 1 && !tile->is_indirect) {
    Diag *diag = tile->partition_step == 0
                     ? report(c, instr->pos, LEGAL_STRIDE, "`%s` of `%s` repeats one partition",
                              field_known_as(instr, field), op_name(instr))
                     : report(c, instr->pos, LEGAL_STRIDE, "`%s` of `%s` steps over %" PRId64 " partitions at a time",
                              field_known_as(instr, field), op_name(instr), tile->partition_step);
    report_operand(&c->reporter, diag, instr, field, tile);
    if (diag)
      diag_help(diag, "copy the rows with `nisa.dma_copy`, which takes any partitions");
  }
  if (start_is_legal(c->machine, start, tile->partitions))
    return;
  Diag *diag =
      report(c, instr->pos, LEGAL_START, "`%s` of `%s` starts at partition %" PRIu64 " with %" PRIu64 " partitions",
             field_known_as(instr, field), op_name(instr), start, tile->partitions);
  report_operand(&c->reporter, diag, instr, field, tile);
  if (diag)
    diag_help(diag, "move the rows with `nisa.dma_copy`, which starts at any partition");
}

// ---- tensor indirection

// Engines that take the operand at `offset` with its columns chosen by a tensor; 0: none.
static uint8_t indirect_engines(OpKind op, uint32_t offset)
{
  for (size_t i = 0; i < sizeof indirect_rows / sizeof *indirect_rows; i++)
    if (indirect_rows[i].op == op && indirect_rows[i].field == offset)
      return indirect_rows[i].engines;
  return 0;
}

static void check_indirection(Checker *c, const Instr *instr, const FieldInfo *field, const Tile *tile)
{
  const char *operand = field_known_as(instr, field->name);
  uint8_t engines = indirect_engines(instr->op->kind, (uint32_t)field->offset);
  Engine engine = op_engine(instr->op);
  Diag *diag = NULL;
  if (c->machine->generation < 4)
    diag = report(c, instr->pos, LEGAL_INDIRECTION, "`%s` of `%s` is indexed by a tensor, which needs NeuronCore-v4", operand,
                  op_name(instr));
  else if (!engines)
    diag = report(c, instr->pos, LEGAL_INDIRECTION, "`%s` of `%s` is indexed by a tensor", operand, op_name(instr));
  else if (engine != ENGINE_UNASSIGNED && !(engines >> engine & 1))
    diag = report(c, instr->pos, LEGAL_INDIRECTION, "`%s` of `%s` is indexed by a tensor on the %s engine", operand,
                  op_name(instr), machine_engine(c->machine, engine)->nki_name);
  report_operand(&c->reporter, diag, instr, field->name, tile);
  if (diag)
    diag_help(diag, "gather the columns with `nisa.nc_n_gather` or `nisa.local_gather`, or copy them one by one");
}

// ---- the tensor engine

static void check_bank(Checker *c, const Instr *instr, const Tile *dst)
{
  const Machine *machine = c->machine;
  const Core_OPT_NAT *placed = &dst->tensor->address->free_offset;
  uint64_t base = placed->some ? placed->value : 0, bytes = dtype_bytes(dst->dtype);
  uint64_t first = base + (uint64_t)dst->row_low * bytes, last = base + ((uint64_t)dst->row_high + 1) * bytes - 1;
  if (first % machine->psum_cell_bytes != 0)
    report_operand(&c->reporter,
                   report_op(c, instr, LEGAL_CELL, "`dst` of `%s` starts at byte %" PRIu64 " of the PSUM partition",
                          op_name(instr), first),
                   instr, "dst", dst);
  if (machine->gemm_spans_banks || first / machine->psum_bank_bytes == last / machine->psum_bank_bytes)
    return;
  uint64_t needed = last - first + 1;
  Diag *diag =
      needed > machine->psum_bank_bytes
          ? report_op(c, instr, LEGAL_BANK,
                   "`dst` of `%s` needs %" PRIu64 " bytes of each partition: a PSUM bank has %u", op_name(instr),
                   needed, machine->psum_bank_bytes)
          : report_op(c, instr, LEGAL_BANK, "`dst` of `%s` crosses a PSUM bank: bytes %" PRIu64 " to %" PRIu64,
                   op_name(instr), first, last);
  report_operand(&c->reporter, diag, instr, "dst", dst);
}

static uint64_t moving_limit(const Machine *machine, const Tile *dst)
{
  bool is_narrow = dst->is_known && dtype_bytes(dst->dtype) == 2;
  return is_narrow && machine->gemm_moving_limit_16 ? machine->gemm_moving_limit_16 : machine->gemm_moving_limit;
}

// False when it was reported.
static bool check_columns(Checker *c, const Instr *instr, LegalRule rule, const char *field, const Tile *tile,
                          uint64_t most)
{
  if (!tile->is_known || tile->free_elements <= most)
    return true;
  Diag *diag = report_op(c, instr, rule, "`%s` of `%s` has %" PRIu64 " columns, at most %" PRIu64 " fit",
                      field_known_as(instr, field), op_name(instr), tile->free_elements, most);
  report_operand(&c->reporter, diag, instr, field, tile);
  help_pieces(&c->reporter, diag, instr, field, tile, most);
  return false;
}

static bool is_wide(DType dtype)
{
  return dtype == DTYPE_FLOAT32 || dtype == DTYPE_FLOAT32R;
}

static bool is_matmul_float(const Machine *machine, DType dtype)
{
  if (dtype == DTYPE_FLOAT8_E4M3FN)
    return machine->generation >= 4;
  return dtype_info(dtype)->kind == DTYPE_KIND_FLOAT && dtype_bytes(dtype) <= 4;
}

static bool is_legacy_e4m3(DType dtype)
{
  return dtype == DTYPE_FLOAT8_E4M3 || dtype == DTYPE_FLOAT8E4;
}

static bool dtypes_multiply(const Machine *machine, DType a, DType b)
{
  if (!is_matmul_float(machine, a) || !is_matmul_float(machine, b) || is_wide(a) != is_wide(b))
    return false;
  return !(is_legacy_e4m3(a) && b == DTYPE_FLOAT8_E4M3FN) && !(is_legacy_e4m3(b) && a == DTYPE_FLOAT8_E4M3FN);
}

static void check_array_tile(Checker *c, const Instr *instr, const Core_LIST_NAT *position, const Core_LIST_NAT *size)
{
  for (uint32_t i = 0; i < size->count; i++) {
    uint64_t n = size->items[i], at = i < position->count ? position->items[i] : 0;
    if ((n == 128 || n == 64 || (n == 32 && c->machine->gemm_tile_min <= 32)) && at % n == 0 &&
        at + n <= c->machine->partitions)
      continue;
    report_op(c, instr, LEGAL_ARRAY_TILE, "tile %s of `%s` has size %" PRIu64 " at %" PRIu64, i ? "columns" : "rows",
           op_name(instr), n, at);
  }
}

static void report_matmul_dtypes(Checker *c, const Instr *instr, const Tile *stationary, const Tile *moving)
{
  Diag *diag = report_op(c, instr, LEGAL_MATMUL_DTYPES, "`%s` of %s and %s", op_name(instr),
                      core_DTYPE.of->member_name(stationary->dtype), core_DTYPE.of->member_name(moving->dtype));
  report_operand(&c->reporter, diag, instr, "stationary", stationary);
  report_operand(&c->reporter, diag, instr, "moving", moving);
  bool moving_is_wide = is_wide(moving->dtype) || !is_matmul_float(c->machine, moving->dtype);
  const Tile *from = moving_is_wide ? moving : stationary, *to = moving_is_wide ? stationary : moving;
  if (is_matmul_float(c->machine, to->dtype))
    help_convert(&c->reporter, diag, instr, moving_is_wide ? "moving" : "stationary", from, to->dtype);
}

static void check_matmul(Checker *c, const Instr *instr, const Tile *dst, const Tile *stationary, const Tile *moving)
{
  const struct Op_nc_matmul *op = &instr->op->nc_matmul;
  const char *version = c->machine->nc_version;
  bool is_double = op->perf_mode != PERF_MODE_NONE;
  uint64_t rows = is_double ? 2 : 1;
  check_columns(c, instr, LEGAL_STATIONARY, "stationary", stationary, c->machine->gemm_stationary_fmax * rows);
  bool moving_fits = check_columns(c, instr, LEGAL_MOVING, "moving", moving, moving_limit(c->machine, dst) * rows);
  if (moving_fits && dst->is_known && dst->memory == MEMORY_PSUM && !dst->is_indirect)
    check_bank(c, instr, dst);
  if (op->tile_size.count || op->tile_position.count)
    check_array_tile(c, instr, &op->tile_position, &op->tile_size);
  if (is_double && !c->machine->gemm_has_double_row)
    report_op(c, instr, LEGAL_DOUBLE_ROW, "`%s` asks for a double-row mode, %s has none", op_name(instr), version);
  if (!stationary->is_known || !moving->is_known)
    return;
  const char *a = core_DTYPE.of->member_name(stationary->dtype), *b = core_DTYPE.of->member_name(moving->dtype);
  if (!dtypes_multiply(c->machine, stationary->dtype, moving->dtype))
    report_matmul_dtypes(c, instr, stationary, moving);
  else if (is_double && (dtype_bytes(stationary->dtype) != 1 || dtype_bytes(moving->dtype) != 1))
    report_op(c, instr, LEGAL_DOUBLE_ROW, "`%s` in a double-row mode of %s and %s", op_name(instr), a, b);
  bool result_fits = is_wide(dst->dtype) || (dst->dtype == DTYPE_BFLOAT16 && c->machine->gemm_moving_limit_16);
  if (dst->is_known && !result_fits && !(op->is_transpose && c->machine->transpose_is_exact)) {
    Diag *diag = report_op(c, instr, LEGAL_MATMUL_RESULT, "`dst` of `%s` is %s", op_name(instr),
                        core_DTYPE.of->member_name(dst->dtype));
    report_operand(&c->reporter, diag, instr, "dst", dst);
    if (diag)
      diag_help(diag, "accumulate in a float32 tile in PSUM and convert when copying it to SBUF");
  }
}

static void check_matmul_mx(Checker *c, const Instr *instr, const Tile *tiles)
{
  const Tile *dst = &tiles[0], *stationary = &tiles[1], *moving = &tiles[2];
  check_columns(c, instr, LEGAL_STATIONARY, "stationary", stationary, c->machine->gemm_stationary_fmax);
  check_columns(c, instr, LEGAL_MOVING, "moving", moving, moving_limit(c->machine, dst));
}

// ---- sizes

static void check_transpose(Checker *c, const Instr *instr, const Tile *src)
{
  Engine engine = instr->op->transpose.engine;
  uint64_t most = engine == ENGINE_DVE ? c->machine->vector_transpose_block : c->machine->partitions;
  if (!src->is_known || (src->partitions <= most && src->free_elements <= most))
    return;
  Diag *diag = report_op(c, instr, LEGAL_TRANSPOSE_SIZE,
                      "`%s` of `%s` is %" PRIu64 "x%" PRIu64 ", at most %" PRIu64 "x%" PRIu64 " fit",
                      field_known_as(instr, "src"), op_name(instr), src->partitions, src->free_elements, most, most);
  report_operand(&c->reporter, diag, instr, "src", src);
}

// ---- engines

// The oldest machine that has the instruction, of those with a row in the table.
static const Machine *first_machine_with(OpKind kind)
{
  for (size_t i = 0; i < sizeof engine_rows / sizeof *engine_rows; i++)
    for (int generation = 2; engine_rows[i].op == kind && generation <= 4; generation++)
      if (engine_rows[i].engines[generation - 2] != NONE)
        return machine_of_generation(generation);
  return NULL;
}

static void check_engine(Checker *c, const Instr *instr, const OpLimits *limits)
{
  Engine engine = op_engine(instr->op);
  if (limits->engines == NONE) {
    Diag *missing =
        report_op(c, instr, LEGAL_AVAILABLE, "%s has no instruction `%s`", c->machine->nc_version, op_name(instr));
    const Machine *later = first_machine_with(instr->op->kind);
    if (missing && later)
      diag_help(missing, "%s has it: --target %s", later->nc_version, later->name);
    return;
  }
  if (engine == ENGINE_UNASSIGNED || limits->engines >> engine & 1)
    return;
  const char *found = machine_engine(c->machine, engine)->nki_name;
  StrBuf list = strbuf_new(&c->reporter.session->arena);
  for (int i = 0; i < ENGINE_COUNT; i++)
    if (limits->engines >> i & 1)
      strbuf_printf(&list, "%s%s", list.len ? ", " : "", machine_engine(c->machine, (Engine)i)->nki_name);
  Diag *diag = report_op(c, instr, LEGAL_ENGINE, "`%s` does not run on the %s engine", op_name(instr), found);
  if (diag)
    diag_help(diag, "engines that run it on %s: %s", c->machine->nc_version, strbuf_cstr(&list));
}

static void check_reach(Checker *c, const Instr *instr, const OpLimits *limits, const Tile *tiles)
{
  Engine engine = op_engine(instr->op);
  const MachineEngine *facts = machine_engine(c->machine, engine);
  bool touches_none = instr->op->kind == OP_core_barrier;  // its data is only named
  if (engine == ENGINE_UNASSIGNED || engine == ENGINE_SP || touches_none || !(limits->engines >> engine & 1))
    return;
  for (uint32_t i = 0; i < limits->shape.count; i++) {
    const FieldInfo *field = limits->shape.slots[i].field;
    bool written = field->role == ROLE_WRITE || field->role == ROLE_UPDATE;
    if (!tiles[i].is_known || (written ? facts->writes : facts->reads) >> tiles[i].memory & 1)
      continue;
    Diag *diag = report_op(c, instr, LEGAL_REACH, "`%s` on the %s engine cannot %s `%s` in %s", op_name(instr),
                        facts->nki_name, written ? "write" : "read", field_known_as(instr, field->name),
                        core_MEMORY.of->member_name(tiles[i].memory));
    report_operand(&c->reporter, diag, instr, field->name, &tiles[i]);
    if (diag)
      help_space(&c->reporter, diag, instr, field->name, &tiles[i], written ? facts->writes : facts->reads, written);
  }
}

static void check_psum_pair(Checker *c, const Instr *instr, const OpLimits *limits, const Tile *tiles)
{
  const Tile *a = &tiles[limits->not_both_in_psum[0]], *b = &tiles[limits->not_both_in_psum[1]];
  if (!a->is_known || !b->is_known || a->memory != MEMORY_PSUM || b->memory != MEMORY_PSUM)
    return;
  const char *a_name = limits->shape.slots[limits->not_both_in_psum[0]].field->name;
  const char *b_name = limits->shape.slots[limits->not_both_in_psum[1]].field->name;
  Diag *diag =
      report_op(c, instr, LEGAL_BOTH_PSUM, "`%s` reads both `%s` and `%s` from PSUM", op_name(instr),
             field_known_as(instr, a_name), field_known_as(instr, b_name));
  report_operand(&c->reporter, diag, instr, a_name, a);
  report_operand(&c->reporter, diag, instr, b_name, b);
  if (diag)
    help_space(&c->reporter, diag, instr, b_name, b, 1u << MEMORY_SBUF, false);
}

// ---- DMA

enum { DGE_HARDWARE = 2 };  // the number of nki.isa.dge_mode.hwdge

static void check_dma_copy(Checker *c, const Instr *instr, const Tile *dst, const Tile *src)
{
  const struct Op_nc_dma_copy *op = &instr->op->nc_dma_copy;
  if (op->priority.some && !c->machine->dma.has_priority)
    report_op(c, instr, LEGAL_PRIORITY, "`%s` asks for a priority", op_name(instr));
  if (op->dge_mode != DGE_HARDWARE || !dst->is_known || !src->is_known)
    return;
  if (c->machine->dma.hardware_dge == 0)
    report_op(c, instr, LEGAL_HARDWARE_DGE, "`%s` asks for hardware descriptors, %s has none", op_name(instr),
           c->machine->nc_version);
  else if (dst->dtype != src->dtype)
    report_op(c, instr, LEGAL_HARDWARE_DGE, "`%s` with hardware descriptors converts %s to %s", op_name(instr),
           core_DTYPE.of->member_name(src->dtype), core_DTYPE.of->member_name(dst->dtype));
  else if (dst->view->vector_offset || src->view->vector_offset)
    report_op(c, instr, LEGAL_HARDWARE_DGE, "`%s` with hardware descriptors takes an index for each row",
           op_name(instr));
}

// ---- dtypes and operators that not everything takes

// Copies on chip move packed elements; between two dtypes they would convert them.
static bool copy_converts(const Instr *instr, const Tile *dst, const Tile *src)
{
  return (instr->op->kind == OP_nc_copy || instr->op->kind == OP_copy) && dst->is_known && src->is_known &&
         dst->dtype != src->dtype;
}

static void check_packed(Checker *c, const Instr *instr, const OpLimits *limits, const Tile *tiles)
{
  if (limits->takes_packed && !copy_converts(instr, &tiles[0], &tiles[1]))
    return;
  for (uint32_t i = 0; i < limits->shape.count; i++) {
    if (!tiles[i].is_known || !dtype_is_packed(tiles[i].dtype))
      continue;
    const char *field = limits->shape.slots[i].field->name;
    Diag *diag = report(c, instr->pos, LEGAL_PACKED, "operand `%s` of `%s` is %s, which cannot be computed with",
                        field_known_as(instr, field), op_name(instr), core_DTYPE.of->member_name(tiles[i].dtype));
    report_operand(&c->reporter, diag, instr, field, &tiles[i]);
    if (diag)
      diag_help(diag, "packed tiles are moved with `nisa.dma_copy` and multiplied with `nisa.nc_matmul_mx`");
  }
}

static void check_operators(Checker *c, const Instr *instr, const OpLimits *limits)
{
  for (uint32_t i = 0; i < limits->alu_count; i++) {
    const FieldInfo *field = limits->alu_fields[i];
    const char *at = (const char *)instr->op + field->offset;
    const Core_OPT_ALU_OP *option = (const void *)at;
    if (field->type == &core_OPT_ALU_OP && !option->some)
      continue;
    AluOp op = field->type == &core_OPT_ALU_OP ? option->value : *(const AluOp *)(const void *)at;
    if (alu_info(op)->since <= c->machine->generation)
      continue;
    const char *name = alu_info(op)->nki_name;
    Diag *diag = report(c, instr->pos, LEGAL_OPERATOR, "`%s` of `%s` is %s, which %s does not have",
                        field_known_as(instr, field->name), op_name(instr), name ? name : alu_wire_name(op), c->machine->nc_version);
    if (diag)
      diag_help(diag, "take the larger or smaller of two magnitudes with `nl.abs` and `nl.maximum` or `nl.minimum`");
  }
}

// ---- operators

static void check_special(Checker *c, const Instr *instr, const Tile *tiles)
{
  const Machine *machine = c->machine;
  switch (instr->op->kind) {
  case OP_nc_matmul: check_matmul(c, instr, &tiles[0], &tiles[1], &tiles[2]); return;
  case OP_nc_matmul_mx: check_matmul_mx(c, instr, tiles); return;
  case OP_transpose: check_transpose(c, instr, &tiles[1]); return;
  case OP_nc_dma_copy: check_dma_copy(c, instr, &tiles[0], &tiles[1]); return;
  case OP_dma_transpose:
    if (instr->op->dma_transpose.priority.some && !machine->dma.has_priority)
      report_op(c, instr, LEGAL_PRIORITY, "`%s` asks for a priority", op_name(instr));
    return;
  default: return;
  }
}

// The tensors of listed operands; their views need no device rule of their own.
static bool visit_tensor(void *context, const FieldInfo *field, Role role, const TensorRef *ref)
{
  (void)field, (void)role;
  Checker *c = context;
  Tile tile;
  if (tile_of_ref(&c->reporter.scratch, ref, &tile))
    check_tensor(c, tile.tensor, NULL);
  return true;
}

static void check_instr(Checker *c, const Instr *instr)
{
  OpLimits *limits = &c->ops[instr->op->kind];
  if (!limits->shape.is_ready)
    limits_init(c, instr->op->kind);
  Tile *tiles = c->tiles;
  for (uint32_t i = 0; i < limits->shape.count; i++) {
    const TensorRef *ref = op_slot_ref(instr->op, &limits->shape.slots[i]);
    if (!ref || !tile_is_of(&tiles[i], ref)) {
      tiles[i].is_known = false;
      if (!ref || !tile_of_ref(&c->reporter.scratch, ref, &tiles[i]))
        continue;
      check_tensor(c, tiles[i].tensor, instr->pos);
    }
    if (memory_is_on_chip(tiles[i].memory) && tiles[i].view->vector_offset)
      check_indirection(c, instr, limits->shape.slots[i].field, &tiles[i]);
    if (memory_is_on_chip(tiles[i].memory) && !limits->starts_anywhere && tiles[i].row_elements)
      check_start(c, instr, limits->shape.slots[i].field->name, &tiles[i]);
  }
  if (limits->shape.has_lists)
    op_visit_tensors(instr->op, visit_tensor, c);
  if (limits->is_restricted) {
    check_engine(c, instr, limits);
    check_reach(c, instr, limits, tiles);
  }
  if (limits->not_both_in_psum[0] >= 0)
    check_psum_pair(c, instr, limits, tiles);
  bool failed = c->reporter.failed;
  c->reporter.failed = false;
  check_special(c, instr, tiles);
  if (limits->use_count) {
    IsaCheck check = {&c->reporter, c->machine, instr, &limits->shape, tiles, c->core_count, NULL};
    isa_apply(&check, limits->uses, limits->use_count);
  }
  if (!c->reporter.failed) {  // what the instruction's own rules do not say
    check_packed(c, instr, limits, tiles);
    check_operators(c, instr, limits);
  }
  c->reporter.failed |= failed;
}

bool machine_check(Session *session, const Machine *machine, const Kernel *kernel)
{
  Checker *c = arena_new(&session->arena, Checker);
  c->reporter = reporter_new(session);
  c->machine = machine;
  c->core_count = kernel->bodies.count;
  if (kernel->bodies.count > machine->logical_cores) {
    Diag *diag = report(c, NULL, LEGAL_CORES, "kernel `%s` runs on %u logical cores, %s has %u", kernel->name,
                        kernel->bodies.count, machine->nc_version, machine->logical_cores);
    if (diag)
      diag_help(diag, "launch it with --lnc %u", machine->logical_cores);
  }
  for (uint32_t i = 0; i < kernel->bodies.count; i++)
    for (uint32_t k = 0; k < kernel->bodies.items[i].count; k++) {
      const Block *block = kernel->bodies.items[i].items[k];
      ArenaMark views = arena_mark(&c->reporter.scratch);
      for (uint32_t n = 0; n < block->body.count; n++) {
        check_instr(c, block->body.items[n]);
        if (n % REWIND_EVERY == REWIND_EVERY - 1)
          arena_rewind(&c->reporter.scratch, views);
      }
    }
  reporter_free(&c->reporter);
  return !c->reporter.failed;
}

// ---- instructions one by one

struct MachineChecker {
  Checker checker;
  ArenaMark start;  // of scratch
  uint32_t count;
};

MachineChecker *machine_checker_new(Session *session, const Machine *machine, uint32_t cores)
{
  MachineChecker *made = arena_new(&session->arena, MachineChecker);
  made->checker.reporter = reporter_new(session);
  made->checker.machine = machine;
  made->checker.core_count = cores;
  made->start = arena_mark(&made->checker.reporter.scratch);
  return made;
}

bool machine_checker_accepts(MachineChecker *checker, const Instr *instr)
{
  Checker *c = &checker->checker;
  c->reporter.failed = false;
  check_instr(c, instr);
  if (++checker->count % REWIND_EVERY == 0)
    arena_rewind(&c->reporter.scratch, checker->start);
  return !c->reporter.failed;
}

void machine_checker_free(MachineChecker *checker)
{
  if (checker)
    reporter_free(&checker->checker.reporter);
}
