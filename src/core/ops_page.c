// ops_page.c -- docs/ops.md, made from the tables: every operator, its fields, its rules; then the enumerations.

#include "core/text.h"
#include "core/text_syntax.h"
#include "core/verify_rules.h"

#include <string.h>

static const char *role_text(Role role)
{
  switch (role) {
  case ROLE_READ: return "read";
  case ROLE_WRITE: return "written";
  case ROLE_UPDATE: return "read and written";
  case ROLE_PARAM: return "";
  }
  return "";
}

static const char *engine_text(Engine engine)
{
  switch (engine) {
  case ENGINE_UNASSIGNED: return "chosen by the compiler";
  case ENGINE_ACT: return "scalar (act)";
  case ENGINE_DMA: return "DMA";
  case ENGINE_DVE: return "vector (dve)";
  case ENGINE_PE: return "tensor (pe)";
  case ENGINE_POOL: return "GpSimd (pool)";
  case ENGINE_SP: return "sync (sp)";
  case ENGINE_COUNT: break;
  }
  return "";
}

// What a field holds, as the grammar of docs/core.md calls it.
static void add_kind(StrBuf *out, const TypeInfo *kind)
{
  const TypeInfo *type = text_resolve(kind);
  switch (type->form) {
  case FORM_BOOL: strbuf_puts(out, "true or false"); return;
  case FORM_NAT:
  case FORM_NAT32: strbuf_puts(out, "natural"); return;
  case FORM_INT:
  case FORM_INT32: strbuf_puts(out, "integer"); return;
  case FORM_F32: strbuf_puts(out, "float32"); return;
  case FORM_STRING:
  case FORM_OPT_STRING:
    strbuf_puts(out, kind == &core_REGISTER ? "register" : kind == &core_LABEL ? "label" : "text");
    return;
  case FORM_ENUM: strbuf_printf(out, "[%s](#%s)", type->name, type->wire); return;
  case FORM_BOXED:
  case FORM_OPTION:
    add_kind(out, type->of);
    strbuf_puts(out, ", or none");
    return;
  case FORM_LIST:
    strbuf_puts(out, "list of ");
    add_kind(out, type->of);
    return;
  case FORM_REF: add_kind(out, type->of); return;
  case FORM_SUM:
    strbuf_puts(out, type == &core_type_TensorRef   ? "tensor"
                     : type == &core_type_Operand   ? "tensor or constant"
                     : type == &core_type_Immediate ? "constant"
                                                    : type->name);
    return;
  case FORM_STRUCT: strbuf_puts(out, type->name); return;
  case FORM_SAME:
  case FORM_OPERATOR: return;
  }
}

static void add_fields(StrBuf *out, const OpInfo *info)
{
  uint32_t count;
  const FieldInfo *fields = info->fields(&count);
  strbuf_puts(out, "\n| field | holds | | |\n|---|---|---|---|\n");
  for (uint32_t i = 0; i < count; i++) {
    strbuf_printf(out, "| `%s` | ", fields[i].name);
    add_kind(out, fields[i].type);
    strbuf_printf(out, " | %s | %s%s |\n", role_text(fields[i].role), fields[i].doc,
                  fields[i].is_extension ? " (not in format 0.0.12)" : "");
  }
}

static void add_operator(StrBuf *out, RuleBook *book, OpKind kind)
{
  const OpInfo *info = op_info(kind);
  strbuf_printf(out, "\n## %s\n\n%s.\n\nEngine: %s. In files: constructor %u, `%s`, of type `%s`, %u.\n", info->name,
                info->doc, info->has_engine_field ? "the field `engine`" : engine_text(info->engine), info->number,
                info->wire, info->payload, info->payload_tag);
  add_fields(out, info);
  rules_print(book, kind, out);
}

static void add_members(StrBuf *out, const TypeInfo *type)
{
  strbuf_printf(out, "\n### %s\n\n", type->wire);
  for (uint32_t i = 0; i < type->member_count; i++)
    strbuf_printf(out, "%s`%s`", i ? ", " : "", type->member_name(i));
  strbuf_puts(out, "\n");
}

void core_print_ops_markdown(StrBuf *out)
{
  RuleBook *book = arena_new(out->arena, RuleBook);
  book->arena = out->arena;
  strbuf_puts(
      out, "# Operators\n\n"
           "Made from src/core/ops.def and src/core/rules.def; a test keeps it current. What each operator does to the "
           "machine is in [core.md](core.md), section 3. P is partitions, F elements per partition; a PxF tile and the "
           "fields' text form are those of core.md.\n\n");
  for (int i = 0; i < OP_COUNT; i++)
    strbuf_printf(out, "%s[%s](#%s)", i ? ", " : "", op_info((OpKind)i)->name, op_info((OpKind)i)->name);
  strbuf_puts(out, "\n");
  for (int i = 0; i < OP_COUNT; i++)
    add_operator(out, book, (OpKind)i);
  strbuf_puts(
      out,
      "\n## Enumerations\n\nTheir members, as the text form writes them, in the order of their numbers in files.\n");
#define KIND_ENUM(kind, type) add_members(out, core_##kind.of);
#include "core/kinds.def"
}

void core_print_op_rules(OpKind kind, StrBuf *out)
{
  RuleBook *book = arena_new(out->arena, RuleBook);
  book->arena = out->arena;
  StrBuf page = strbuf_new(out->arena);  // with its heading
  rules_print(book, kind, &page);
  const char *list = strchr(strbuf_cstr(&page), '*');
  if (list)
    strbuf_puts(out, list);
}
