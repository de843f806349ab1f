// print.c -- scalar kernels as Python again, for people: every cast that the checker has found, every type, directions and the grid.
//
// Compiled again the text gives the same tree, but for literals that an operator negates and for what only JSON can say.

#include "base/number_text.h"
#include "schema/check.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef struct Printer {
  StrBuf *out;
  bool hides_casts;  // of integers to integers
  int indent;
} Printer;

// How tightly an expression holds together, as in Python's grammar.
typedef enum Level {
  LEVEL_TERNARY, LEVEL_OR, LEVEL_AND, LEVEL_NOT, LEVEL_COMPARE, LEVEL_BIT_OR, LEVEL_BIT_XOR, LEVEL_BIT_AND, LEVEL_SHIFT, LEVEL_SUM, LEVEL_PRODUCT,
  LEVEL_SIGN, LEVEL_POWER, LEVEL_ATOM
} Level;

static Level binary_level(SchemaBinary op)
{
  switch (op) {
  case BINARY_add: case BINARY_sub: return LEVEL_SUM;
  case BINARY_mul: case BINARY_div: case BINARY_floor_div: case BINARY_mod: return LEVEL_PRODUCT;
  case BINARY_pow: return LEVEL_POWER;
  case BINARY_bit_and: return LEVEL_BIT_AND;
  case BINARY_bit_or: return LEVEL_BIT_OR;
  case BINARY_bit_xor: return LEVEL_BIT_XOR;
  case BINARY_shl: case BINARY_shr: return LEVEL_SHIFT;
  case BINARY_lt: case BINARY_le: case BINARY_gt: case BINARY_ge: case BINARY_eq: case BINARY_ne: return LEVEL_COMPARE;
  case BINARY_and: return LEVEL_AND;
  case BINARY_or: return LEVEL_OR;
  case BINARY_COUNT: break;
  }
  return LEVEL_ATOM;
}

static bool is_hidden(const Printer *p, const SchemaNode *node)
{
  return p->hides_casts && node->kind == SCHEMA_cast && scalar_is_integer(SCHEMA_AS(cast, node)->to) &&
         scalar_is_integer(SCHEMA_AS(cast, node)->value->type.scalar);
}

static Level level_of(const SchemaNode *node)
{
  switch (node->kind) {
  case SCHEMA_binary_op: return binary_level(SCHEMA_AS(binary_op, node)->op);
  case SCHEMA_unary_op: return SCHEMA_AS(unary_op, node)->op == UNARY_not ? LEVEL_NOT : LEVEL_SIGN;
  case SCHEMA_if_expr: return LEVEL_TERNARY;
  case SCHEMA_literal: {
    const SchemaLiteral *value = &SCHEMA_AS(literal, node)->value;
    return (value->kind == LITERAL_FLOAT ? signbit(value->real) : value->is_negative) ? LEVEL_SIGN : LEVEL_ATOM;
  }
  default: return LEVEL_ATOM;
  }
}

static void print_literal(Printer *p, const SchemaLiteral *literal)
{
  switch (literal->kind) {
  case LITERAL_BOOL: strbuf_puts(p->out, literal->magnitude ? "True" : "False"); return;
  case LITERAL_INT: strbuf_printf(p->out, "%s%" PRIu64, literal->is_negative ? "-" : "", literal->magnitude); return;
  case LITERAL_FLOAT:
    if (isfinite(literal->real))
      number_add_repr(p->out, literal->real);
    else
      strbuf_puts(p->out, isnan(literal->real) ? "math.nan" : literal->real > 0 ? "math.inf" : "-math.inf");
    return;
  }
}

static void print_expr(Printer *p, const SchemaNode *node, Level least);

static void print_args(Printer *p, const char *name, SchemaList args)
{
  strbuf_printf(p->out, "%s(", name);
  for (uint32_t i = 0; i < args.count; i++) {
    strbuf_puts(p->out, i ? ", " : "");
    print_expr(p, args.items[i], LEVEL_TERNARY);
  }
  strbuf_putc(p->out, ')');
}

static void print_binary(Printer *p, const Schema_binary_op *e)
{
  Level level = binary_level(e->op);
  Level left = level == LEVEL_COMPARE ? LEVEL_BIT_OR : level == LEVEL_POWER ? LEVEL_ATOM : level;  // a < b < c is a chain
  print_expr(p, e->left, left);
  strbuf_printf(p->out, " %s ", schema_binary_info(e->op)->python);
  print_expr(p, e->right, level == LEVEL_POWER ? LEVEL_SIGN : level + 1);
}

static void print_bare(Printer *p, const SchemaNode *node)
{
  switch (node->kind) {
  case SCHEMA_literal: print_literal(p, &SCHEMA_AS(literal, node)->value); return;
  case SCHEMA_var: strbuf_puts(p->out, SCHEMA_AS(var, node)->name->str.data); return;
  case SCHEMA_binary_op: print_binary(p, SCHEMA_AS(binary_op, node)); return;
  case SCHEMA_unary_op: {
    const Schema_unary_op *e = SCHEMA_AS(unary_op, node);
    strbuf_printf(p->out, "%s%s", schema_unary_info(e->op)->python, e->op == UNARY_not ? " " : "");
    print_expr(p, e->operand, level_of(node));
    return;
  }
  case SCHEMA_if_expr: {
    const Schema_if_expr *e = SCHEMA_AS(if_expr, node);
    print_expr(p, e->then_value, LEVEL_OR);
    strbuf_puts(p->out, " if ");
    print_expr(p, e->condition, LEVEL_OR);
    strbuf_puts(p->out, " else ");
    print_expr(p, e->else_value, LEVEL_TERNARY);
    return;
  }
  case SCHEMA_index:
    print_expr(p, SCHEMA_AS(index, node)->array, LEVEL_ATOM);
    strbuf_putc(p->out, '[');
    print_expr(p, SCHEMA_AS(index, node)->index, LEVEL_TERNARY);
    strbuf_putc(p->out, ']');
    return;
  case SCHEMA_cast: {
    SchemaNode *value = SCHEMA_AS(cast, node)->value;
    print_args(p, scalar_name(SCHEMA_AS(cast, node)->to), (SchemaList){&value, 1});
    return;
  }
  case SCHEMA_call: print_args(p, SCHEMA_AS(call, node)->function->str.data, SCHEMA_AS(call, node)->args); return;
  default: strbuf_puts(p->out, "?"); return;
  }
}

static void print_expr(Printer *p, const SchemaNode *node, Level least)
{
  while (is_hidden(p, node))
    node = SCHEMA_AS(cast, node)->value;
  bool needs_parentheses = level_of(node) < least;
  strbuf_puts(p->out, needs_parentheses ? "(" : "");
  print_bare(p, node);
  strbuf_puts(p->out, needs_parentheses ? ")" : "");
}

void schema_print_expression(const SchemaNode *node, StrBuf *out)
{
  print_expr(&(Printer){.out = out, .hides_casts = true}, node, LEVEL_TERNARY);
}

// ---- statements

static void print_list(Printer *p, SchemaList list);

static void begin_line(Printer *p)
{
  strbuf_printf(p->out, "%*s", 4 * p->indent, "");
}

static void print_block(Printer *p, SchemaList list)
{
  strbuf_puts(p->out, ":\n");
  p->indent++;
  print_list(p, list);
  p->indent--;
}

// "WORD expression", of a statement that goes on with a block or ends.
static void print_head(Printer *p, const char *word, const SchemaNode *node)
{
  strbuf_puts(p->out, word);
  print_expr(p, node, LEVEL_TERNARY);
}

static void print_if(Printer *p, const Schema_if *s, const char *word)
{
  print_head(p, word, s->condition);
  print_block(p, s->then_body);
  if (!s->else_body.count)
    return;
  begin_line(p);
  if (s->else_body.count == 1 && s->else_body.items[0]->kind == SCHEMA_if) {
    print_if(p, SCHEMA_AS(if, s->else_body.items[0]), "elif ");
    return;
  }
  strbuf_puts(p->out, "else");
  print_block(p, s->else_body);
}

static void print_for(Printer *p, const Schema_for *s)
{
  SchemaNode *bounds[] = {s->start, s->stop, s->step};
  strbuf_printf(p->out, "for %s in ", s->var->str.data);
  print_args(p, "range", (SchemaList){bounds, 3});
  print_block(p, s->body);
}

// parallel_map_unary(input, output, "abs", n): the fields in their order.
static void print_whole(Printer *p, const SchemaNode *node)
{
  SchemaKindInfo info = schema_kind_info(node->kind);
  strbuf_printf(p->out, "%s(", info.json);
  for (uint32_t i = 0; i < info.field_count; i++) {
    const void *field = schema_field(node, &info.fields[i]);
    strbuf_puts(p->out, i ? ", " : "");
    if (info.fields[i].kind == SCHEMA_FIELD_TEXT)
      strbuf_printf(p->out, "\"%.*s\"", STR_ARG(*(const Str *)field));
    else
      print_expr(p, *(SchemaNode *const *)field, LEVEL_TERNARY);
  }
  strbuf_puts(p->out, ")\n");
}

static void print_stmt(Printer *p, const SchemaNode *node)
{
  begin_line(p);
  switch (node->kind) {
  case SCHEMA_let:
    strbuf_printf(p->out, "%s: %s", SCHEMA_AS(let, node)->name->str.data, scalar_name(SCHEMA_AS(let, node)->dtype));
    print_head(p, " = ", SCHEMA_AS(let, node)->value);
    break;
  case SCHEMA_assign:
    print_expr(p, SCHEMA_AS(assign, node)->target, LEVEL_TERNARY);
    print_head(p, " = ", SCHEMA_AS(assign, node)->value);
    break;
  case SCHEMA_if: print_if(p, SCHEMA_AS(if, node), "if "); return;
  case SCHEMA_for: print_for(p, SCHEMA_AS(for, node)); return;
  case SCHEMA_while:
    print_head(p, "while ", SCHEMA_AS(while, node)->condition);
    print_block(p, SCHEMA_AS(while, node)->body);
    return;
  case SCHEMA_break:
  case SCHEMA_continue: strbuf_puts(p->out, schema_kind_info(node->kind).json); break;
  case SCHEMA_return:
    strbuf_puts(p->out, "return");
    if (SCHEMA_AS(return, node)->value)
      print_head(p, " ", SCHEMA_AS(return, node)->value);
    break;
  case SCHEMA_perform: print_args(p, SCHEMA_AS(perform, node)->function->str.data, SCHEMA_AS(perform, node)->args); break;
  case SCHEMA_shared:
    strbuf_printf(p->out, "%s = shared_array(%s", SCHEMA_AS(shared, node)->name->str.data, scalar_name(SCHEMA_AS(shared, node)->element_type));
    print_head(p, ", ", SCHEMA_AS(shared, node)->size);
    strbuf_putc(p->out, ')');
    break;
  default: print_whole(p, node); return;
  }
  strbuf_putc(p->out, '\n');
}

static void print_list(Printer *p, SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++)
    print_stmt(p, list.items[i]);
  if (!list.count) {
    begin_line(p);
    strbuf_puts(p->out, "pass\n");
  }
}

// ---- functions

static void print_type(Printer *p, SchemaType type)
{
  strbuf_printf(p->out, type.is_array ? "DeviceArray[%s]" : "%s", scalar_name(type.scalar));
}

// "    # grid n, m; x is read, y written; atomics"
static void print_facts(Printer *p, const SchemaFunction *function)
{
  static const char *const USES[] = {"not used", "read", "written", "read and written"};
  const char *between = "    # ";
  for (uint32_t d = 0; d < function->dims && function->is_kernel; d++) {
    strbuf_puts(p->out, d ? ", " : "    # grid ");
    if (function->grid[d])
      schema_print_expression(function->grid[d], p->out);
    else
      strbuf_puts(p->out, "?");
    between = "; ";
  }
  const char *before = between;
  for (size_t i = 0; i < function->params.count; i++) {
    const SchemaVar *param = function->params.items[i];
    if (param->type.is_array) {
      strbuf_printf(p->out, "%s`%s` %s", before, param->name->str.data, USES[param->direction]);
      before = ", ", between = "; ";
    }
  }
  const struct { bool holds; const char *what; } facts[] = {{function->uses_groups, "groups"}, {function->uses_atomics, "atomics"}};
  for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
    if (facts[i].holds) {
      strbuf_printf(p->out, "%s%s", between, facts[i].what);
      between = "; ";
    }
  strbuf_puts(p->out, between[0] == ';' ? "\n" : "");
}

static void print_doc(Printer *p, Str doc)
{
  for (size_t start = 0; start < doc.len;) {
    size_t end = start;
    while (end < doc.len && doc.data[end] != '\n')
      end++;
    strbuf_printf(p->out, "#%s%.*s\n", end > start ? " " : "", (int)(end - start), doc.data + start);
    start = end + 1;
  }
}

static void print_function(Printer *p, const SchemaFunction *function)
{
  strbuf_putc(p->out, '\n');
  print_doc(p, function->doc);
  strbuf_printf(p->out, "%sdef %s(", function->is_kernel ? "" : "@inline\n", function->name->str.data);
  for (size_t i = 0; i < function->params.count; i++) {
    strbuf_printf(p->out, "%s%s: ", i ? ", " : "", function->params.items[i]->name->str.data);
    print_type(p, function->params.items[i]->type);
  }
  strbuf_putc(p->out, ')');
  if (function->returns.scalar != SCALAR_NONE) {
    strbuf_puts(p->out, " -> ");
    print_type(p, function->returns);
  }
  strbuf_puts(p->out, ":\n");
  print_facts(p, function);
  p->indent = 1;
  print_list(p, function->body);
}

void schema_print(const SchemaFile *file, StrBuf *out)
{
  StrBuf body = strbuf_new(out->arena);
  Printer p = {.out = &body};
  for (size_t i = 0; i < file->functions.count; i++)
    print_function(&p, file->functions.items[i]);
  strbuf_puts(out, "from atlas_kernel import *\n");
  if (strstr(strbuf_cstr(&body), "math."))
    strbuf_puts(out, "import math\n");
  strbuf_add(out, body.data, body.len);
}
