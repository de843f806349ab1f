// builder.c -- the kernel under construction: places, names, blocks and instructions.

#include "trace/builder.h"
#include "base/bug.h"
#include <string.h>

Builder *builder_need(Tracer *t, const char *what, Span span)
{
  if (!t->kernel && what)
    raise_error(t, E_ISA_ARGUMENT, user_span(t, span), "%s outside of a kernel", what);
  return t->kernel;
}

// ---- places

const Frame *user_frame(Tracer *t, Span span, Span *user_span)
{
  const Frame *frame = t->frame;
  while (frame && module_is_library(frame->module)) {
    if (span_is_none(frame->call_span))
      break;
    span = frame->call_span;
    frame = frame->caller;
  }
  *user_span = span;
  return frame;
}

Span user_span(Tracer *t, Span span)
{
  user_frame(t, span, &span);
  return span;
}

const char *library_function(Tracer *t)
{
  const Frame *frame = t->frame, *library = NULL;
  for (; frame && module_is_library(frame->module); frame = frame->caller)
    library = frame;
  if (!library || !library->function)
    return NULL;
  const char *module = library->module->name->str.data, *name = library->function->name->str.data;
  const char *prefix = strncmp(module, "nki.isa", 7) == 0            ? "nisa"
                       : strncmp(module, "nki.collectives", 15) == 0 ? "nccl"
                                                                     : "nl";
  return arena_printf(&t->arena, "%s.%s", prefix, name);
}

static uint64_t span_key(Span span, const void *caller)
{
  return ((uint64_t)span.source << 52) ^ ((uint64_t)span.start << 26) ^ span.end ^ ((uintptr_t)caller << 8);
}

typedef struct SiteEntry {
  CallSite site;
  struct SiteEntry *next; // other sites with the same key
} SiteEntry;

// The calls that lead to `frame`, shared between equal chains; NULL for the kernel's own frame.
static const CallSite *call_sites(Builder *b, const Frame *frame)
{
  Span span;
  if (!frame || !frame->function || !frame->caller || span_is_none(frame->call_span))
    return NULL;
  const Frame *from = frame->caller;
  span = frame->call_span;
  while (from && module_is_library(from->module) && !span_is_none(from->call_span)) {
    span = from->call_span;
    from = from->caller;
  }
  const CallSite *caller = call_sites(b, from);
  uint64_t key = span_key(span, caller) ^ (uintptr_t)frame->function->name * 31 ^ (1ull << 63);
  SiteEntry *first = map_get_number(&b->positions, key);
  for (SiteEntry *entry = first; entry; entry = entry->next)
    if (entry->site.caller == caller && memcmp(&entry->site.span, &span, sizeof span) == 0 &&
        strcmp(entry->site.function, frame->function->name->str.data) == 0)
      return &entry->site;
  SiteEntry *made = arena_new(b->arena, SiteEntry);
  made->site = (CallSite){span, arena_strdup(b->arena, frame->function->name->str.data), caller};
  made->next = first;
  map_set_number(&b->positions, key, made);
  return &made->site;
}

typedef struct PosEntry {
  Pos pos;
  struct PosEntry *next;
} PosEntry;

static PosEntry *pos_new(Builder *b, Span span, const CallSite *caller)
{
  PosEntry *made = arena_new(b->arena, PosEntry);
  Source *source = session_source(b->t->session, span.source);
  made->pos.span = span;
  made->pos.is_traced = true;
  made->pos.caller = caller;
  if (source) {
    Place start = source_place(source, &b->t->session->arena, span.start);
    Place end = source_place(source, &b->t->session->arena, span.end);
    made->pos.line = start.line;
    made->pos.column = start.column;
    made->pos.line_end = (Core_OPT_NAT){true, end.line};
    made->pos.column_end = (Core_OPT_NAT){true, end.column};
    made->pos.filename = source->path;
  }
  return made;
}

const Pos *builder_pos(Builder *b, Span span)
{
  const Frame *frame = user_frame(b->t, span, &span);
  const CallSite *caller = call_sites(b, frame);
  if (b->last_pos && b->last_pos->caller == caller && memcmp(&b->last_pos->span, &span, sizeof span) == 0)
    return b->last_pos;
  uint64_t key = span_key(span, caller) & ~(1ull << 63);
  PosEntry *first = map_get_number(&b->positions, key);
  for (PosEntry *entry = first; entry; entry = entry->next)
    if (entry->pos.caller == caller && memcmp(&entry->pos.span, &span, sizeof span) == 0)
      return b->last_pos = &entry->pos;
  PosEntry *made = pos_new(b, span, caller);
  made->next = first;
  map_set_number(&b->positions, key, made);
  return b->last_pos = &made->pos;
}

// ---- names

const char *builder_keep(Builder *b, const char *text)
{
  char *kept = map_get(&b->strings, str_from(text));
  if (kept)
    return kept;
  kept = arena_strdup(b->arena, text);
  map_set(&b->strings, str_from(kept), kept);
  return kept;
}

uint32_t *builder_counter(Builder *b, const char *base)
{
  uint32_t *count = map_get(&b->counters, str_from(base));
  if (!count) {
    count = arena_new(&b->t->arena, uint32_t);
    map_set(&b->counters, str_from(arena_strdup(&b->t->arena, base)), count);
  }
  return count;
}

size_t number_name(char *out, size_t capacity, const char *base, uint32_t number)
{
  char digits[12];
  size_t len = strlen(base), count = 0;
  do
    digits[count++] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  len = len < capacity - sizeof digits - 2 ? len : capacity - sizeof digits - 2;
  memcpy(out, base, len);
  out[len++] = '.';
  while (count > 0)
    out[len++] = digits[--count];
  out[len] = '\0';
  return len;
}

const char *builder_number(Builder *b, const char *base)
{
  char text[160];
  number_name(text, sizeof text, base, ++*builder_counter(b, base));
  return builder_keep(b, text);
}

// "inst.N", the same text for all cores.
static const char *instruction_name(Builder *b)
{
  uint32_t number = b->instruction_count++;
  if (number < b->instruction_names.count)
    return b->instruction_names.items[number];
  char text[32];
  size_t len = number_name(text, sizeof text, "inst", number + 1);
  const char *name = arena_strndup(b->arena, text, len);
  if (b->cores > 1)
    vec_push(&b->t->arena, &b->instruction_names, name);
  return name;
}

// ---- instructions and blocks

// An instruction counts as many steps, so that a loop that emits without end stops before memory does.
enum { INSTRUCTION_STEPS = 20 };

InstrNode *builder_add(Builder *b, Op *op, const char *name, Span span)
{
  InstrNode *node = arena_new(b->arena, InstrNode);
  Instr *instr = &node->instr;
  instr->name = "";
  if (!b->label)
    return node;
  b->t->steps += INSTRUCTION_STEPS;
  instr->op = op;
  instr->name = name ? name : instruction_name(b);
  instr->pos = builder_pos(b, span);
  vec_push(&b->t->arena, &b->body, instr);
  return node;
}

void builder_open(Builder *b, const char *label)
{
  if (b->label)
    bug("block %s is still open", b->label);
  b->label = label;
  b->body.count = 0;
}

void builder_close(Builder *b)
{
  if (!b->label)
    return;
  Block *block = arena_new(b->arena, Block);
  block->label = b->label;
  block->no_reorder = b->no_reorder;
  block->body.count = (uint32_t)b->body.count;
  block->body.items = arena_array(b->arena, Core_INSTR, b->body.count);
  if (b->body.count)
    memcpy(block->body.items, b->body.items, b->body.count * sizeof *b->body.items);
  vec_push(&b->t->arena, &b->blocks, block);
  b->label = NULL;
}

void builder_branch(Builder *b, BrCmpOp op, const char *reg1, const char *reg2, int64_t imm, const char *if_true,
                    const char *if_false, const char *name, Span span)
{
  if (!b->label)
    return;
  Op *branch = op_new(b->arena, OP_cmp_branch);
  branch->cmp_branch.reg1 = reg1;
  branch->cmp_branch.reg2 = reg2;
  branch->cmp_branch.imm = imm;
  branch->cmp_branch.op = op;
  branch->cmp_branch.true_label = if_true;
  branch->cmp_branch.false_label = if_false;
  builder_add(b, branch, builder_number(b, name), span);
  builder_close(b);
}

void builder_jump(Builder *b, const char *label, Span span)
{
  builder_branch(b, BR_CMP_OP_ALWAYS, "", "", 0, label, "", "jmp", span);
}
