// text_value.c -- operands and attributes of the text form: views, and any value by its description.

#include "core/text.h"
#include "core/text_parser.h"
#include "core/text_syntax.h"

// ---- views

static bool parse_access(TextParser *p, Access *out);

// PAIR: INT '*' INT ('+' INT)?
static bool parse_pair(TextParser *p, ApPair *out)
{
  int64_t step = 0;
  uint64_t num = 0, offset = 0;
  if (!text_take_signed(p, INT32_MIN, INT32_MAX, &step) || !text_take_sign(p, "*") ||
      !text_take_unsigned(p, UINT32_MAX, &num))
    return false;
  if (text_accept_sign(p, "+") && !text_take_unsigned(p, UINT32_MAX, &offset))
    return false;
  *out = (ApPair){(int32_t)step, (uint32_t)num, (uint32_t)offset};
  return true;
}

// PAIRS: (PAIR (',' PAIR)*)?   up to the closing sign or `;`
static bool parse_pairs(TextParser *p, const char *close, Core_LIST_AP_PAIR *out)
{
  Vec(ApPair) pairs = {0};
  while (!text_at_sign(p, close) && !text_at_sign(p, ";")) {
    ApPair pair;
    if ((pairs.count && !text_take_sign(p, ",")) || !parse_pair(p, &pair))
      return false;
    vec_push(p->arena, &pairs, pair);
  }
  *out = (Core_LIST_AP_PAIR){pairs.items, (uint32_t)pairs.count};
  return true;
}

// DIMENSION: INT | INT ':' INT (':' INT)?
typedef struct Dimension {
  bool is_slice;
  uint64_t start, end;
  int64_t step;
} Dimension;

static bool parse_dimension(TextParser *p, Dimension *out)
{
  *out = (Dimension){.step = 1};
  if (!text_take_unsigned(p, UINT64_MAX, &out->start))
    return false;
  out->is_slice = text_accept_sign(p, ":");
  if (!out->is_slice)
    return true;
  return text_take_unsigned(p, UINT64_MAX, &out->end) &&
         (!text_accept_sign(p, ":") || text_take_signed(p, INT64_MIN, INT64_MAX, &out->step));
}

// '[' DIMENSION (',' DIMENSION)* ']': slices of every dimension of the tensor; an index drops its dimension.
static bool parse_slices(TextParser *p, const Tensor *tensor, View *view)
{
  uint64_t sizes[TEXT_MAX_RANK], steps[TEXT_MAX_RANK];
  uint32_t rank, start = p->token.start, at = 0;
  if (!text_steps(tensor, sizes, steps, &rank))
    return text_fail_at(p, start, p->token.end, E_CORE_TEXT, "`%s` has too many dimensions or elements for slices",
                        tensor->name);
  view->pattern.items = arena_array(p->arena, ApPair, rank);
  text_advance(p);
  for (; !text_at_sign(p, "]"); at++) {
    uint32_t dimension_start = p->token.start;
    Dimension dimension;
    if ((at && !text_take_sign(p, ",")) || !parse_dimension(p, &dimension))
      return false;
    if (at == rank)
      return text_fail_at(p, dimension_start, p->last_end, E_CORE_TEXT, "`%s` has %u dimensions", tensor->name, rank);
    if (dimension.start >= sizes[at] ||
        (dimension.is_slice && (dimension.end > sizes[at] || dimension.end <= dimension.start)))
      return text_fail_at(p, dimension_start, p->last_end, E_CORE_TEXT,
                          "out of range: dimension %u of `%s` has size %llu", at, tensor->name,
                          (unsigned long long)sizes[at]);
    view->offset += dimension.start * steps[at];
    if (!dimension.is_slice)
      continue;
    uint64_t count = dimension.step >= 1 ? (dimension.end - dimension.start - 1) / (uint64_t)dimension.step + 1 : 0;
    bool fits =
        dimension.step >= 1 && dimension.step <= INT32_MAX && steps[at] <= (uint64_t)(INT32_MAX / dimension.step);
    if (!fits || count > UINT32_MAX)
      return text_fail_at(p, dimension_start, p->last_end, E_CORE_TEXT,
                          "the step of a slice must be at least 1 and fit");
    view->pattern.items[view->pattern.count++] =
        (ApPair){(int32_t)((int64_t)steps[at] * dimension.step), (uint32_t)count, 0};
  }
  if (at != rank)
    return text_fail_at(p, start, p->token.end, E_CORE_TEXT, "`%s` has %u dimensions, %u are given", tensor->name, rank,
                        at);
  text_advance(p);
  return true;
}

// '{' INT ';' PAIRS (';' 'scalar' '=' (REGISTER | ACCESS))? (';' 'vector' '=' ACCESS)? (';' 'dim' '=' INT)? '}'
static bool parse_raw_view(TextParser *p, View *view)
{
  text_advance(p);
  if (!text_take_unsigned(p, UINT64_MAX, &view->offset) || !text_take_sign(p, ";") ||
      !parse_pairs(p, "}", &view->pattern))
    return false;
  while (text_accept_sign(p, ";")) {
    if (text_accept_word(p, "scalar")) {
      ScalarOffset *offset = arena_new(p->arena, ScalarOffset);
      if (!text_take_sign(p, "="))
        return false;
      bool is_register = text_accept_sign(p, "%");
      offset->ctor = is_register ? ScalarOffset_reg : ScalarOffset_acc;
      if (is_register ? !text_take_name(p, "a register's name", &offset->reg) : !parse_access(p, &offset->acc))
        return false;
      view->scalar_offset = offset;
    } else if (text_accept_word(p, "vector")) {
      Access *access = arena_new(p->arena, Access);
      if (!text_take_sign(p, "=") || !parse_access(p, access))
        return false;
      view->vector_offset = access;
    } else if (text_accept_word(p, "dim")) {
      int64_t dim = 0;
      if (!text_take_sign(p, "=") || !text_take_signed(p, INT32_MIN, INT32_MAX, &dim))
        return false;
      view->indirect_dim = (int32_t)dim;
    } else {
      return text_expected(p, "`scalar`, `vector` or `dim`");
    }
  }
  return text_take_sign(p, "}");
}

// '(' (DIMENSION (',' DIMENSION)*)? ')'
static bool parse_basic(TextParser *p, AccessBasic *access)
{
  Vec(Index) indexes = {0};
  text_advance(p);
  while (!text_at_sign(p, ")")) {
    Dimension dimension;
    if ((indexes.count && !text_take_sign(p, ",")) || !parse_dimension(p, &dimension))
      return false;
    Index index = {.ctor = Index_coord, .coord = dimension.start};
    if (dimension.is_slice)
      index = (Index){.ctor = Index_slice, .slice = {dimension.start, dimension.end, dimension.step}};
    vec_push(p->arena, &indexes, index);
  }
  text_advance(p);
  access->indexes = (Core_LIST_INDEX){indexes.items, (uint32_t)indexes.count};
  return true;
}

// SUFFIX: (':' DTYPE ('>' DTYPE)?)? ('@' MEMORY)?   what stands before `>` and after `@` must be the tensor's
static bool parse_suffix(TextParser *p, const Tensor *tensor, Core_OPT_DTYPE *override)
{
  uint32_t member = 0;
  Token token = {0};
  if (text_accept_sign(p, ":")) {
    token = p->token;
    if (!text_take_member(p, core_DTYPE.of, &member))
      return false;
    if (member != tensor->dtype)
      return text_fail_at(p, token.start, token.end, E_CORE_TEXT, "`%s` is declared as %s", tensor->name,
                          core_dtype_text(tensor->dtype));
    if (text_at_sign(p, ">")) {
      if (!override)
        return text_fail_at(p, p->token.start, p->token.end, E_CORE_TEXT, "only a view can be read as another dtype");
      text_advance(p);
      if (!text_take_member(p, core_DTYPE.of, &member))
        return false;
      *override = (Core_OPT_DTYPE){true, (DType)member};
    }
  }
  if (text_accept_sign(p, "@")) {
    token = p->token;
    if (!text_take_member(p, core_MEMORY.of, &member))
      return false;
    if (member != tensor->address->memory)
      return text_fail_at(p, token.start, token.end, E_CORE_TEXT, "`%s` is declared in %s", tensor->name,
                          core_MEMORY.of->member_name(tensor->address->memory));
  }
  return true;
}

// ACCESS: HANDLE ('[' ... ']' | '{' ... '}' | '(' ... ')')? SUFFIX | '$pattern' STRUCT
static bool parse_access_here(TextParser *p, Access *out)
{
  if (text_accept_sign(p, "$")) {
    if (!text_accept_word(p, "pattern"))
      return text_expected(p, "`pattern`");
    out->ctor = Access_pattern;
    return text_parse_value(p, &core_REF_ACCESS_PATTERN, &out->pattern);
  }
  const Tensor *tensor = NULL;
  if (!text_take_tensor(p, &tensor))
    return false;
  if (text_at_sign(p, "(")) {
    AccessBasic *basic = arena_new(p->arena, AccessBasic);
    basic->tensor = tensor;
    *out = (Access){.ctor = Access_basic, .basic = basic};
    return parse_basic(p, basic) && parse_suffix(p, tensor, NULL);
  }
  if (!text_at_sign(p, "[") && !text_at_sign(p, "{")) {
    *out = (Access){.ctor = Access_simple, .simple = tensor};
    return parse_suffix(p, tensor, NULL);
  }
  View *view = arena_new(p->arena, View);
  view->tensor = tensor;
  *out = (Access){.ctor = Access_view, .view = view};
  return (text_at_sign(p, "[") ? parse_slices(p, tensor, view) : parse_raw_view(p, view)) &&
         parse_suffix(p, tensor, &view->dtype_override);
}

static bool parse_access(TextParser *p, Access *out)
{
  if (p->depth >= TEXT_MAX_DEPTH)
    return text_fail_at(p, p->token.start, p->token.end, E_CORE_TEXT, "accesses are nested more than %d deep",
                        TEXT_MAX_DEPTH);
  p->depth++;
  bool ok = parse_access_here(p, out);
  p->depth--;
  return ok;
}

// ---- any value

// STRUCT: '(' (NAME '=' VALUE (',' NAME '=' VALUE)*)? ')'
static bool parse_struct(TextParser *p, const TypeInfo *type, void *out)
{
  uint32_t count, start = p->token.start;
  const FieldInfo *fields = type->fields(&count);
  uint64_t seen = 0;
  if (!text_take_sign(p, "("))
    return false;
  while (!text_at_sign(p, ")")) {
    if (seen && !text_take_sign(p, ","))
      return false;
    uint32_t i = 0;
    while (i < count && !str_is(p->token.text, fields[i].name))
      i++;
    if (p->token.kind != TOKEN_NAME || i == count || (seen >> i & 1))
      return text_expected(p, "another member's name");
    seen |= UINT64_C(1) << i;
    text_advance(p);
    if (!text_take_sign(p, "=") || !text_parse_value(p, fields[i].type, (char *)out + fields[i].offset))
      return false;
  }
  for (uint32_t i = 0; i < count; i++)
    if (!(seen >> i & 1) && !text_is_omissible(fields[i].type))
      return text_fail_at(p, start, p->token.end, E_CORE_TEXT, "member `%s` is missing", fields[i].name);
  text_advance(p);
  return true;
}

// '(' INT '+' INT '*' 'p' ';' PAIRS ')'
static bool parse_data_pattern(TextParser *p, DataPattern *out)
{
  return text_take_sign(p, "(") && text_take_signed(p, INT64_MIN, INT64_MAX, &out->offset) && text_take_sign(p, "+") &&
         text_take_signed(p, INT64_MIN, INT64_MAX, &out->channel_multiplier) && text_take_sign(p, "*") &&
         (text_accept_word(p, "p") || text_expected(p, "`p`")) && text_take_sign(p, ";") &&
         parse_pairs(p, ")", &out->pattern) && text_take_sign(p, ")");
}

// '$' NAME (STRUCT | '(' VALUE ')')?   after the `$`
static bool parse_ctor(TextParser *p, const TypeInfo *type, void *out)
{
  const CtorInfo *ctor = NULL;
  const char *words[8];
  for (uint32_t i = 0; i < type->member_count; i++) {
    words[i] = text_ctor_word(type, &type->ctors[i]);
    if (p->token.kind == TOKEN_NAME && str_is(p->token.text, words[i]))
      ctor = &type->ctors[i];
  }
  if (!ctor)
    return text_unknown_name(p, p->token, "form", words, type->member_count);
  text_advance(p);
  *(uint32_t *)out = ctor->number;
  if (!ctor->type)
    return true;
  const TypeInfo *of = text_resolve(ctor->type);
  void *value = (char *)out + type->value_offset;
  if (of->form == FORM_REF || of->form == FORM_STRUCT)
    return text_parse_value(p, of, value);
  return text_take_sign(p, "(") && text_parse_value(p, ctor->type, value) && text_take_sign(p, ")");
}

static bool is_number(const TextParser *p)
{
  return p->token.kind == TOKEN_INT || p->token.kind == TOKEN_FLOAT;
}

static bool parse_immediate(TextParser *p, Immediate *out)
{
  int64_t integer = 0;
  if (p->token.kind == TOKEN_FLOAT) {
    out->ctor = Immediate_real;
    return text_take_float(p, &out->real);
  }
  if (!text_take_signed(p, INT32_MIN, INT32_MAX, &integer))
    return false;
  *out = (Immediate){.ctor = Immediate_integer, .integer = (int32_t)integer};
  return true;
}

static bool parse_sum(TextParser *p, const TypeInfo *type, void *out)
{
  if (type == &core_type_Access)
    return parse_access(p, out);
  if (type == &core_type_Operand) {
    Operand *operand = out;
    Token word = text_at_sign(p, "$") ? text_second_token(p) : (Token){0};
    bool is_immediate =
        is_number(p) || (word.kind == TOKEN_NAME && (str_is(word.text, "reg") || str_is(word.text, "pointer")));
    operand->ctor = is_immediate ? Operand_imm : Operand_tile;
    return is_immediate ? parse_sum(p, &core_type_Immediate, &operand->imm)
                        : parse_sum(p, &core_type_TensorRef, &operand->tile);
  }
  if (type == &core_type_Immediate && is_number(p))
    return parse_immediate(p, out);
  if (type == &core_type_TensorRef && (!text_at_sign(p, "$") || str_is(text_second_token(p).text, "pattern"))) {
    TensorRef *ref = out;
    ref->ctor = TensorRef_abstract;
    return parse_access(p, &ref->abstract);
  }
  return text_take_sign(p, "$") && parse_ctor(p, type, out);
}

static bool parse_list(TextParser *p, const TypeInfo *type, AnyList *out)
{
  size_t bytes = type->of->bytes, capacity = 4;
  char *items = arena_alloc_array(p->arena, capacity, bytes);
  uint32_t count = 0;
  if (!text_take_sign(p, "["))
    return false;
  while (!text_at_sign(p, "]")) {
    if (count == capacity) {
      items = arena_grow(p->arena, items, capacity * bytes, 2 * capacity * bytes);
      capacity *= 2;
    }
    if ((count && !text_take_sign(p, ",")) || !text_parse_value(p, type->of, items + count * bytes))
      return false;
    count++;
  }
  text_advance(p);
  *out = (AnyList){items, count};
  return true;
}

bool text_parse_text(TextParser *p, const TypeInfo *kind, const char **out)
{
  if (kind == &core_REGISTER)
    return (text_accept_sign(p, "%") || text_expected(p, "a register such as `%i`")) &&
           text_take_name(p, "a register's name", out);
  if (kind == &core_LABEL)
    return text_take_name(p, "a label", out);
  return text_take_quoted(p, "a quoted text", out);
}

bool text_parse_value(TextParser *p, const TypeInfo *kind, void *out)
{
  const TypeInfo *type = text_resolve(kind);
  uint64_t natural = 0;
  int64_t integer = 0;
  switch (type->form) {
  case FORM_BOOL:
    *(bool *)out = text_at_word(p, "true");
    return text_accept_word(p, "true") || text_accept_word(p, "false") || text_expected(p, "`true` or `false`");
  case FORM_NAT: return text_take_unsigned(p, UINT64_MAX, out);
  case FORM_INT: return text_take_signed(p, INT64_MIN, INT64_MAX, out);
  case FORM_NAT32:
    if (!text_take_unsigned(p, UINT32_MAX, &natural))
      return false;
    *(uint32_t *)out = (uint32_t)natural;
    return true;
  case FORM_INT32:
    if (!text_take_signed(p, INT32_MIN, INT32_MAX, &integer))
      return false;
    *(int32_t *)out = (int32_t)integer;
    return true;
  case FORM_F32: return text_take_float(p, out);
  case FORM_STRING:
  case FORM_OPT_STRING: return text_parse_text(p, kind, out);
  case FORM_ENUM: return text_take_member(p, type, out);
  case FORM_BOXED: {
    void *inner = arena_alloc(p->arena, type->of->bytes);
    *(void **)out = inner;
    return text_parse_value(p, type->of, inner);
  }
  case FORM_OPTION: *(bool *)out = true; return text_parse_value(p, type->of, (char *)out + type->value_offset);
  case FORM_LIST: return parse_list(p, type, out);
  case FORM_REF: {
    if (type->of == &core_type_Tensor)
      return text_take_tensor(p, out);
    void *inner = arena_alloc(p->arena, type->of->bytes);
    *(void **)out = inner;
    return text_parse_value(p, type->of, inner);
  }
  case FORM_STRUCT:
    if (type == &core_type_ApPair)
      return parse_pair(p, out);
    if (type == &core_type_DataPattern)
      return parse_data_pattern(p, out);
    return parse_struct(p, type, out);
  case FORM_SUM: return parse_sum(p, type, out);
  case FORM_SAME:
  case FORM_OPERATOR: break;
  }
  return text_expected(p, "a value");
}
