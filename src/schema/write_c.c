// write_c.c -- scalar kernels as C.
//
// A kernel becomes a body over a range of threads that is inlined into one function for each instruction set:
//
//   KLR_BODY void scale_body(arguments, grid, begin, end, partials, fault) { for each thread of [begin, end) { its statements } }
//
// A thread that ends early goes to `klr_next`. A guard that only says what the grid says becomes the loop's bound, so that the loop can become
// vectors. Reductions have 16 lanes a block of threads; kernels with barriers run region by region over the threads of a group, their local
// names being arrays by thread. Statements on whole arrays are loops.

#include "schema/write_c.h"
#include "base/bug.h"
#include "schema/json.h"
#include "schema/write_c_parts.h"
#include "trace/module.h"

#include <inttypes.h>
#include <xxhash.h>

extern const EmbeddedModule embedded_run_time[];

// The body, and what it calls. When there is one for arrays that are apart the other is only for the rare launches in place, and not worth strips or much of the
// compiler's time.
static void write_bodies(CWriter *w, const SchemaFunction *function, bool has_apart)
{
  if (c_has_values(w, function)) {
    c_write_body(w, function, &C_BODIES_VALUES);
    c_put(w, "\n#line 1 \"generated\"\n");
    c_write_variants(w, function, &C_BODIES_VALUES, true);
    c_write_fold(w, function);
    c_write_folded(w, function);
    return;
  }
  SchemaStrips *strips = w->strips;
  if (strips && strips->width)
    c_write_width(w, function);
  if (strips && strips->is_wide)
    c_write_strip(w, function);
  w->strips = has_apart && !(strips && strips->width) ? NULL : strips;
  c_write_body(w, function, has_apart ? &C_BODIES_BESIDE_APART : &C_BODIES);
  w->strips = strips;
  if (has_apart)
    c_write_body(w, function, &C_BODIES_APART);
  w->strips = NULL;
  c_put(w, "\n#line 1 \"generated\"\n");
  c_write_variants(w, function, has_apart ? &C_BODIES_BESIDE_APART : &C_BODIES, true);
  if (has_apart)
    c_write_variants(w, function, &C_BODIES_APART, true);
}

static void write_kernel(CWriter *w, const SchemaFunction *function, size_t file_number)
{
  w->function = function, w->guard = NULL, w->stage = "", w->apart = schema_look_apart(w->file, function);
  if (schema_whole_in_stages(function)) {
    c_write_whole_kernel(w, function, file_number);
    return;
  }
  w->reductions = schema_find_reductions(w->file, function);
  if (function->uses_groups && !function->has_barriers)
    w->reductions.count = 0;
  w->guard = w->reductions.count && function->from[0] ? NULL : function->guard;  // blocks of reductions begin with the first thread
  c_find_tallies(w, function);
  c_put(w, "\n/* ---- %s */\n", function->name->str.data);
  if (w->reductions.count)
    c_write_reducing_thread(w, function);
  w->strips = w->reductions.count || w->tallies.count ? NULL : schema_find_strips(w->file, function);
  const bool has_apart = !function->has_whole && !function->uses_groups && !w->tallies.count && !c_has_values(w, function) && schema_pays_apart(w->apart);
  write_bodies(w, function, has_apart);
  c_write_combine(w, function);
  c_write_grid(w, function);
  CStage stage = {.in_groups = function->uses_groups && !function->has_whole, .has_combine = w->reductions.count != 0, .has_needed = c_write_needed(w, function), .has_apart = has_apart,
                 .has_values = c_has_values(w, function), .reductions = w->reductions.count, .cost = c_cost(function)};
  c_write_info(w, function, file_number, &stage, 1);
}

// ---- the file

static Str run_time_text(const char *name)
{
  for (const EmbeddedModule *module = embedded_run_time; module->name; module++)
    if (str_ends_with(str_from(module->path), name))
      return module->text;
  bug("no text `%s`", name);
}

static void put_part(StrBuf *out, const char *name)
{
  Str part = run_time_text(name);
  strbuf_add(out, part.data, part.len);
}

// What a library is made of, as far as it is known: texts that may call functions of klr_scalar.h.
typedef struct Callers {
  const char *texts[40];
  size_t count;
} Callers;

static bool is_in_texts(const Callers *callers, const char *name)
{
  for (size_t i = 0; i < callers->count; i++)
    if (strstr(callers->texts[i], name))
      return true;
  return false;
}

// Whether any calls what stands at `name`, of a definition: `klr_min_f32(`, also as klr_min_##tag, or, in a macro, `klr_min_##tag(`: any that
// begins so, or `klr_##name##_u64_i64(`: any that ends so.
static bool is_called(Arena *arena, const Callers *callers, const char *name)
{
  const size_t length = strcspn(name, "(#");
  if (name[length] == '#' && length == strlen("klr_")) {
    const size_t whole = strcspn(name, "(");
    size_t end = whole;
    while (name[end - 1] != '#')
      end--;
    return is_in_texts(callers, arena_printf(arena, "%.*s(", (int)(whole - end), name + end));
  }
  if (name[length] == '#')
    return is_in_texts(callers, arena_printf(arena, "%.*s", (int)length, name));
  size_t stem = length;
  while (stem && name[stem - 1] != '_')
    stem--;
  return is_in_texts(callers, arena_printf(arena, "%.*s(", (int)length, name)) || is_in_texts(callers, arena_printf(arena, "%.*s##", (int)stem, name));
}

// Whether any calls a function that `section` defines by KLR_FN.
static bool needs_section(Arena *arena, const Callers *callers, const char *section)
{
  for (const char *at = section; (at = strstr(at, "KLR_FN ")) != NULL; at++) {
    const char *name = strstr(at, " klr_");
    if (name && is_called(arena, callers, name + 1))
      return true;
  }
  return false;
}

// The sections of klr_scalar.h that are needed, in their order, without lines for who includes it. From the last, since each
// needs what stands before it.
static void put_scalar_sections(Arena *arena, StrBuf *out, Callers *callers)
{
  Str whole = run_time_text("klr_scalar.h");
  const char *sections[32];
  size_t count = 0;
  char *rest = arena_strndup(arena, whole.data, whole.len);
  for (char *at = rest; (at = strstr(at, "\n/* ---- ")) != NULL && count < 32; at += 2) {
    *at = 0;
    sections[count++] = at + 1;
  }
  char *end = strstr((char *)sections[count - 1], "\n#endif");
  if (end)
    *end = 0;
  bool needed[32] = {false};
  for (size_t i = count; i-- > 0;)  // the first is what macros are made of
    if ((needed[i] = i == 0 || needs_section(arena, callers, sections[i])))
      callers->texts[callers->count++] = sections[i];
  strbuf_puts(out, "/* ---- of klr_scalar.h: operators and functions */\n#define KLR_FN static inline __attribute__((always_inline, unused))\n\n");
  for (size_t i = 0; i < count; i++)
    if (needed[i]) {
      strbuf_puts(out, sections[i]);
      strbuf_putc(out, '\n');
    }
}

// Whether there are atomics of elements of 8 or 16 bits.
static bool has_small_atomics(const char *text)
{
  static const char *const TYPES[] = {"i8", "i16", "u8", "u16", "f16", "bf16"};
  while ((text = strstr(text, "klr_atomic_")) != NULL) {
    text += strlen("klr_atomic_");
    const char *type = text + strcspn(text, "_(");
    const size_t length = *type == '_' ? strcspn(type + 1, "(") : 0;
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
      if (strlen(TYPES[i]) == length && strncmp(type + 1, TYPES[i], length) == 0)
        return true;
  }
  return false;
}

typedef struct KernelRow {
  const SchemaFile *file;
  const SchemaFunction *kernel;
} KernelRow;

// False after reporting two kernels of one name.
static bool names_differ(Session *session, const KernelRow *rows, size_t count)
{
  bool ok = true;
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < i; k++)
      if (rows[i].kernel->name == rows[k].kernel->name) {
        diag_error(session, E_SCHEMA_NAME, "two kernels are called `%s`: in `%s` and in `%s`", rows[i].kernel->name->str.data, rows[k].file->path,
                   rows[i].file->path);
        ok = false;
      }
  return ok;
}

bool schema_write_c(Session *session, Arena *arena, SchemaFile *const *files, size_t file_count, const char *build, SchemaSource *out)
{
  Vec(KernelRow) rows = {0};
  for (size_t i = 0; i < file_count; i++)
    for (size_t k = 0; k < files[i]->functions.count; k++)
      if (files[i]->functions.items[k]->is_kernel)
        vec_push(arena, &rows, (KernelRow){files[i], files[i]->functions.items[k]});
  if (!names_differ(session, rows.items, rows.count))
    return false;
  StrBuf text = strbuf_new(arena);
  CWriter w = {.arena = arena, .out = &text};
  for (size_t i = 0; i < file_count; i++) {
    w.inlined = map_new(arena);
    w.file = files[i];
    StrBuf json = strbuf_new(arena);
    schema_write_json(files[i], &json);
    c_put(&w, "\nstatic const char klr_schema_%zu[] =\n  ", i);
    c_put_text(&w, strbuf_str(&json));
    c_put(&w, ";\n");
    for (size_t k = 0; k < files[i]->functions.count; k++) {
      const SchemaFunction *function = files[i]->functions.items[k];
      if (function->is_kernel)
        write_kernel(&w, function, i);
      else
        c_write_helper(&w, function);
    }
  }
  c_put(&w, "\n#line 1 \"generated\"\nstatic const KlrKernelInfo *const klr_kernels[] = {\n");
  for (size_t i = 0; i < rows.count; i++) {
    c_put(&w, "  &");
    c_put_kernel_name(&w, rows.items[i].kernel, "_info,\n");
  }
  c_put(&w, "  NULL};\n__attribute__((visibility(\"default\"))) const KlrKernelLibrary klr_kernel_library = {\n  KLR_KERNEL_MAGIC, KLR_KERNEL_ABI, "
          "sizeof(KlrKernelLibrary), %zu, klr_kernels, \"klr " KLR_VERSION "\", ", rows.count);
  c_put_text(&w, str_from(build));
  c_put(&w, "};\n");
  StrBuf whole = strbuf_new(arena);
  const char *path = file_count != 1 || strstr(files[0]->path, "*/") ? "files of kernels" : files[0]->path;
  strbuf_printf(&whole, "/* Written by klr " KLR_VERSION " from %s: change that, not this. */\n\n", path);
  put_part(&whole, "klr_kernel_abi.h");
  put_part(&whole, "klr_libc.h");
  const char *const written = strbuf_cstr(&text);
  const bool has_atomics = strstr(written, "klr_atomic_"), has_small = has_small_atomics(written), has_spans = strstr(written, "klr_span_");
  Callers callers = {{written, run_time_text("klr_body.h").data}, 2};
  if (has_atomics)
    callers.texts[callers.count++] = run_time_text("klr_atomic.h").data;
  if (has_small)
    callers.texts[callers.count++] = run_time_text("klr_atomic_small.h").data;
  if (has_spans)
    callers.texts[callers.count++] = run_time_text("klr_needs.h").data;
  put_scalar_sections(arena, &whole, &callers);
  if (has_atomics)
    put_part(&whole, "klr_atomic.h");
  if (has_small)
    put_part(&whole, "klr_atomic_small.h");
  put_part(&whole, "klr_body.h");
  if (has_spans)
    put_part(&whole, "klr_needs.h");
  strbuf_puts(&whole, written);
  if (rows.count == 1)
    put_part(&whole, "klr_older.h");
  out->text = strbuf_str(&whole);
  out->hash = str_from(arena_printf(arena, "%016" PRIx64, (uint64_t)XXH3_64bits(whole.data, whole.len)));
  return true;
}
