// verify.c -- a kernel's structure, registers, tensors and views; the rules on operands are in verify_rules.c.

#include "core/verify.h"
#include "base/bug.h"
#include "core/nki_names.h"
#include "core/text.h"
#include "core/verify_rules.h"

#include <inttypes.h>
#include <string.h>

enum {
  ACCESS_DEPTH = 100,     // of run-time offsets within run-time offsets; deeper ones are not looked at
  RECENT_TENSORS = 4096,  // power of two
  REWIND_EVERY = 256,     // instructions whose views may stay in scratch
};

struct Verifier {
  Reporter reporter;
  const Kernel *kernel;
  RuleBook book;
  Map tensors;                           // of this core, by name -> const Tensor *
  const Tensor *recent[RECENT_TENSORS];  // tensors seen to be right, by address
  Map registers;                         // name -> number + 1
  uint64_t *defined;                     // set of registers, at the instruction being looked at
  uint32_t word_count;
  Tile tiles[TILES_MAX];                 // of the instruction being looked at
  ArenaMark start;                       // instructions one by one: of scratch,
  uint32_t count;                        // and how many were looked at
};

// ---- tensors

static bool product_fits(const Shape *shape, uint64_t *free_elements)
{
  uint64_t most = UINT64_C(1) << 56;
  *free_elements = 1;
  for (uint32_t i = 0; i < shape->free_dims.count; i++) {
    uint64_t size = shape->free_dims.items[i];
    if (size != 0 && *free_elements > most / size)
      return false;
    *free_elements *= size;
  }
  return shape->par_dim == 0 || *free_elements <= most / shape->par_dim;
}

static bool has_empty_dimension(const Shape *shape)
{
  bool empty = shape->par_dim == 0;
  for (uint32_t i = 0; i < shape->free_dims.count; i++)
    empty |= shape->free_dims.items[i] == 0;
  return empty;
}

static void check_tensor_itself(Verifier *v, const Tensor *tensor, const Pos *pos)
{
  Reporter *r = &v->reporter;
  const Address *address = tensor->address;
  uint64_t free_elements;
  pos = tensor->pos ? tensor->pos : pos;
  if (has_empty_dimension(&tensor->shape)) {
    report_at(r, pos, E_CORE_TENSOR, "tensor-shape", "tensor `%s` has a dimension of size 0", tensor->name);
    return;
  }
  if (!product_fits(&tensor->shape, &free_elements)) {
    report_at(r, pos, E_CORE_TENSOR, "tensor-size", "tensor `%s` has too many elements to address", tensor->name);
    return;
  }
  if (free_elements != tensor->free_elements)
    report_at(r, pos, E_CORE_TENSOR, "tensor-elements",
              "tensor `%s` claims %" PRIu64 " elements per partition, its shape has %" PRIu64, tensor->name,
              tensor->free_elements, free_elements);
  uint64_t row_bytes = free_elements * dtype_bytes(tensor->dtype);
  if (tensor->shape.par_dim > address->par_size || row_bytes > address->free_size)
    report_at(r, pos, E_CORE_TENSOR, "tensor-fits",
              "tensor `%s` needs %" PRIu64 " x %" PRIu64 " bytes, its address `%s` has %" PRIu64 " x %" PRIu64,
              tensor->name, tensor->shape.par_dim, row_bytes, address->name, address->par_size, address->free_size);
}

static void check_new_tensor(Verifier *v, const Tensor *tensor, const Pos *pos)
{
  const Tensor *known = map_get(&v->tensors, str_from(tensor->name));
  if (!known) {
    map_set(&v->tensors, str_from(tensor->name), (void *)(uintptr_t)tensor);
    check_tensor_itself(v, tensor, pos);
  } else if (known != tensor && !core_equal(&core_type_Tensor, known, tensor)) {
    Diag *diag = report_at(&v->reporter, tensor->pos ? tensor->pos : pos, E_CORE_TENSOR, "tensor-name",
                           "two different tensors are called `%s`", tensor->name);
    if (diag && known->pos && known->pos->span.source)
      diag_label(diag, known->pos->span, "the other is declared here");
  }
}

static inline void check_tensor(Verifier *v, const Tensor *tensor, const Pos *pos)
{
  const Tensor **recent = &v->recent[((uintptr_t)tensor >> 4 ^ (uintptr_t)tensor >> 14) & (RECENT_TENSORS - 1)];
  if (*recent == tensor)
    return;
  *recent = tensor;
  check_new_tensor(v, tensor, pos);
}

static void check_tensors(Verifier *v, const Core_LIST_TENSOR *tensors)
{
  for (uint32_t i = 0; i < tensors->count; i++)
    check_tensor(v, tensors->items[i], tensors->items[i]->pos);
}

// Inputs and outputs are arrays of the caller, which live in HBM.
static void check_interface(Verifier *v, const Core_LIST_TENSOR *tensors, const char *what)
{
  check_tensors(v, tensors);
  for (uint32_t i = 0; i < tensors->count; i++)
    if (memory_is_on_chip(tensors->items[i]->address->memory))
      report_at(&v->reporter, tensors->items[i]->pos, E_CORE_TENSOR, "interface-memory",
                "%s `%s` is in %s: the caller's arrays are in HBM", what, tensors->items[i]->name,
                core_MEMORY.of->member_name(tensors->items[i]->address->memory));
}

// ---- registers

static uint32_t register_number(Verifier *v, const char *name)
{
  Str key = str_from(name ? name : "");
  uintptr_t number = (uintptr_t)map_get(&v->registers, key);
  if (!number) {
    number = v->registers.count + 1;
    map_set(&v->registers, key, (void *)number);
  }
  return (uint32_t)number - 1;
}

static bool set_has(const uint64_t *set, uint32_t number)
{
  return set[number / 64] >> number % 64 & 1;
}

static void set_add(uint64_t *set, uint32_t number)
{
  set[number / 64] |= UINT64_C(1) << number % 64;
}

// A register that no operator mentions has no number and is never set.
static void check_register(Verifier *v, const char *name, const Pos *pos)
{
  if (!v->defined)
    return;  // instructions are looked at one by one
  uintptr_t number = (uintptr_t)map_get(&v->registers, str_from(name ? name : ""));
  if (number && set_has(v->defined, (uint32_t)number - 1))
    return;
  Diag *diag = report_at(&v->reporter, pos, E_CORE_REGISTER, "register-defined",
                         "register `%s` may be read before it is set", name);
  if (diag)
    diag_help(diag, "set it on every path that leads here, for example with `register_move` before the branch");
}

static bool branch_reads(const struct Op_cmp_branch *branch, const FieldInfo *field)
{
  if (branch->op == BR_CMP_OP_ALWAYS)
    return false;
  return field->offset == offsetof(Op, cmp_branch.reg1) || branch->op >= BR_CMP_OP_LT_REG;
}

// Registers that an operator reads, then those it sets.
static void check_registers(Verifier *v, const Instr *instr)
{
  uint32_t count;
  const FieldInfo *fields = op_info(instr->op->kind)->fields(&count);
  for (int pass = 0; pass < 2; pass++)
    for (uint32_t i = 0; i < count; i++) {
      if (fields[i].type != &core_REGISTER)
        continue;
      const char *name = *(const char *const *)((const char *)instr->op + fields[i].offset);
      if (pass == 1 && fields[i].role == ROLE_WRITE)
        set_add(v->defined, register_number(v, name));
      if (pass == 0 && fields[i].role == ROLE_READ &&
          (instr->op->kind != OP_cmp_branch || branch_reads(&instr->op->cmp_branch, &fields[i])))
        check_register(v, name, instr->pos);
    }
}

// ---- views

static void report_bounds(Verifier *v, const Instr *instr, const char *field, const Tile *tile, const char *rule,
                          const char *found, const char *expected)
{
  Diag *diag = report_at(&v->reporter, instr->pos, E_CORE_BOUNDS, rule, "`%s` of `%s` reaches outside of tensor `%s`",
                         field_known_as(instr, field), op_known_as(instr), tile->tensor->name);
  report_operand(&v->reporter, diag, instr, field, tile);
  if (diag)
    diag_note(diag, "found: %s; expected: %s", found, expected);
}

static bool is_empty(const View *view)
{
  for (uint32_t i = 0; i < view->pattern.count; i++)
    if (view->pattern.items[i].num == 0)
      return true;
  return false;
}

static void check_rows(Verifier *v, const Instr *instr, const char *field, const Tile *tile)
{
  Arena *arena = &v->reporter.session->arena;
  int64_t step = tile->view->pattern.count ? tile->view->pattern.items[0].step : 0;
  int64_t first = (int64_t)tile->start_partition, last = first;
  ApPair partitions = {(int32_t)tile->partition_step, (uint32_t)tile->partitions, 0};
  reach_pair(&partitions, &first, &last);
  if (tile->partitions > 1 && tile->partition_step != 1 && step % (int64_t)tile->row_elements != 0)
    report_bounds(v, instr, field, tile, "partition-step",
                  arena_printf(arena, "a step of %" PRId64 " between partitions", step),
                  arena_printf(arena, "a multiple of the %" PRIu64 " elements of a partition", tile->row_elements));
  else if (first < 0 || last >= (int64_t)tile->tensor->shape.par_dim)
    report_bounds(v, instr, field, tile, "partition-bounds",
                  arena_printf(arena, "partitions %" PRId64 " to %" PRId64, first, last),
                  arena_printf(arena, "partitions 0 to %" PRIu64, tile->tensor->shape.par_dim - 1));
  else if (tile->row_low < 0 || tile->row_high >= (int64_t)tile->row_elements)
    report_bounds(
        v, instr, field, tile, "free-bounds",
        arena_printf(arena, "elements %" PRId64 " to %" PRId64 " of a partition", tile->row_low, tile->row_high),
        arena_printf(arena, "elements 0 to %" PRIu64, tile->row_elements - 1));
}

// HBM: the static part lies inside the tensor. With a run-time offset only its size can be judged; with an index for
// each row the rows are where the indices say.
static void check_flat(Verifier *v, const Instr *instr, const char *field, const Tile *tile)
{
  const View *view = tile->view;
  uint64_t elements = tile->tensor->shape.par_dim * tile->row_elements;
  int64_t low = (int64_t)view->offset, high = low;
  for (uint32_t i = view->vector_offset ? 1 : 0; i < view->pattern.count; i++)
    reach_pair(&view->pattern.items[i], &low, &high);
  bool fits = view->scalar_offset ? (uint64_t)high - (uint64_t)low < elements : low >= 0 && high < (int64_t)elements;
  if (fits)
    return;
  Arena *arena = &v->reporter.session->arena;
  report_bounds(v, instr, field, tile, "bounds", arena_printf(arena, "elements %" PRId64 " to %" PRId64, low, high),
                arena_printf(arena, "elements 0 to %" PRIu64, elements - 1));
}

static void check_access(Verifier *v, const Instr *instr, const char *field, const Access *access, int depth);

static void check_offsets(Verifier *v, const Instr *instr, const char *field, const View *view, int depth)
{
  if (view->scalar_offset && view->scalar_offset->ctor == ScalarOffset_reg)
    check_register(v, view->scalar_offset->reg, instr->pos);
  else if (view->scalar_offset)
    check_access(v, instr, field, &view->scalar_offset->acc, depth + 1);
  if (view->vector_offset)
    check_access(v, instr, field, view->vector_offset, depth + 1);
}

static void check_tile(Verifier *v, const Instr *instr, const char *field, const Tile *tile, int depth)
{
  check_tensor(v, tile->tensor, instr->pos);
  const View *view = tile->view;
  bool is_broken = tile->row_elements == 0 || tile->row_elements > INT64_MAX / 2 || tile->tensor->shape.par_dim == 0;
  if (is_broken || is_empty(view))
    return;  // a broken tensor was reported; nothing is reached by an empty view
  if (memory_is_on_chip(tile->memory) && !tile->is_indirect)
    check_rows(v, instr, field, tile);
  else
    check_flat(v, instr, field, tile);
  if (tile->is_indirect && depth < ACCESS_DEPTH)
    check_offsets(v, instr, field, view, depth);
}

static void check_access(Verifier *v, const Instr *instr, const char *field, const Access *access, int depth)
{
  Tile tile;
  TensorRef ref = {.ctor = TensorRef_abstract, .abstract = *access};
  if (tile_of_ref(&v->reporter.scratch, &ref, &tile))
    check_tile(v, instr, field, &tile, depth);
}

static void check_listed(Verifier *v, const Instr *instr, const OpRules *rules)
{
  for (uint32_t i = 0; i < rules->shape.count; i++) {
    const TileSlot *slot = &rules->shape.slots[i];
    if (slot->type != &core_LIST_TENSOR_REF)
      continue;
    const Core_LIST_TENSOR_REF *list = (const void *)((const char *)instr->op + slot->field->offset);
    for (uint32_t k = 0; k < list->count; k++) {
      Tile tile;
      if (tile_of_ref(&v->reporter.scratch, &list->items[k], &tile))
        check_tile(v, instr, slot->field->name, &tile, 0);
    }
  }
}

static void check_instr(Verifier *v, const Instr *instr)
{
  const OpRules *rules = rule_book_op(&v->book, instr->op->kind);
  Tile *tiles = v->tiles;
  for (uint32_t i = 0; i < rules->shape.count; i++) {
    const TensorRef *ref = op_slot_ref(instr->op, &rules->shape.slots[i]);
    if (ref && !v->reporter.failed && tile_is_of(&tiles[i], ref))
      continue;  // it was right before and does not depend on where it is used
    tiles[i].is_known = false;
    if (ref && tile_of_ref(&v->reporter.scratch, ref, &tiles[i]))
      check_tile(v, instr, rules->shape.slots[i].field->name, &tiles[i], 0);
  }
  rules_apply(&v->reporter, rules, instr, tiles);
  values_check(&v->reporter, instr, rules->first_value);
  if (rules->shape.has_lists)
    check_listed(v, instr, rules);
  if (rules->shape.has_registers && v->defined)
    check_registers(v, instr);
}

// ---- blocks

static const Instr *terminator(const Block *block)
{
  if (block->body.count == 0)
    return NULL;
  const Instr *last = block->body.items[block->body.count - 1];
  return last->op->kind == OP_cmp_branch ? last : NULL;
}

static const Pos *block_pos(const Block *block)
{
  return block->body.count ? block->body.items[block->body.count - 1]->pos : NULL;
}

static void check_target(Verifier *v, const Instr *branch, const char *label, Map *blocks)
{
  if (!label || !map_get(blocks, str_from(label)))
    report_at(&v->reporter, branch->pos, E_CORE_BLOCKS, "label-defined", "no block is labelled `%s`",
              label ? label : "");
}

// Gives the registers of an operator numbers, so that sets have a fixed size.
static void number_registers(Verifier *v, const Op *op)
{
  if (!rule_book_op(&v->book, op->kind)->shape.has_registers)
    return;
  uint32_t count;
  const FieldInfo *fields = op_info(op->kind)->fields(&count);
  for (uint32_t i = 0; i < count; i++)
    if (fields[i].type == &core_REGISTER)
      register_number(v, *(const char *const *)((const char *)op + fields[i].offset));
}

// Labels, jumps and ends of the blocks of one core; `labels` receives label -> block number + 1. False when the control
// flow graph cannot be followed. Registers are numbered on the way.
static bool check_blocks(Verifier *v, const Core_LIST_BLOCK *blocks, uint32_t core, Map *labels)
{
  Reporter *r = &v->reporter;
  bool failed_before = r->failed;
  r->failed = false;
  if (blocks->count == 0)
    report_at(r, NULL, E_CORE_BLOCKS, arena_printf(&r->session->arena, "entry-block of core %u", core),
              "core %u has no block to start with", core);
  for (uint32_t i = 0; i < blocks->count; i++) {
    Str label = str_from(blocks->items[i]->label);
    if (map_get(labels, label))
      report_at(r, block_pos(blocks->items[i]), E_CORE_BLOCKS, "label-unique", "two blocks are labelled `%s`",
                blocks->items[i]->label);
    map_set(labels, label, (void *)(uintptr_t)(i + 1));
  }
  for (uint32_t i = 0; i < blocks->count; i++) {
    const Block *block = blocks->items[i];
    for (uint32_t k = 0; k < block->body.count; k++) {
      number_registers(v, block->body.items[k]->op);
      if (block->body.items[k]->op->kind == OP_cmp_branch && k + 1 < block->body.count)
        report_at(r, block->body.items[k]->pos, E_CORE_BLOCKS, "branch-last",
                  "a branch stands in the middle of block `%s`", block->label);
    }
    const Instr *last = terminator(block);
    if (!last && i + 1 < blocks->count)
      report_at(r, block_pos(block), E_CORE_BLOCKS, "block-ends", "block `%s` does not end with a jump", block->label);
    if (!last)
      continue;
    check_target(v, last, last->op->cmp_branch.true_label, labels);
    if (last->op->cmp_branch.op != BR_CMP_OP_ALWAYS)
      check_target(v, last, last->op->cmp_branch.false_label, labels);
  }
  bool ok = !r->failed;
  r->failed |= failed_before;
  return ok;
}

// Registers that a block sets, as a set.
static void add_definitions(Verifier *v, const Block *block, uint64_t *set)
{
  for (uint32_t k = 0; k < block->body.count; k++) {
    const Op *op = block->body.items[k]->op;
    if (!rule_book_op(&v->book, op->kind)->shape.has_registers)
      continue;
    uint32_t count;
    const FieldInfo *fields = op_info(op->kind)->fields(&count);
    for (uint32_t i = 0; i < count; i++)
      if (fields[i].type == &core_REGISTER && fields[i].role == ROLE_WRITE)
        set_add(set, register_number(v, *(const char *const *)((const char *)op + fields[i].offset)));
  }
}

// The one or two blocks that follow `block`; how many.
static int successors(const Block *block, const Map *labels, uint32_t *out)
{
  const Instr *last = terminator(block);
  if (!last)
    return 0;
  const struct Op_cmp_branch *branch = &last->op->cmp_branch;
  out[0] = (uint32_t)(uintptr_t)map_get(labels, str_from(branch->true_label)) - 1;
  if (branch->op == BR_CMP_OP_ALWAYS)
    return 1;
  out[1] = (uint32_t)(uintptr_t)map_get(labels, str_from(branch->false_label)) - 1;
  return 2;
}

// in[b] = registers set on every path from the entry to block b: the largest solution of
// in[b] = intersection over predecessors p of (in[p] | set in p), with nothing set at the entry.
static uint64_t *solve_definitions(Verifier *v, const Core_LIST_BLOCK *blocks, const Map *labels)
{
  Arena *scratch = &v->reporter.scratch;
  uint32_t words = v->word_count, count = blocks->count;
  uint64_t *in = arena_array(scratch, uint64_t, (size_t)count * words), *set = arena_array(scratch, uint64_t, words);
  uint32_t *waiting = arena_array(scratch, uint32_t, count), wait_count = 0;
  bool *is_waiting = arena_array(scratch, bool, count);
  memset(in + words, 0xFF, sizeof *in * (count - 1) * words);
  for (uint32_t i = count; i-- > 0;) {
    waiting[wait_count++] = i;
    is_waiting[i] = true;
  }
  while (wait_count) {
    uint32_t at = waiting[--wait_count], targets[2];
    is_waiting[at] = false;
    memcpy(set, in + (size_t)at * words, sizeof *set * words);
    add_definitions(v, blocks->items[at], set);
    int target_count = successors(blocks->items[at], labels, targets);
    for (int i = 0; i < target_count; i++) {
      uint64_t *target = in + (size_t)targets[i] * words, lost = 0;
      for (uint32_t w = 0; w < words; w++) {
        lost |= target[w] & ~set[w];
        target[w] &= set[w];
      }
      if (lost && !is_waiting[targets[i]]) {
        waiting[wait_count++] = targets[i];
        is_waiting[targets[i]] = true;
      }
    }
  }
  return in;
}

static void check_core(Verifier *v, const Core_LIST_BLOCK *blocks, uint32_t core)
{
  Arena *scratch = &v->reporter.scratch;
  Map labels = map_new(&v->reporter.session->arena);
  v->tensors = map_new(&v->reporter.session->arena);
  v->registers = map_new(&v->reporter.session->arena);
  memset(v->recent, 0, sizeof v->recent);
  memset(v->tiles, 0, sizeof v->tiles);
  check_interface(v, &v->kernel->inputs, "input");
  check_interface(v, &v->kernel->outputs, "output");
  check_tensors(v, &v->kernel->shared_buffers);
  bool has_graph = check_blocks(v, blocks, core, &labels);
  ArenaMark mark = arena_mark(scratch);
  v->word_count = (uint32_t)(v->registers.count + 63) / 64;
  uint64_t *in = has_graph && v->word_count ? solve_definitions(v, blocks, &labels) : NULL;
  v->defined = arena_array(scratch, uint64_t, v->word_count);
  for (uint32_t i = 0; i < blocks->count; i++) {
    if (in)
      memcpy(v->defined, in + (size_t)i * v->word_count, sizeof *in * v->word_count);
    else
      memset(v->defined, 0xFF, sizeof *in * v->word_count);  // no registers, or the graph was reported
    ArenaMark views = arena_mark(scratch);
    for (uint32_t k = 0; k < blocks->items[i]->body.count; k++) {
      check_instr(v, blocks->items[i]->body.items[k]);
      if (k % REWIND_EVERY == REWIND_EVERY - 1)
        arena_rewind(scratch, views);
    }
  }
  arena_rewind(scratch, mark);
}

// ---- cores

static bool same_text(const char *a, const char *b)
{
  return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_jump(const Instr *a, const Instr *b)
{
  if (!a || !b)
    return a == b;
  const struct Op_cmp_branch *x = &a->op->cmp_branch, *y = &b->op->cmp_branch;
  return x->op == y->op && same_text(x->true_label, y->true_label) && same_text(x->false_label, y->false_label);
}

// The hardware runs all cores of a launch through the same control flow.
static void check_cores_agree(Verifier *v)
{
  const Core_LIST_LIST_BLOCK *bodies = &v->kernel->bodies;
  for (uint32_t core = 1; core < bodies->count; core++) {
    const Core_LIST_BLOCK *a = &bodies->items[0], *b = &bodies->items[core];
    if (a->count != b->count) {
      report_at(&v->reporter, NULL, E_CORE_CORES, "cores-blocks", "core %u has %u blocks, core 0 has %u", core,
                b->count, a->count);
      continue;
    }
    for (uint32_t i = 0; i < a->count; i++) {
      const Block *x = a->items[i], *y = b->items[i];
      if (!same_text(x->label, y->label))
        report_at(&v->reporter, block_pos(y), E_CORE_CORES, "cores-labels",
                  "block %u is `%s` on core %u, `%s` on core 0", i, y->label, core, x->label);
      else if (!same_jump(terminator(x), terminator(y)))
        report_at(&v->reporter, block_pos(y), E_CORE_CORES, "cores-jumps",
                  "block `%s` ends differently on cores 0 and %u", x->label, core);
    }
  }
}

bool core_verify(Session *session, const Kernel *kernel)
{
  Verifier *v = arena_new(&session->arena, Verifier);
  v->reporter = reporter_new(session);
  v->kernel = kernel;
  v->book.arena = &session->arena;
  if (kernel->bodies.count == 0)
    report_at(&v->reporter, NULL, E_CORE_BLOCKS, "entry-block", "kernel `%s` has no core to run on", kernel->name);
  for (uint32_t core = 0; core < kernel->bodies.count; core++)
    check_core(v, &kernel->bodies.items[core], core);
  check_cores_agree(v);
  reporter_free(&v->reporter);
  return !v->reporter.failed;
}

// ---- instructions one by one

Verifier *verifier_new(Session *session)
{
  Verifier *v = arena_new(&session->arena, Verifier);
  v->reporter = reporter_new(session);
  v->book.arena = &session->arena;
  v->tensors = map_new(&session->arena);
  v->start = arena_mark(&v->reporter.scratch);
  return v;
}

bool verifier_accepts(Verifier *v, const Instr *instr)
{
  v->reporter.failed = false;
  check_instr(v, instr);
  if (++v->count % REWIND_EVERY == 0)
    arena_rewind(&v->reporter.scratch, v->start);
  return !v->reporter.failed;
}

void verifier_free(Verifier *v)
{
  if (v)
    reporter_free(&v->reporter);
}
