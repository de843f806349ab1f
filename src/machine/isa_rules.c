// isa_rules.c -- isa.def as data, and its rows applied to one operator.

#include "machine/isa_rules.h"
#include "base/bug.h"
#include "core/nki_names.h"
#include "core/verify_help.h"
#include "machine/isa_special.h"

#include <inttypes.h>

static const IsaRow rows[] = {
#define COMMON(op_, field, gens) .op = OP_##op_, .offset = offsetof(Op, op_.field), .generations = gens
#define DTYPES(op, field, gens, set_, source_)                                                                         \
  {COMMON(op, field, gens), .kind = ISA_DTYPES, .set = set_, .code = E_MACHINE_DTYPE, .id = "dtype", .source = source_},
#define OPERATORS(op, field, gens, engines_, set_, source_)                                                            \
  {COMMON(op, field, gens), .kind = ISA_OPERATORS, .engines = engines_, .set = set_, .code = E_CORE_VALUE,             \
   .id = (engines_) != 0 ? "engine-operator" : "operator", .source = source_},
#define COMMANDS(op, field, gens, set_, source_)                                                                       \
  {COMMON(op, field, gens), .kind = ISA_COMMANDS, .set = set_, .code = E_CORE_VALUE, .id = "command",                  \
   .source = source_},
#define MEMORIES(op, field, gens, engines_, set_, source_)                                                             \
  {COMMON(op, field, gens), .kind = ISA_MEMORIES, .engines = engines_, .set = set_, .code = E_MACHINE_REACH,           \
   .id = "memory", .source = source_},
#define RANGE(op, field, gens, least_, most_, source_)                                                                 \
  {COMMON(op, field, gens), .kind = ISA_RANGE, .least = least_, .most = most_, .code = E_CORE_VALUE, .id = "range",    \
   .source = source_},
#define PARTITIONS(op, field, gens, least_, most_, multiple_, source_)                                                 \
  {COMMON(op, field, gens), .kind = ISA_PARTITIONS, .least = least_, .most = most_, .multiple = multiple_,             \
   .code = E_MACHINE_SIZE, .id = "partitions", .source = source_},
#define COLUMNS(op, field, gens, least_, most_, multiple_, source_)                                                    \
  {COMMON(op, field, gens), .kind = ISA_COLUMNS, .least = least_, .most = most_, .multiple = multiple_,                \
   .code = E_MACHINE_SIZE, .id = "columns", .source = source_},
#define RANK(op, field, gens, most_, source_)                                                                          \
  {COMMON(op, field, gens), .kind = ISA_RANK, .most = most_, .code = E_MACHINE_SIZE, .id = "rank", .source = source_},
#define SPECIAL(op, field, gens, predicate, code_, id_, asks_, source_)                                                \
  {COMMON(op, field, gens), .kind = ISA_SPECIAL, .holds = isa_##predicate, .code = code_, .id = id_, .asks = asks_,    \
   .source = source_},
#include "machine/isa.def"
};

const IsaRow *isa_rows(size_t *count)
{
  *count = sizeof rows / sizeof *rows;
  return rows;
}

const FieldInfo *isa_row_field(const IsaRow *row)
{
  uint32_t count;
  const FieldInfo *fields = op_info(row->op)->fields(&count);
  for (uint32_t i = 0; i < count; i++)
    if (fields[i].offset == row->offset)
      return &fields[i];
  bug("a row of isa.def names no field of %s", op_info(row->op)->name);
}

static bool wants_tile(IsaRowKind kind)
{
  switch (kind) {
  case ISA_DTYPES:
  case ISA_MEMORIES:
  case ISA_PARTITIONS:
  case ISA_COLUMNS:
  case ISA_RANK: return true;
  case ISA_OPERATORS:
  case ISA_COMMANDS:
  case ISA_RANGE:
  case ISA_SPECIAL: return false;
  }
  return false;
}

const IsaUse *isa_uses(Arena *arena, const OpShape *shape, OpKind kind, int generation, uint32_t *count)
{
  size_t all = sizeof rows / sizeof *rows;
  *count = 0;
  for (size_t i = 0; i < all; i++)
    *count += rows[i].op == kind && rows[i].generations >> generation & 1;
  IsaUse *uses = arena_array(arena, IsaUse, *count);
  uint32_t next = 0;
  for (size_t i = 0; i < all; i++)
    if (rows[i].op == kind && rows[i].generations >> generation & 1) {
      int slot = op_shape_slot(shape, rows[i].offset);
      if (slot < 0 && wants_tile(rows[i].kind))
        bug("a row of isa.def for %s needs a tensor operand", op_info(kind)->name);
      uses[next++] = (IsaUse){&rows[i], isa_row_field(&rows[i]), slot};
    }
  return uses;
}

// ---- values

// An enumeration's member, of the kind or its OPT_ form; false when absent.
static bool member_of(const Op *op, const FieldInfo *field, uint32_t *member)
{
  const char *at = (const char *)op + field->offset;
  if (field->type->form != FORM_OPTION) {
    *member = *(const uint32_t *)at;
    return true;
  }
  *member = *(const uint32_t *)(at + field->type->value_offset);
  return *(const bool *)at;
}

static bool immediate_in(const Immediate *value, int64_t least, int64_t most, double *found)
{
  if (value->ctor != Immediate_integer && value->ctor != Immediate_real)
    return true;
  *found = value->ctor == Immediate_integer ? (double)value->integer : (double)value->real;
  return *found >= (double)least && *found <= (double)most;
}

// Whether every number of the field lies in the row's range; else one that does not.
static bool in_range(const Op *op, const FieldInfo *field, const IsaRow *row, double *found)
{
  const void *at = (const char *)op + field->offset;
  const TypeInfo *type = field->type;
  if (type == &core_NAT || type == &core_OPT_NAT) {
    const Core_OPT_NAT *option = at;
    if (type == &core_OPT_NAT && !option->some)
      return true;
    uint64_t value = type == &core_NAT ? *(const uint64_t *)at : option->value;
    *found = (double)value;
    return value <= (uint64_t)row->most && (row->least <= 0 || value >= (uint64_t)row->least);
  }
  if (type == &core_BOOL) {
    *found = *(const bool *)at;
    return *found >= (double)row->least && *found <= (double)row->most;
  }
  if (type == &core_IMMEDIATE)
    return immediate_in(at, row->least, row->most, found);
  if (type == &core_OPT_IMMEDIATE)
    return !*(const Immediate *const *)at || immediate_in(*(const Immediate *const *)at, row->least, row->most, found);
  if (type == &core_LIST_IMMEDIATE) {
    const Core_LIST_IMMEDIATE *list = at;
    for (uint32_t i = 0; i < list->count; i++)
      if (!immediate_in(&list->items[i], row->least, row->most, found))
        return false;
    return true;
  }
  bug("no range for a field of kind %s", type->name);
}

static bool size_fits(const IsaRow *row, uint64_t size)
{
  return size >= (uint64_t)row->least && size <= (uint64_t)row->most && size % row->multiple == 0;
}

static bool engine_applies(const IsaRow *row, const Op *op)
{
  return !row->engines || row->engines >> op_engine(op) & 1;
}

static inline bool holds(IsaCheck *check, const IsaUse *use)
{
  const IsaRow *row = use->row;
  const Op *op = check->instr->op;
  const Tile *tile = use->slot >= 0 ? &check->tiles[use->slot] : NULL;
  bool is_known = tile && tile->is_known;
  uint32_t member;
  double number;
  switch (row->kind) {
  case ISA_DTYPES: return !is_known || row->set >> tile->dtype & 1;
  case ISA_MEMORIES: return !is_known || row->set >> tile->memory & 1 || !engine_applies(row, op);
  case ISA_PARTITIONS: return !is_known || size_fits(row, tile->partitions);
  case ISA_COLUMNS: return !is_known || size_fits(row, tile->free_elements);
  case ISA_RANK: return !is_known || tile->view->pattern.count <= row->most;
  case ISA_OPERATORS:
  case ISA_COMMANDS: return !member_of(op, use->field, &member) || row->set >> member & 1 || !engine_applies(row, op);
  case ISA_RANGE: return in_range(op, use->field, row, &number);
  case ISA_SPECIAL: return row->holds(check);
  }
  return true;
}

// ---- texts

typedef const char *NameOf(uint32_t member, bool in_nki_names);

static const char *dtype_text(uint32_t member, bool in_nki_names)
{
  const char *name = in_nki_names ? dtype_nki_name((DType)member) : NULL;
  return name ? name : dtype_name((DType)member);
}

static const char *operator_text(uint32_t member, bool in_nki_names)
{
  const char *name = in_nki_names ? alu_info((AluOp)member)->nki_name : NULL;
  return name ? name : alu_wire_name((AluOp)member);
}

static const char *command_text(uint32_t member, bool in_nki_names)
{
  static const char *const names[] = {[ACCUM_CMD_IDLE] = "idle",
                                      [ACCUM_CMD_ZERO] = "reset",
                                      [ACCUM_CMD_ACCUMULATE] = "reduce",
                                      [ACCUM_CMD_ZERO_ACCUMULATE] = "reset_reduce",
                                      [ACCUM_CMD_LOAD_ACCUMULATE] = "load_reduce"};
  return in_nki_names ? names[member] : core_ACCUM_CMD.of->member_name(member);
}

static const char *memory_text(uint32_t member, bool in_nki_names)
{
  (void)in_nki_names;
  return core_MEMORY.of->member_name(member);
}

// Members of `set` below `count`, a name that several have only once.
static const char *set_text(Arena *arena, uint64_t set, uint32_t count, NameOf *name_of, bool in_nki_names)
{
  StrBuf out = strbuf_new(arena);
  const char *names[64];
  uint32_t said = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (!(set >> i & 1))
      continue;
    const char *name = name_of(i, in_nki_names);
    bool is_new = true;
    for (uint32_t k = 0; k < said; k++)
      is_new &= !str_equal(str_from(names[k]), str_from(name));
    if (!is_new)
      continue;
    strbuf_printf(&out, "%s%s", out.len ? ", " : "", name);
    names[said++] = name;
  }
  return strbuf_cstr(&out);
}

static const char *size_text(Arena *arena, const IsaRow *row, const char *unit)
{
  if (row->least == row->most)
    return arena_printf(arena, "%" PRId64 " %s", row->least, unit);
  if (row->multiple == 1)
    return arena_printf(arena, "%" PRId64 " to %" PRId64 " %s", row->least, row->most, unit);
  return arena_printf(arena, "a multiple of %u from %" PRId64 " to %" PRId64 " %s", row->multiple, row->least,
                      row->most, unit);
}

static const char *engines_text(Arena *arena, uint32_t engines)
{
  StrBuf out = strbuf_new(arena);
  for (int i = 0; i < ENGINE_COUNT; i++)
    if (engines >> i & 1)
      strbuf_printf(&out, "%s%s", out.len ? " or " : "", machine_engine(machine_default(), (Engine)i)->nki_name);
  return strbuf_cstr(&out);
}

const char *isa_row_asks(Arena *arena, const IsaRow *row, bool nki)
{
  const char *asks = row->asks;
  switch (row->kind) {
  case ISA_DTYPES:
    asks = arena_printf(arena, "one of %s", set_text(arena, row->set, DTYPE_COUNT, dtype_text, nki));
    break;
  case ISA_OPERATORS:
    asks = arena_printf(arena, "one of %s", set_text(arena, row->set, ALU_OP_COUNT, operator_text, nki));
    break;
  case ISA_COMMANDS:
    asks = arena_printf(arena, "one of %s", set_text(arena, row->set, core_ACCUM_CMD.of->member_count, command_text, nki));
    break;
  case ISA_MEMORIES:
    asks = arena_printf(arena, "a tile in %s", set_text(arena, row->set, core_MEMORY.of->member_count, memory_text, nki));
    break;
  case ISA_RANGE: asks = arena_printf(arena, "%" PRId64 " to %" PRId64, row->least, row->most); break;
  case ISA_PARTITIONS: asks = size_text(arena, row, "partitions"); break;
  case ISA_COLUMNS: asks = size_text(arena, row, "elements per partition"); break;
  case ISA_RANK: asks = arena_printf(arena, "at most %" PRId64 " dimensions, partitions included", row->most); break;
  case ISA_SPECIAL: break;
  }
  return row->engines ? arena_printf(arena, "on the %s engine: %s", engines_text(arena, row->engines), asks) : asks;
}

const char *isa_row_source(Arena *arena, const IsaRow *row)
{
  return row->source ? row->source : arena_printf(arena, "nki.isa %s", op_rule_name(arena, row->op));
}

// What is there instead.
static const char *found_text(IsaCheck *check, const IsaUse *use)
{
  Arena *arena = &check->reporter->session->arena;
  const Op *op = check->instr->op;
  bool nki = instr_is_traced(check->instr);
  const Tile *tile = use->slot >= 0 ? &check->tiles[use->slot] : NULL;
  const char *field = field_known_as(check->instr, use->field->name), *found = "";
  uint32_t member = 0;
  double number = 0;
  switch (use->row->kind) {
  case ISA_DTYPES: found = dtype_text(tile->dtype, nki); break;
  case ISA_MEMORIES: found = arena_printf(arena, "in %s", memory_text(tile->memory, nki)); break;
  case ISA_PARTITIONS: found = arena_printf(arena, "a tile of %" PRIu64 " partitions", tile->partitions); break;
  case ISA_COLUMNS: found = arena_printf(arena, "a tile of %" PRIu64 " elements per partition", tile->free_elements); break;
  case ISA_RANK: found = arena_printf(arena, "a tile of %u dimensions", tile->view->pattern.count); break;
  case ISA_OPERATORS:
    member_of(op, use->field, &member);
    found = operator_text(member, nki);
    break;
  case ISA_COMMANDS:
    member_of(op, use->field, &member);
    found = command_text(member, nki);
    break;
  case ISA_RANGE:
    in_range(op, use->field, use->row, &number);
    found = arena_printf(arena, "%.9g", number);
    break;
  case ISA_SPECIAL: return check->found;
  }
  return arena_printf(arena, "`%s` of `%s` is %s", field, op_known_as(check->instr), found);
}

static void report_broken(IsaCheck *check, const IsaUse *use)
{
  const IsaRow *row = use->row;
  Arena *arena = &check->reporter->session->arena;
  Diag *diag = report_at(check->reporter, check->instr->pos, row->code,
                         rule_id(arena, row->op, use->field->name, row->id), "%s", found_text(check, use));
  if (!diag)
    return;
  diag_note(diag, "expected on %s (%s): %s [%s]", check->machine->name, check->machine->nc_version,
            isa_row_asks(arena, row, instr_is_traced(check->instr)), isa_row_source(arena, row));
  if (use->slot >= 0 && check->tiles[use->slot].is_known)
    report_operand(check->reporter, diag, check->instr, use->field->name, &check->tiles[use->slot]);
  if (row->kind == ISA_COLUMNS && check->tiles[use->slot].free_elements > (uint64_t)row->most)
    help_pieces(check->reporter, diag, check->instr, use->field->name, &check->tiles[use->slot], (uint64_t)row->most);
}

void isa_apply(IsaCheck *check, const IsaUse *uses, uint32_t count)
{
  for (uint32_t i = 0; i < count; i++)
    if (!holds(check, &uses[i]))
      report_broken(check, &uses[i]);
}

// ---- for predicates

bool isa_fail(IsaCheck *check, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  check->found = arena_vprintf(&check->reporter->session->arena, format, args);
  va_end(args);
  return false;
}
