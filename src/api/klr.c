// klr.c -- the public interface over the rooms.

#include "api/inside.h"

#include "core/text.h"
#include "core/text_syntax.h"
#include "core/verify.h"
#include "core/where.h"
#include "machine/legal.h"
#include "machine/place.h"
#include "serde/klr_file.h"
#include "serde/read_kernel.h"
#include "sim/diff.h"
#include "sim/shadow.h"
#include "trace/kernel.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A kernel is the core kernel; an operator is an instruction of it.
static const Kernel *core_of(const KlrKernel *kernel)
{
  return (const Kernel *)kernel;
}

static const Instr *instr_of(const KlrOperator *op)
{
  return (const Instr *)op;
}

struct KlrSession {
  Session *session;
  Vec(Array) arrays;  // outputs of runs
  Tracer *tracer;     // of the call that is active, as are
  Array *inputs;      // the copies a run works on
  size_t input_count;
};

// ---- entry points: memory that runs out takes the jump back to the one that is active

static void free_inputs(KlrSession *klr)
{
  for (size_t i = 0; i < klr->input_count; i++)
    array_free(&klr->inputs[i]);
  klr->input_count = 0;
}

static void leave(KlrSession *klr)
{
  klr->session->arena.on_exhausted = NULL;
  tracer_free(klr->tracer);
  klr->tracer = NULL;
  free_inputs(klr);
}

static jmp_buf *enter(KlrSession *klr)
{
  return klr->session->arena.on_exhausted = &klr->session->on_exhausted;
}

// Reports, or only counts when there is no memory even for that.
static void out_of_memory(KlrSession *klr)
{
  leave(klr);
  if (setjmp(*enter(klr)) == 0)
    diag_error(klr->session, E_MEMORY, "there is not enough memory for this");
  else
    klr->session->error_count++;
  klr->session->arena.on_exhausted = NULL;
}

#define ENTER(klr, on_failure)         \
  if (setjmp(*enter(klr)) != 0) {      \
    out_of_memory(klr);                \
    return on_failure;                 \
  }

KlrSession *klr_session_new(void)
{
  KlrSession *klr = calloc(1, sizeof *klr);
  if (klr && !(klr->session = session_new())) {
    free(klr);
    return NULL;
  }
  return klr;
}

bool klr_guarded(KlrSession *klr, bool (*work)(void *context), void *context)
{
  ENTER(klr, false);
  bool ok = work(context);
  klr->session->arena.on_exhausted = NULL;
  return ok;
}

Tracer *klr_new_tracer(KlrSession *klr)
{
  return klr->tracer = tracer_new(klr->session);
}

void klr_release_tracer(KlrSession *klr)
{
  leave(klr);
}

void klr_share_sources(KlrSession *klr, KlrSession *owner)
{
  for (size_t i = klr->session->sources.count; i < owner->session->sources.count; i++) {
    Source *source = owner->session->sources.items[i];
    source_place(source, &owner->session->arena, 0);  // its table of lines is made once, where it lives
    vec_push(&klr->session->arena, &klr->session->sources, source);
  }
  const Map *kept = &owner->session->kept_files;  // shared: whoever runs a kernel keeps its owner
  for (size_t i = 0; kept->arena && i < kept->count; i++) {
    if (!klr->session->kept_files.arena)
      klr->session->kept_files = map_new(&klr->session->arena);
    map_set(&klr->session->kept_files, kept->entries[i].key, kept->entries[i].value);
  }
}

Session *klr_core_session(KlrSession *klr)
{
  return klr->session;
}

void klr_session_free(KlrSession *klr)
{
  if (!klr)
    return;
  for (size_t i = 0; i < klr->arrays.count; i++)
    array_free(&klr->arrays.items[i]);
  session_free(klr->session);
  free(klr);
}

void klr_set_poll(KlrSession *klr, bool (*poll)(void *context), void *context)
{
  klr->session->poll = poll;
  klr->session->poll_context = context;
}

size_t klr_error_count(const KlrSession *klr)
{
  return klr->session->error_count;
}

const char *klr_diagnostics(KlrSession *klr, bool as_json)
{
  ENTER(klr, as_json ? "[]" : "klr: out of memory\n");
  StrBuf out = strbuf_new(&klr->session->arena);
  as_json ? diag_print_json(klr->session, &out) : diag_print_text(klr->session, &out, false);
  const char *text = strbuf_cstr(&out);
  leave(klr);
  return text;
}

const char *klr_errors(KlrSession *klr, bool as_json)
{
  Session *session = klr->session;
  Diag **items = session->diags.items;
  size_t count = session->diags.count, errors = 0;
  Diag **kept = calloc(count + 1, sizeof *kept);
  if (!kept)
    return klr_diagnostics(klr, as_json);
  for (size_t i = 0; i < count; i++)
    if (items[i]->severity == SEVERITY_ERROR)
      kept[errors++] = items[i];
  session->diags.items = kept;
  session->diags.count = errors;
  const char *text = klr_diagnostics(klr, as_json);
  session->diags.items = items;
  session->diags.count = count;
  free(kept);
  return text;
}

const char *klr_version(void)
{
  return KLR_VERSION;
}

static const Machine *machine_named(Session *session, const char *target)
{
  const Machine *machine = target ? machine_find(target) : machine_default();
  if (!machine)
    diag_error(session, E_USAGE, "`%s` is no target: trn1, trn2, trn3", target);
  return machine;
}

// ---- tracing

static bool argument_value(Tracer *t, const KlrArgument *argument, Value *out)
{
  if (argument->literal)
    return trace_eval_text(t, argument->name, argument->literal, out);
  DType dtype;
  if (!argument->dtype || !dtype_from_nki_name(str_from(argument->dtype), &dtype)) {
    diag_error(t->session, E_ARGUMENT, "argument `%s`: `%s` is no dtype", argument->name,
               argument->dtype ? argument->dtype : "");
    return false;
  }
  return tensor_argument(t, argument->name, dtype, argument->shape, argument->rank, out);
}

static Kernel *trace_file(Tracer *t, const char *path, const char *function, const KlrArgument *arguments, size_t count,
                     uint32_t lnc)
{
  ModuleObject *module = trace_load(t, path);
  KernelEntry entry;
  if (!module || !trace_find_kernel(t, module, function, &entry))
    return NULL;
  const Name **names = arena_array(&t->arena, const Name *, count);
  Value *values = arena_array(&t->arena, Value, count);
  for (size_t i = 0; i < count; i++) {
    names[i] = tracer_name(t, arguments[i].name);
    if (!argument_value(t, &arguments[i], &values[i]))
      return NULL;
  }
  return trace_kernel(t, entry.value, names, values, count, &(TraceOptions){.lnc = lnc, .no_verify = true});
}

static Kernel *trace(KlrSession *klr, const char *path, const char *function, const KlrArgument *arguments, size_t count,
                     const KlrTraceOptions *options)
{
  const Machine *machine = machine_named(klr->session, options->target);
  if (!machine)
    return NULL;
  size_t errors = klr->session->error_count;
  klr->session->strict = options->strict;
  klr->session->lenient = options->lenient;
  Tracer *t = klr->tracer = tracer_new(klr->session);
  nki_install(t, machine);
  for (const char *const *folder = options->include; folder && *folder; folder++)
    module_add_path(t, *folder);
  module_add_default_paths(t);
  Kernel *kernel = trace_file(t, path, function, arguments, count, options->lnc);
  bool ok = kernel && core_verify(klr->session, kernel) && machine_check(klr->session, machine, kernel) &&
            machine_check_memory(klr->session, machine, kernel);
  return ok && klr->session->error_count == errors ? kernel : NULL;
}

KlrKernel *klr_trace(KlrSession *klr, const char *path, const char *function, const KlrArgument *arguments, size_t count,
                     const KlrTraceOptions *options)
{
  static const KlrTraceOptions defaults;
  ENTER(klr, NULL);
  Kernel *kernel = trace(klr, path, function, arguments, count, options ? options : &defaults);
  leave(klr);
  return (KlrKernel *)kernel;
}

// ---- files

// What runs of the kernel need from beside its file: those constants that are there.
static void keep_constants(Session *session, const Kernel *kernel, const char *path)
{
  const char *slash = path ? strrchr(path, '/') : NULL;
  for (uint32_t i = 0; i < kernel->shared_constants.count; i++) {
    const char *name = kernel->shared_constants.items[i].file_name;
    const char *file = slash && name[0] != '/'
                           ? arena_printf(&session->arena, "%.*s/%s", (int)(slash - path), path, name) : name;
    Str bytes;
    if (!session_kept_file(session, name) && access(file, R_OK) == 0 && file_read(session, &session->arena, file, &bytes))
      session_keep_file(session, name, bytes);
  }
}

KlrKernel *klr_kernel_read(KlrSession *klr, const void *bytes, size_t len, const char *path)
{
  ENTER(klr, NULL);
  Str text = {arena_strndup(&klr->session->arena, bytes, len), len};
  const Kernel *kernel = kernel_read(klr->session, &klr->session->arena, path, text);
  if (kernel)
    keep_constants(klr->session, kernel, path);
  leave(klr);
  return (KlrKernel *)(uintptr_t)kernel;
}

const char *klr_kernel_write(KlrSession *klr, const KlrKernel *kernel, KlrForm form, size_t *len)
{
  ENTER(klr, NULL);
  StrBuf out = strbuf_new(&klr->session->arena);
  KlrFile file = {.contents = KLR_CONTENTS_LNC, .kernel = core_of(kernel)};
  bool ok = true;
  switch (form) {
  case KLR_FORM_FILE: ok = klr_write_file(klr->session, &file, &out); break;
  case KLR_FORM_TEXT: core_print_kernel(core_of(kernel), &out, (TextOptions){0}); break;
  case KLR_FORM_JSON: ok = klr_to_json(klr->session, &file, 1, &out); break;
  case KLR_FORM_SEXP: ok = klr_to_sexp(klr->session, &file, &out); break;
  }
  const char *bytes = ok ? strbuf_cstr(&out) : NULL;
  *len = out.len;
  leave(klr);
  return bytes;
}

bool klr_verify(KlrSession *klr, const KlrKernel *kernel, const char *target)
{
  ENTER(klr, false);
  const Machine *machine = machine_named(klr->session, target);
  bool ok = machine && core_verify(klr->session, core_of(kernel)) &&
            machine_check(klr->session, machine, core_of(kernel)) &&
            machine_check_memory(klr->session, machine, core_of(kernel));
  leave(klr);
  return ok;
}

// ---- running

// Whether a run may read an input where it is. Not numbers that may be used as places: another thread could change
// them between the check and the use.
static bool may_borrow(const Tensor *tensor, bool is_written, const KlrRunOptions *options)
{
  return !is_written && !options->f32 && dtype_is_float(tensor->dtype);
}

static bool take_input(Session *session, const Tensor *tensor, const KlrArray *from, bool borrows, Array *to)
{
  DType dtype;
  if (!from->dtype || !dtype_from_nki_name(str_from(from->dtype), &dtype) || dtype != tensor->dtype ||
      from->bytes != tensor_bytes(tensor)) {
    diag_error(session, E_ARGUMENT, "input `%s` needs %s data of %llu bytes", tensor->name, dtype_name(tensor->dtype),
               (unsigned long long)tensor_bytes(tensor));
    return false;
  }
  *to = borrows ? array_borrow(dtype, from->rank, from->shape, from->data) : array_new(dtype, from->rank, from->shape);
  if (!to->data)
    return false;
  if (!borrows)
    memcpy(to->data, from->data, from->bytes);
  return true;
}

static SimOptions sim_options(const Machine *machine, const KlrRunOptions *options)
{
  SimOptions sim = sim_default_options();
  sim.machine = machine;
  sim.exact_fp = !options->f32;
  sim.checks = !options->no_checks;
  sim.poison = options->poison;
  sim.zeros = options->zeros;
  sim.ocp_scales = options->ocp_scales;
  sim.reference = options->reference;
  sim.threads = options->threads;
  sim.seed = options->seed;
  return sim;
}

// The report as one JSON document.
static const char *shadow_text(Session *session, Shadow *shadow)
{
  enum { ALL = 1000000, SHOWN = 10 };
  StrBuf text = strbuf_new(&session->arena), out = strbuf_new(&session->arena);
  JsonWriter json = json_writer(&out, 0);
  json_begin_object(&json);
  json_key(&json, "report");
  shadow_print_json(shadow, ALL, &json);
  shadow_print(shadow, SHOWN, &text);
  json_key(&json, "text");
  json_text(&json, strbuf_str(&text));
  json_end_object(&json);
  return strbuf_cstr(&out);
}

static bool run(KlrSession *klr, const Kernel *kernel, uint32_t ranks, KlrArray *inputs, KlrArray *outputs,
                const KlrRunOptions *options)
{
  Session *session = klr->session;
  session->lenient = options->lenient;
  const Machine *machine = machine_named(session, options->target);
  if (!machine)
    return false;
  uint32_t input_count = kernel->inputs.count, output_count = kernel->outputs.count;
  uint64_t all_inputs = (uint64_t)ranks * input_count, all_outputs = (uint64_t)ranks * output_count;
  if (!ranks || all_inputs > UINT32_MAX || all_outputs > UINT32_MAX) {
    diag_error(session, E_ARGUMENT, "a kernel cannot run on %u ranks", ranks);
    return false;
  }
  Array *in = klr->inputs = arena_array(&session->arena, Array, all_inputs);
  klr->input_count = (uint32_t)all_inputs;
  size_t first = klr->arrays.count;
  for (uint64_t i = 0; i < all_outputs; i++)  // room first: the results must find their owner
    vec_push(&session->arena, &klr->arrays, (Array){0});
  Array *out = arena_array(&session->arena, Array, all_outputs);
  SimRank *workers = arena_array(&session->arena, SimRank, ranks);
  bool ok = true;
  bool *written = arena_array(&session->arena, bool, input_count);
  core_find_written(kernel, written);
  for (uint64_t i = 0; i < all_inputs && ok; i++) {
    const Tensor *tensor = kernel->inputs.items[i % input_count];
    ok = take_input(session, tensor, &inputs[i], may_borrow(tensor, written[i % input_count], options), &in[i]);
  }
  for (uint32_t r = 0; r < ranks; r++)
    workers[r] = (SimRank){kernel, in + (uint64_t)r * input_count, out + (uint64_t)r * output_count};
  SimOptions sim = sim_options(machine, options);
  if (options->shadow)
    sim.shadow = shadow_new(session);
  ok = ok && sim_run_ranks(session, workers, ranks, &sim, NULL);
  if (ok && options->shadow)
    *options->shadow = shadow_text(session, sim.shadow);
  shadow_free(sim.shadow);
  for (uint64_t i = 0; i < all_inputs && ok; i++)
    if (written[i % input_count])
      memcpy(inputs[i].data, in[i].data, in[i].bytes);
  for (uint64_t i = 0; i < all_outputs && ok; i++) {
    klr->arrays.items[first + i] = out[i];
    outputs[i] = (KlrArray){dtype_name(out[i].dtype), out[i].rank, out[i].shape, out[i].data, out[i].bytes};
  }
  return ok;
}

bool klr_run_ranks(KlrSession *klr, const KlrKernel *kernel, uint32_t ranks, KlrArray *inputs, KlrArray *outputs,
                   const KlrRunOptions *options)
{
  static const KlrRunOptions defaults;
  ENTER(klr, false);
  bool ok = run(klr, core_of(kernel), ranks, inputs, outputs, options ? options : &defaults);
  leave(klr);
  return ok;
}

bool klr_run(KlrSession *klr, const KlrKernel *kernel, KlrArray *inputs, KlrArray *outputs, const KlrRunOptions *options)
{
  return klr_run_ranks(klr, kernel, 1, inputs, outputs, options);
}

// ---- comparing

// A caller's array as it lies there; false after reporting an unknown dtype.
static bool borrow_array(Session *session, const KlrArray *from, const char *name, Array *to)
{
  *to = (Array){.rank = from->rank, .shape = (uint64_t *)(uintptr_t)from->shape, .data = from->data, .bytes = from->bytes};
  if (from->dtype && (dtype_from_nki_name(str_from(from->dtype), &to->dtype) ||
                      dtype_from_numpy_name(str_from(from->dtype), &to->dtype)) &&
      array_elements(to) * dtype_bytes(to->dtype) == from->bytes)
    return true;
  diag_error(session, E_ARGUMENT, "array `%s` of dtype %s has %llu bytes", name, from->dtype ? from->dtype : "?",
             (unsigned long long)from->bytes);
  return false;
}

static bool make_side(const KlrSide *from, JsonWriter *unheard, DiffSide *to)
{
  static const KlrRunOptions defaults;
  Session *session = from->session->session;
  const Kernel *kernel = core_of(from->kernel);
  const KlrRunOptions *options = from->options ? from->options : &defaults;
  const Machine *machine = machine_named(session, options->target);
  session->lenient = options->lenient;
  if (!machine)
    return false;
  Array *inputs = arena_array(&session->arena, Array, kernel->inputs.count);
  *to = (DiffSide){.session = session, .kernel = kernel, .options = sim_options(machine, options), .inputs = inputs};
  to->options.prints = unheard;  // a comparison runs kernels several times
  bool ok = true;
  for (uint32_t i = 0; i < kernel->inputs.count && ok; i++)
    ok = borrow_array(session, &from->inputs[i], kernel->inputs.items[i]->name, &inputs[i]);
  return ok;
}

static const char *diff_text(Session *session, const DiffReport *report)
{
  StrBuf text = strbuf_new(&session->arena), out = strbuf_new(&session->arena);
  JsonWriter json = json_writer(&out, 0);
  json_begin_object(&json);
  diff_print_json(session, report, &json);
  diff_print(session, report, &text);
  json_key(&json, "text");
  json_text(&json, strbuf_str(&text));
  json_end_object(&json);
  return strbuf_cstr(&out);
}

static const char *diff(const KlrSide *a, const KlrSide *b, const KlrNamedArray *arrays, size_t count,
                        const KlrTolerance *tolerance)
{
  enum { MOST_CHAIN = 4 };
  Session *session = a->session->session;
  StrBuf prints = strbuf_new(&session->arena);
  JsonWriter unheard = json_writer(&prints, 0);
  json_begin_array(&unheard);
  Tolerance allowed = {tolerance->rtol, tolerance->atol, tolerance->ulps};
  DiffReport report;
  DiffSide first, second;
  if (!make_side(a, &unheard, &first) || (b && !make_side(b, &unheard, &second)))
    return NULL;
  if (b)
    return diff_runs(&first, &second, &allowed, &report) ? diff_text(session, &report) : NULL;
  NamedArray *named = arena_array(&session->arena, NamedArray, count);
  for (size_t i = 0; i < count; i++) {
    named[i].name = arrays[i].name;
    if (!borrow_array(session, &arrays[i].array, arrays[i].name, &named[i].array))
      return NULL;
  }
  return diff_arrays(&first, named, (uint32_t)count, &allowed, MOST_CHAIN, &report) ? diff_text(session, &report) : NULL;
}

const char *klr_diff(const KlrSide *a, const KlrSide *b, const KlrTolerance *tolerance)
{
  Arena *other = &b->session->session->arena;
  if (setjmp(*enter(a->session)) != 0) {
    other->on_exhausted = NULL;
    out_of_memory(a->session);
    return NULL;
  }
  other->on_exhausted = a->session->session->arena.on_exhausted;
  const char *text = diff(a, b, NULL, 0, tolerance);
  other->on_exhausted = NULL;
  leave(a->session);
  return text;
}

const char *klr_diff_arrays(const KlrSide *a, const KlrNamedArray *arrays, size_t count, const KlrTolerance *tolerance)
{
  ENTER(a->session, NULL);
  const char *text = diff(a, NULL, arrays, count, tolerance);
  leave(a->session);
  return text;
}

// ---- looking

const char *klr_kernel_name(const KlrKernel *kernel)
{
  return core_of(kernel)->name;
}

size_t klr_constant_count(const KlrKernel *kernel)
{
  return core_of(kernel)->shared_constants.count;
}

const char *klr_constant(KlrSession *klr, const KlrKernel *kernel, size_t index, const void **bytes, size_t *len)
{
  const char *name = core_of(kernel)->shared_constants.items[index].file_name;
  const Str *kept = session_kept_file(klr->session, name);
  *bytes = kept ? kept->data : NULL;
  *len = kept ? kept->len : 0;
  return name;
}

size_t klr_input_count(const KlrKernel *kernel)
{
  return core_of(kernel)->inputs.count;
}

size_t klr_output_count(const KlrKernel *kernel)
{
  return core_of(kernel)->outputs.count;
}

void klr_find_written(const KlrKernel *kernel, bool *written)
{
  core_find_written(core_of(kernel), written);
}

static KlrTensor tensor_view(Session *session, const Tensor *tensor)
{
  uint32_t rank = 1 + tensor->shape.free_dims.count;
  uint64_t *shape = arena_array(&session->arena, uint64_t, rank);
  shape[0] = tensor->shape.par_dim;
  for (uint32_t i = 1; i < rank; i++)
    shape[i] = tensor->shape.free_dims.items[i - 1];
  const char *memory = core_MEMORY.of->member_name(tensor->address->memory);
  return (KlrTensor){tensor->name, dtype_name(tensor->dtype), memory, rank, shape};
}

KlrTensor klr_input(KlrSession *klr, const KlrKernel *kernel, size_t index)
{
  ENTER(klr, (KlrTensor){0});
  KlrTensor tensor = tensor_view(klr->session, core_of(kernel)->inputs.items[index]);
  leave(klr);
  return tensor;
}

KlrTensor klr_output(KlrSession *klr, const KlrKernel *kernel, size_t index)
{
  ENTER(klr, (KlrTensor){0});
  KlrTensor tensor = tensor_view(klr->session, core_of(kernel)->outputs.items[index]);
  leave(klr);
  return tensor;
}

size_t klr_core_count(const KlrKernel *kernel)
{
  return core_of(kernel)->bodies.count;
}

size_t klr_operator_count(const KlrKernel *kernel, size_t core)
{
  size_t count = 0;
  for (uint32_t i = 0; i < core_of(kernel)->bodies.items[core].count; i++)
    count += core_of(kernel)->bodies.items[core].items[i]->body.count;
  return count;
}

const KlrOperator *klr_operator_at(const KlrKernel *kernel, size_t core, size_t index)
{
  const Core_LIST_BLOCK *blocks = &core_of(kernel)->bodies.items[core];
  for (uint32_t i = 0; i < blocks->count; i++) {
    if (index < blocks->items[i]->body.count)
      return (const KlrOperator *)blocks->items[i]->body.items[index];
    index -= blocks->items[i]->body.count;
  }
  return NULL;
}

size_t klr_block_count(const KlrKernel *kernel, size_t core)
{
  return core_of(kernel)->bodies.items[core].count;
}

const char *klr_block_label(const KlrKernel *kernel, size_t core, size_t block)
{
  return core_of(kernel)->bodies.items[core].items[block]->label;
}

size_t klr_block_operator_count(const KlrKernel *kernel, size_t core, size_t block)
{
  return core_of(kernel)->bodies.items[core].items[block]->body.count;
}

const char *klr_operator_kind(const KlrOperator *op)
{
  return op_info(instr_of(op)->op->kind)->name;
}

const char *klr_operator_name(const KlrOperator *op)
{
  return instr_of(op)->name;
}

const char *klr_operator_engine(const KlrOperator *op)
{
  return core_ENGINE.of->member_name(op_engine(instr_of(op)->op));
}

uint32_t klr_operator_line(const KlrOperator *op)
{
  return instr_of(op)->pos->line;
}

KlrPlace klr_operator_place(KlrSession *klr, const KlrOperator *op)
{
  ENTER(klr, (KlrPlace){0});
  const Pos *pos = instr_of(op)->pos;
  Where where = where_of(klr->session, pos);
  leave(klr);
  bool has_end = pos->line_end.some && pos->column_end.some;
  return (KlrPlace){where.path, where.line, where.column, has_end ? (uint32_t)pos->line_end.value : 0,
                    has_end ? (uint32_t)pos->column_end.value + 1 : 0};
}

const char *klr_operator_text(KlrSession *klr, const KlrOperator *op)
{
  ENTER(klr, "");
  StrBuf out = strbuf_new(&klr->session->arena);
  core_print_op(instr_of(op)->op, &out);
  const char *text = strbuf_cstr(&out);
  leave(klr);
  return text;
}

size_t klr_field_count(const KlrOperator *op)
{
  uint32_t count;
  op_info(instr_of(op)->op->kind)->fields(&count);
  return count;
}

static const char *const roles[] = {
    [ROLE_READ] = "read", [ROLE_WRITE] = "write", [ROLE_UPDATE] = "update", [ROLE_PARAM] = "param"};

KlrField klr_field(KlrSession *klr, const KlrOperator *op, size_t index)
{
  ENTER(klr, (KlrField){0});
  uint32_t count;
  const FieldInfo *field = &op_info(instr_of(op)->op->kind)->fields(&count)[index];
  StrBuf out = strbuf_new(&klr->session->arena);
  core_to_json(klr->session, field->type, (const char *)instr_of(op)->op + field->offset, 0, &out);
  while (out.len && out.data[out.len - 1] == '\n')
    out.data[--out.len] = '\0';
  const char *json = strbuf_cstr(&out);
  leave(klr);
  return (KlrField){field->name, field->type->name, roles[field->role], json};
}

size_t klr_table_count(void)
{
  return OP_COUNT;
}

KlrTableOperator klr_table_operator(size_t index)
{
  const OpInfo *info = op_info((OpKind)index);
  uint32_t count;
  info->fields(&count);
  const char *engine = info->has_engine_field ? "any" : core_ENGINE.of->member_name(info->engine);
  return (KlrTableOperator){info->name, engine, info->doc, count};
}

KlrTableField klr_table_field(size_t index, size_t field)
{
  static const char *const places[] = {[TEXT_LEFT] = "written", [TEXT_RIGHT] = "read", [TEXT_ATTRIBUTE] = "attribute"};
  uint32_t count;
  const FieldInfo *found = &op_info((OpKind)index)->fields(&count)[field];
  TextSide side = text_side(found);
  return (KlrTableField){found->name, found->type->name, roles[found->role], found->doc, places[side],
                        side == TEXT_ATTRIBUTE && text_is_omissible(found->type)};
}
