// diff_report.c -- what a comparison found, for people and as JSON.

#include "sim/diff.h"

#include "core/nki_names.h"
#include "core/text.h"
#include "number/ulp.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

// ---- text

static const char *value_text(Arena *arena, const DiffElement *element)
{
  unsigned bytes = dtype_bytes(element->dtype);
  const char *bits = arena_printf(arena, "0x%0*" PRIx64, (int)(2 * bytes), element->bits);
  if (dtype_is_packed(element->dtype))
    return bits;
  if (dtype_is_integer(element->dtype))
    return arena_printf(arena, "%-13.0f %s", element->value, bits);
  return arena_printf(arena, "%-13.9g %s %s", element->value, bits, dtype_name(element->dtype));
}

static const char *ulps_text(Arena *arena, double ulps)
{
  if (isinf(ulps))
    return "no number of ulps";
  return arena_printf(arena, ulps == floor(ulps) ? "%.0f ulp%s" : "%.3g ulp%s", ulps, ulps == 1 ? "" : "s");
}

static double element_ulps(const DiffElement *a, const DiffElement *b)
{
  return ulps_between(a->dtype, &a->bits, b->dtype, &b->bits);
}

static void print_instr(Session *session, const char *label, const DiffInstr *at, StrBuf *out)
{
  if (!at->instr)
    return;
  strbuf_printf(out, "  %-3s", label);
  if (at->where.path)
    strbuf_printf(out, "%s:%" PRIu32, at->where.path, at->where.line);
  strbuf_printf(out, "  (instruction %" PRIu64, at->number);
  if (at->core)
    strbuf_printf(out, " of core %" PRIu32, at->core);
  strbuf_puts(out, ")\n");
  if (at->where.text.len)
    strbuf_printf(out, "       %.*s\n", STR_ARG(at->where.text));
  (void)session;
}

static void print_pair(Session *session, const DiffElement *a, const DiffElement *b, const char *indent, StrBuf *out)
{
  Arena *arena = &session->arena;
  bool same = a->dtype == b->dtype && a->bits == b->bits;
  if (!b->place || same) {
    strbuf_printf(out, "%s%s%s\n", indent, value_text(arena, a), b->place ? "  in both" : "");
    return;
  }
  strbuf_printf(out, "%sA %s\n%sB %s\n", indent, value_text(arena, a), indent, value_text(arena, b));
}

static void print_tally(Session *session, const DiffTally *tally, StrBuf *out)
{
  strbuf_printf(out, "%" PRIu64 " of %" PRIu64 " elements differ, by up to %s (%.6g)", tally->differing, tally->compared,
                ulps_text(&session->arena, tally->most_ulps), tally->most_error);
}

static void print_operands(Session *session, const DiffStep *step, StrBuf *out)
{
  for (uint32_t i = 0; i < step->operand_count; i++) {
    const DiffOperand *operand = &step->operands[i];
    if (!operand->a.place && !operand->tally.compared)
      continue;
    strbuf_printf(out, "     %s", operand->name);
    if (operand->a.place) {
      strbuf_printf(out, " = %s\n", operand->a.place);
      print_pair(session, &operand->a, &operand->b, "       ", out);
    }
    if (operand->tally.differing) {
      strbuf_puts(out, operand->a.place ? "       " : ": ");
      print_tally(session, &operand->tally, out);
      strbuf_putc(out, '\n');
    } else if (!operand->a.place) {
      strbuf_puts(out, ": the same in both\n");
    }
  }
}

static void print_first(Session *session, const DiffReport *report, StrBuf *out)
{
  const DiffStep *first = &report->first;
  bool is_run = first->b.instr;
  if (report->parted) {
    strbuf_puts(out, "the runs take different ways: they came to\n");
    print_instr(session, "A", &first->a, out);
    print_instr(session, "B", &first->b, out);
    return;
  }
  strbuf_printf(out, "first difference: `%s`\n", op_known_as(first->a.instr));
  print_instr(session, is_run ? "A" : "", &first->a, out);
  print_instr(session, "B", &first->b, out);
  strbuf_printf(out, "     %s = %s\n", first->result.name, first->result.a.place);
  print_pair(session, &first->result.a, &first->result.b, "       ", out);
  double ulps = element_ulps(&first->result.a, &first->result.b);
  strbuf_printf(out, "       %s apart; ", ulps_text(&session->arena, ulps));
  print_tally(session, &first->result.tally, out);
  strbuf_putc(out, '\n');
  print_operands(session, first, out);
  for (uint32_t i = 0; i < report->chain_count; i++) {
    const DiffStep *step = &report->chain[i];
    strbuf_printf(out, "  which `%s` wrote\n", op_known_as(step->a.instr));
    print_instr(session, "", &step->a, out);
    strbuf_printf(out, "     %s = %s\n       %s\n", step->result.name, step->result.a.place,
                  value_text(&session->arena, &step->result.a));
    print_operands(session, step, out);
  }
}

static void print_result(Session *session, const DiffResult *result, StrBuf *out)
{
  strbuf_printf(out, "  %-12s ", result->name);
  if (result->why) {
    strbuf_printf(out, "not compared: %s\n", result->why);
    return;
  }
  if (!result->tally.differing) {
    strbuf_printf(out, "%" PRIu64 " elements, the same\n", result->tally.compared);
    return;
  }
  print_tally(session, &result->tally, out);
  strbuf_printf(out, "\n    first %s  A %s\n%*sB %s\n", result->first[0].place, value_text(&session->arena, &result->first[0]),
                12 + (int)strlen(result->first[0].place), "", value_text(&session->arena, &result->first[1]));
  if (result->tally.worst != result->tally.first)
    strbuf_printf(out, "    worst %s  A %s\n%*sB %s\n", result->worst[0].place, value_text(&session->arena, &result->worst[0]),
                  12 + (int)strlen(result->worst[0].place), "", value_text(&session->arena, &result->worst[1]));
}

void diff_print(Session *session, const DiffReport *report, StrBuf *out)
{
  if (report->has_first)
    print_first(session, report, out);
  if (report->compared)
    strbuf_printf(out, "instructions: %" PRIu64 " compared, %" PRIu64 " differ; %" PRIu64 " only in A, %" PRIu64 " only in B\n",
                  report->compared, report->differing, report->alone[0], report->alone[1]);
  if (report->result_count)
    strbuf_puts(out, "results\n");
  for (uint32_t i = 0; i < report->result_count; i++)
    print_result(session, &report->results[i], out);
  if (!report->differs)
    strbuf_puts(out, "no difference\n");
}

// ---- JSON

static void element_json(JsonWriter *json, const char *key, const DiffElement *element)
{
  json_key(json, key);
  if (!element->place) {
    json_nothing(json);
    return;
  }
  char bits[24];
  snprintf(bits, sizeof bits, "0x%0*" PRIx64, (int)(2 * dtype_bytes(element->dtype)), element->bits);
  json_begin_object(json);
  json_member_text(json, "place", str_from(element->place));
  json_member_text(json, "dtype", str_from(dtype_name(element->dtype)));
  json_key(json, "value");
  json_double(json, element->value);
  json_member_text(json, "bits", str_from(bits));
  json_end_object(json);
}

static void tally_json(JsonWriter *json, const DiffTally *tally)
{
  json_member_uint(json, "compared", tally->compared);
  json_member_uint(json, "differing", tally->differing);
  json_member_finite(json, "max_ulps", tally->most_ulps);
  json_member_finite(json, "max_error", tally->most_error);
}

static void instr_json(Session *session, JsonWriter *json, const char *key, const DiffInstr *at)
{
  json_key(json, key);
  if (!at->instr) {
    json_nothing(json);
    return;
  }
  StrBuf text = strbuf_new(&session->arena);
  core_print_op(at->instr->op, &text);
  json_begin_object(json);
  json_member_uint(json, "number", at->number);
  json_member_uint(json, "core", at->core);
  json_member_text(json, "kind", str_from(op_info(at->instr->op->kind)->name));
  json_member_text(json, "function", str_from(op_known_as(at->instr)));
  if (at->instr->name)
    json_member_text(json, "name", str_from(at->instr->name));
  if (at->where.path) {
    json_member_text(json, "file", str_from(at->where.path));
    json_member_uint(json, "line", at->where.line);
    json_member_uint(json, "column", at->where.column);
    json_member_text(json, "text", at->where.text);
  }
  json_member_text(json, "instruction", strbuf_str(&text));
  json_end_object(json);
}

static void step_json(Session *session, JsonWriter *json, const DiffStep *step, bool is_parted)
{
  json_begin_object(json);
  instr_json(session, json, "a", &step->a);
  instr_json(session, json, "b", &step->b);
  if (!is_parted) {
    json_member_text(json, "operand", str_from(step->result.name));
    json_key(json, "element");
    json_begin_object(json);
    element_json(json, "a", &step->result.a);
    element_json(json, "b", &step->result.b);
    if (step->result.b.place)
      json_member_finite(json, "ulps", element_ulps(&step->result.a, &step->result.b));
    json_end_object(json);
    tally_json(json, &step->result.tally);
    json_key(json, "operands");
    json_begin_array(json);
    for (uint32_t i = 0; i < step->operand_count; i++) {
      json_begin_object(json);
      json_member_text(json, "name", str_from(step->operands[i].name));
      element_json(json, "a", &step->operands[i].a);
      element_json(json, "b", &step->operands[i].b);
      tally_json(json, &step->operands[i].tally);
      json_end_object(json);
    }
    json_end_array(json);
  }
  json_end_object(json);
}

static void result_json(JsonWriter *json, const DiffResult *result)
{
  json_begin_object(json);
  json_member_text(json, "name", str_from(result->name));
  if (result->why) {
    json_member_text(json, "not_compared", str_from(result->why));
  } else {
    json_member_text(json, "dtype", str_from(dtype_name(result->dtype)));
    tally_json(json, &result->tally);
  }
  for (int i = 0; i < 2 && result->tally.differing; i++) {
    json_key(json, i ? "worst" : "first");
    json_begin_object(json);
    element_json(json, "a", i ? &result->worst[0] : &result->first[0]);
    element_json(json, "b", i ? &result->worst[1] : &result->first[1]);
    json_end_object(json);
  }
  json_end_object(json);
}

void diff_print_json(Session *session, const DiffReport *report, JsonWriter *json)
{
  json_key(json, "same");
  json_bool(json, !report->differs);
  json_key(json, "instructions");
  json_begin_object(json);
  json_member_uint(json, "a", report->executed[0]);
  json_member_uint(json, "b", report->executed[1]);
  json_member_uint(json, "compared", report->compared);
  json_member_uint(json, "differing", report->differing);
  json_member_uint(json, "only_a", report->alone[0]);
  json_member_uint(json, "only_b", report->alone[1]);
  json_end_object(json);
  json_key(json, report->parted ? "parted" : "first");
  if (report->has_first)
    step_json(session, json, &report->first, report->parted);
  else
    json_nothing(json);
  json_key(json, "chain");
  json_begin_array(json);
  for (uint32_t i = 0; i < report->chain_count; i++)
    step_json(session, json, &report->chain[i], false);
  json_end_array(json);
  json_key(json, "results");
  json_begin_array(json);
  for (uint32_t i = 0; i < report->result_count; i++)
    result_json(json, &report->results[i]);
  json_end_array(json);
}
