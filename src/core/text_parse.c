// text_parse.c -- the text form read back: one token of lookahead, one line an item, several errors a run.

#include "base/map.h"
#include "core/text.h"
#include "core/text_lex.h"
#include "core/text_syntax.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Parser {
  Session *session;
  Arena *arena;
  Lexer lexer;
  uint32_t source;
  Token token;        // the next one
  uint32_t last_end;  // end of the one before
  Map tensors;        // handle, `name` or `name~2` -> Tensor *
  Map names;          // texts of the kernel, each once
  const char *filename;
  int depth;  // of accesses within accesses
  Diag *last_error;
} Parser;

typedef Vec(Block *) BlockVec;
typedef Vec(const Instr *) InstrVec;

static bool fail_at(Parser *p, uint32_t start, uint32_t end, DiagCode code, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static bool fail_at(Parser *p, uint32_t start, uint32_t end, DiagCode code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  char *message = arena_vprintf(&p->session->arena, format, args);
  va_end(args);
  Diag *diag = diag_error(p->session, code, "%s", message);
  diag_primary(diag, (Span){p->source, start, end > start ? end : start + 1}, "%s", "");
  p->last_error = diag;
  return false;
}

// At the next token: found that, expected `what`.
static bool expected(Parser *p, const char *what)
{
  Token *token = &p->token;
  if (token->kind == TOKEN_BAD)
    return fail_at(p, token->start, token->end, E_CORE_TEXT, "%s", token->bad);
  if (token->kind == TOKEN_NEWLINE || token->kind == TOKEN_END)
    return fail_at(p, token->start, token->end, E_CORE_TEXT, "expected %s before the end of the line", what);
  return fail_at(p, token->start, token->end, E_CORE_TEXT, "expected %s, found `%.*s`", what, STR_ARG(token->text));
}

static void advance(Parser *p)
{
  p->last_end = p->token.end;
  p->token = text_next_token(&p->lexer);
}

// The token after the next one.
static Token second_token(const Parser *p)
{
  Parser ahead = *p;
  advance(&ahead);
  return ahead.token;
}

static bool at_line_end(const Parser *p)
{
  return p->token.kind == TOKEN_NEWLINE || p->token.kind == TOKEN_END;
}

static void skip_line(Parser *p)
{
  // A token that was not understood may end anywhere, so the rest of the line is dropped as bytes.
  if (p->token.kind != TOKEN_NEWLINE && p->token.kind != TOKEN_END) {
    while (p->lexer.at < p->lexer.length && p->lexer.text[p->lexer.at] != '\n')
      p->lexer.at++;
    p->token.kind = TOKEN_NEWLINE;
    advance(p);
  }
}

static bool at_sign(const Parser *p, const char *sign)
{
  return p->token.kind == TOKEN_SIGN && str_is(p->token.text, sign);
}

static bool at_word(const Parser *p, const char *word)
{
  return p->token.kind == TOKEN_NAME && !p->token.quoted && str_is(p->token.text, word);
}

static bool accept_sign(Parser *p, const char *sign)
{
  if (!at_sign(p, sign))
    return false;
  advance(p);
  return true;
}

static bool accept_word(Parser *p, const char *word)
{
  if (!at_word(p, word))
    return false;
  advance(p);
  return true;
}

static bool take_sign(Parser *p, const char *sign)
{
  if (accept_sign(p, sign))
    return true;
  char what[8] = "`";
  strcat(what, sign);
  strcat(what, "`");
  return expected(p, what);
}

static bool end_line(Parser *p)
{
  return at_line_end(p) || expected(p, "the end of the line");
}

// One copy of each text of the kernel, NUL-terminated.
static const char *keep(Parser *p, Str text)
{
  const char *kept = map_get(&p->names, text);
  if (kept)
    return kept;
  char *copy = arena_strndup(p->arena, text.data, text.len);
  map_set(&p->names, (Str){copy, text.len}, copy);
  return copy;
}

static bool take_name(Parser *p, const char *what, const char **out)
{
  if (p->token.kind != TOKEN_NAME)
    return expected(p, what);
  *out = keep(p, p->token.text);
  advance(p);
  return true;
}

static bool take_quoted(Parser *p, const char *what, const char **out)
{
  if (p->token.kind != TOKEN_NAME || !p->token.quoted)
    return expected(p, what);
  return take_name(p, what, out);
}

static bool take_unsigned(Parser *p, uint64_t most, uint64_t *out)
{
  if (p->token.kind != TOKEN_INT || p->token.text.data[0] == '-')
    return expected(p, "a number that is not negative");
  errno = 0;
  *out = strtoull(p->token.text.data, NULL, 10);
  if (errno || *out > most)
    return fail_at(p, p->token.start, p->token.end, E_CORE_TEXT, "the number is larger than %llu",
                   (unsigned long long)most);
  advance(p);
  return true;
}

static bool take_signed(Parser *p, int64_t least, int64_t most, int64_t *out)
{
  if (p->token.kind != TOKEN_INT)
    return expected(p, "a whole number");
  errno = 0;
  *out = strtoll(p->token.text.data, NULL, 10);
  if (errno || *out < least || *out > most)
    return fail_at(p, p->token.start, p->token.end, E_CORE_TEXT, "the number is not between %lld and %lld",
                   (long long)least, (long long)most);
  advance(p);
  return true;
}

static bool take_float(Parser *p, float *out)
{
  if (p->token.kind != TOKEN_FLOAT && p->token.kind != TOKEN_INT)
    return expected(p, "a number");
  Str text = p->token.text;
  if (str_starts_with(text, "nan"))
    *out = f32_from_bits(text.len > 3 ? (uint32_t)strtoul(text.data + 4, NULL, 16) : F32_NAN_BITS);
  else if (str_is(text, "inf") || str_is(text, "-inf"))
    *out = text.data[0] == '-' ? -INFINITY : INFINITY;
  else
    *out = strtof(text.data, NULL);
  if (text.len > 3 && str_starts_with(text, "nan") && *out == *out)
    return fail_at(p, p->token.start, p->token.end, E_CORE_TEXT, "these bits are not a NaN");
  advance(p);
  return true;
}

// ---- names of members

// Reports that `found` is no member; suggests the nearest of `names`.
static bool unknown_name(Parser *p, Token token, const char *what, const char *const *names, size_t count)
{
  fail_at(p, token.start, token.end, E_CORE_TEXT_NAME, "unknown %s `%.*s`", what, STR_ARG(token.text));
  diag_suggest(p->last_error, token.text, names, count);
  return false;
}

static bool take_member(Parser *p, const TypeInfo *type, uint32_t *out)
{
  if (p->token.kind != TOKEN_NAME)
    return expected(p, "a name");
  const char *names[128];
  for (uint32_t i = 0; i < type->member_count && i < 128; i++) {
    names[i] = type->member_name(i);
    if (str_is(p->token.text, names[i])) {
      *out = i;
      advance(p);
      return true;
    }
  }
  char what[64];
  snprintf(what, sizeof what, "member of %s", type->name);
  return unknown_name(p, p->token, what, names, type->member_count);
}

// HANDLE: NAME ('~' INT)?
static bool take_handle(Parser *p, Str *handle, const char **name)
{
  if (!take_name(p, "a tensor's name", name))
    return false;
  *handle = str_from(*name);
  if (!accept_sign(p, "~"))
    return true;
  uint64_t ordinal = 0;
  if (!take_unsigned(p, UINT32_MAX, &ordinal))
    return false;
  // A byte that no name holds keeps `a~2` and the quoted name "a~2" apart.
  char *text = arena_printf(p->arena, "%s\n%llu", *name, (unsigned long long)ordinal);
  *handle = str_from(keep(p, str_from(text)));
  return true;
}

static bool take_tensor(Parser *p, const Tensor **out)
{
  Token token = p->token;
  Str handle;
  const char *name = NULL;
  if (!take_handle(p, &handle, &name))
    return false;
  *out = map_get(&p->tensors, handle);
  if (*out)
    return true;
  size_t count = p->tensors.count < 256 ? p->tensors.count : 256;
  const char **names = arena_array(p->arena, const char *, count);
  for (size_t i = 0; i < count; i++)
    names[i] = ((const Tensor *)p->tensors.entries[i].value)->name;
  return unknown_name(p, token, "tensor", names, count);
}

// ---- views

static bool parse_access(Parser *p, Access *out);

// PAIR: INT '*' INT ('+' INT)?
static bool parse_pair(Parser *p, ApPair *out)
{
  int64_t step = 0;
  uint64_t num = 0, offset = 0;
  if (!take_signed(p, INT32_MIN, INT32_MAX, &step) || !take_sign(p, "*") || !take_unsigned(p, UINT32_MAX, &num))
    return false;
  if (accept_sign(p, "+") && !take_unsigned(p, UINT32_MAX, &offset))
    return false;
  *out = (ApPair){(int32_t)step, (uint32_t)num, (uint32_t)offset};
  return true;
}

// PAIRS: (PAIR (',' PAIR)*)?   up to the closing sign or `;`
static bool parse_pairs(Parser *p, const char *close, Core_LIST_AP_PAIR *out)
{
  Vec(ApPair) pairs = {0};
  while (!at_sign(p, close) && !at_sign(p, ";")) {
    ApPair pair;
    if ((pairs.count && !take_sign(p, ",")) || !parse_pair(p, &pair))
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

static bool parse_dimension(Parser *p, Dimension *out)
{
  *out = (Dimension){.step = 1};
  if (!take_unsigned(p, UINT64_MAX, &out->start))
    return false;
  out->is_slice = accept_sign(p, ":");
  if (!out->is_slice)
    return true;
  return take_unsigned(p, UINT64_MAX, &out->end) &&
         (!accept_sign(p, ":") || take_signed(p, INT64_MIN, INT64_MAX, &out->step));
}

// '[' DIMENSION (',' DIMENSION)* ']': slices of every dimension of the tensor; an index drops its dimension.
static bool parse_slices(Parser *p, const Tensor *tensor, View *view)
{
  uint64_t sizes[TEXT_MAX_RANK], steps[TEXT_MAX_RANK];
  uint32_t rank, start = p->token.start, at = 0;
  if (!text_steps(tensor, sizes, steps, &rank))
    return fail_at(p, start, p->token.end, E_CORE_TEXT, "`%s` has too many dimensions or elements for slices",
                   tensor->name);
  view->pattern.items = arena_array(p->arena, ApPair, rank);
  advance(p);
  for (; !at_sign(p, "]"); at++) {
    uint32_t dimension_start = p->token.start;
    Dimension dimension;
    if ((at && !take_sign(p, ",")) || !parse_dimension(p, &dimension))
      return false;
    if (at == rank)
      return fail_at(p, dimension_start, p->last_end, E_CORE_TEXT, "`%s` has %u dimensions", tensor->name, rank);
    if (dimension.start >= sizes[at] ||
        (dimension.is_slice && (dimension.end > sizes[at] || dimension.end <= dimension.start)))
      return fail_at(p, dimension_start, p->last_end, E_CORE_TEXT, "out of range: dimension %u of `%s` has size %llu",
                     at, tensor->name, (unsigned long long)sizes[at]);
    view->offset += dimension.start * steps[at];
    if (!dimension.is_slice)
      continue;
    uint64_t count = dimension.step >= 1 ? (dimension.end - dimension.start - 1) / (uint64_t)dimension.step + 1 : 0;
    bool fits =
        dimension.step >= 1 && dimension.step <= INT32_MAX && steps[at] <= (uint64_t)(INT32_MAX / dimension.step);
    if (!fits || count > UINT32_MAX)
      return fail_at(p, dimension_start, p->last_end, E_CORE_TEXT, "the step of a slice must be at least 1 and fit");
    view->pattern.items[view->pattern.count++] =
        (ApPair){(int32_t)((int64_t)steps[at] * dimension.step), (uint32_t)count, 0};
  }
  if (at != rank)
    return fail_at(p, start, p->token.end, E_CORE_TEXT, "`%s` has %u dimensions, %u are given", tensor->name, rank, at);
  advance(p);
  return true;
}

// '{' INT ';' PAIRS (';' 'scalar' '=' (REGISTER | ACCESS))? (';' 'vector' '=' ACCESS)? (';' 'dim' '=' INT)? '}'
static bool parse_raw_view(Parser *p, View *view)
{
  advance(p);
  if (!take_unsigned(p, UINT64_MAX, &view->offset) || !take_sign(p, ";") || !parse_pairs(p, "}", &view->pattern))
    return false;
  while (accept_sign(p, ";")) {
    if (accept_word(p, "scalar")) {
      ScalarOffset *offset = arena_new(p->arena, ScalarOffset);
      if (!take_sign(p, "="))
        return false;
      bool is_register = accept_sign(p, "%");
      offset->ctor = is_register ? ScalarOffset_reg : ScalarOffset_acc;
      if (is_register ? !take_name(p, "a register's name", &offset->reg) : !parse_access(p, &offset->acc))
        return false;
      view->scalar_offset = offset;
    } else if (accept_word(p, "vector")) {
      Access *access = arena_new(p->arena, Access);
      if (!take_sign(p, "=") || !parse_access(p, access))
        return false;
      view->vector_offset = access;
    } else if (accept_word(p, "dim")) {
      int64_t dim = 0;
      if (!take_sign(p, "=") || !take_signed(p, INT32_MIN, INT32_MAX, &dim))
        return false;
      view->indirect_dim = (int32_t)dim;
    } else {
      return expected(p, "`scalar`, `vector` or `dim`");
    }
  }
  return take_sign(p, "}");
}

// '(' (DIMENSION (',' DIMENSION)*)? ')'
static bool parse_basic(Parser *p, AccessBasic *access)
{
  Vec(Index) indexes = {0};
  advance(p);
  while (!at_sign(p, ")")) {
    Dimension dimension;
    if ((indexes.count && !take_sign(p, ",")) || !parse_dimension(p, &dimension))
      return false;
    Index index = {.ctor = Index_coord, .coord = dimension.start};
    if (dimension.is_slice)
      index = (Index){.ctor = Index_slice, .slice = {dimension.start, dimension.end, dimension.step}};
    vec_push(p->arena, &indexes, index);
  }
  advance(p);
  access->indexes = (Core_LIST_INDEX){indexes.items, (uint32_t)indexes.count};
  return true;
}

// SUFFIX: (':' DTYPE ('>' DTYPE)?)? ('@' MEMORY)?   what stands before `>` and after `@` must be the tensor's
static bool parse_suffix(Parser *p, const Tensor *tensor, Core_OPT_DTYPE *override)
{
  uint32_t member = 0;
  Token token = {0};
  if (accept_sign(p, ":")) {
    token = p->token;
    if (!take_member(p, core_DTYPE.of, &member))
      return false;
    if (member != tensor->dtype)
      return fail_at(p, token.start, token.end, E_CORE_TEXT, "`%s` is declared as %s", tensor->name,
                     core_dtype_text(tensor->dtype));
    if (at_sign(p, ">")) {
      if (!override)
        return fail_at(p, p->token.start, p->token.end, E_CORE_TEXT, "only a view can be read as another dtype");
      advance(p);
      if (!take_member(p, core_DTYPE.of, &member))
        return false;
      *override = (Core_OPT_DTYPE){true, (DType)member};
    }
  }
  if (accept_sign(p, "@")) {
    token = p->token;
    if (!take_member(p, core_MEMORY.of, &member))
      return false;
    if (member != tensor->address->memory)
      return fail_at(p, token.start, token.end, E_CORE_TEXT, "`%s` is declared in %s", tensor->name,
                     core_MEMORY.of->member_name(tensor->address->memory));
  }
  return true;
}

static bool parse_value(Parser *p, const TypeInfo *kind, void *out);

// ACCESS: HANDLE ('[' ... ']' | '{' ... '}' | '(' ... ')')? SUFFIX | '$pattern' STRUCT
static bool parse_access_here(Parser *p, Access *out)
{
  if (accept_sign(p, "$")) {
    if (!accept_word(p, "pattern"))
      return expected(p, "`pattern`");
    out->ctor = Access_pattern;
    return parse_value(p, &core_REF_ACCESS_PATTERN, &out->pattern);
  }
  const Tensor *tensor = NULL;
  if (!take_tensor(p, &tensor))
    return false;
  if (at_sign(p, "(")) {
    AccessBasic *basic = arena_new(p->arena, AccessBasic);
    basic->tensor = tensor;
    *out = (Access){.ctor = Access_basic, .basic = basic};
    return parse_basic(p, basic) && parse_suffix(p, tensor, NULL);
  }
  if (!at_sign(p, "[") && !at_sign(p, "{")) {
    *out = (Access){.ctor = Access_simple, .simple = tensor};
    return parse_suffix(p, tensor, NULL);
  }
  View *view = arena_new(p->arena, View);
  view->tensor = tensor;
  *out = (Access){.ctor = Access_view, .view = view};
  return (at_sign(p, "[") ? parse_slices(p, tensor, view) : parse_raw_view(p, view)) &&
         parse_suffix(p, tensor, &view->dtype_override);
}

static bool parse_access(Parser *p, Access *out)
{
  if (p->depth >= TEXT_MAX_DEPTH)
    return fail_at(p, p->token.start, p->token.end, E_CORE_TEXT, "accesses are nested more than %d deep",
                   TEXT_MAX_DEPTH);
  p->depth++;
  bool ok = parse_access_here(p, out);
  p->depth--;
  return ok;
}

// ---- any value

// STRUCT: '(' (NAME '=' VALUE (',' NAME '=' VALUE)*)? ')'
static bool parse_struct(Parser *p, const TypeInfo *type, void *out)
{
  uint32_t count, start = p->token.start;
  const FieldInfo *fields = type->fields(&count);
  uint64_t seen = 0;
  if (!take_sign(p, "("))
    return false;
  while (!at_sign(p, ")")) {
    if (seen && !take_sign(p, ","))
      return false;
    uint32_t i = 0;
    while (i < count && !str_is(p->token.text, fields[i].name))
      i++;
    if (p->token.kind != TOKEN_NAME || i == count || (seen >> i & 1))
      return expected(p, "another member's name");
    seen |= UINT64_C(1) << i;
    advance(p);
    if (!take_sign(p, "=") || !parse_value(p, fields[i].type, (char *)out + fields[i].offset))
      return false;
  }
  for (uint32_t i = 0; i < count; i++)
    if (!(seen >> i & 1) && !text_is_omissible(fields[i].type))
      return fail_at(p, start, p->token.end, E_CORE_TEXT, "member `%s` is missing", fields[i].name);
  advance(p);
  return true;
}

// '(' INT '+' INT '*' 'p' ';' PAIRS ')'
static bool parse_data_pattern(Parser *p, DataPattern *out)
{
  return take_sign(p, "(") && take_signed(p, INT64_MIN, INT64_MAX, &out->offset) && take_sign(p, "+") &&
         take_signed(p, INT64_MIN, INT64_MAX, &out->channel_multiplier) && take_sign(p, "*") &&
         (accept_word(p, "p") || expected(p, "`p`")) && take_sign(p, ";") && parse_pairs(p, ")", &out->pattern) &&
         take_sign(p, ")");
}

// '$' NAME (STRUCT | '(' VALUE ')')?   after the `$`
static bool parse_ctor(Parser *p, const TypeInfo *type, void *out)
{
  const CtorInfo *ctor = NULL;
  const char *words[8];
  for (uint32_t i = 0; i < type->member_count; i++) {
    words[i] = text_ctor_word(type, &type->ctors[i]);
    if (p->token.kind == TOKEN_NAME && str_is(p->token.text, words[i]))
      ctor = &type->ctors[i];
  }
  if (!ctor)
    return unknown_name(p, p->token, "form", words, type->member_count);
  advance(p);
  *(uint32_t *)out = ctor->number;
  if (!ctor->type)
    return true;
  const TypeInfo *of = text_resolve(ctor->type);
  void *value = (char *)out + type->value_offset;
  if (of->form == FORM_REF || of->form == FORM_STRUCT)
    return parse_value(p, of, value);
  return take_sign(p, "(") && parse_value(p, ctor->type, value) && take_sign(p, ")");
}

static bool is_number(const Parser *p)
{
  return p->token.kind == TOKEN_INT || p->token.kind == TOKEN_FLOAT;
}

static bool parse_immediate(Parser *p, Immediate *out)
{
  int64_t integer = 0;
  if (p->token.kind == TOKEN_FLOAT) {
    out->ctor = Immediate_real;
    return take_float(p, &out->real);
  }
  if (!take_signed(p, INT32_MIN, INT32_MAX, &integer))
    return false;
  *out = (Immediate){.ctor = Immediate_integer, .integer = (int32_t)integer};
  return true;
}

static bool parse_sum(Parser *p, const TypeInfo *type, void *out)
{
  if (type == &core_type_Access)
    return parse_access(p, out);
  if (type == &core_type_Operand) {
    Operand *operand = out;
    Token word = at_sign(p, "$") ? second_token(p) : (Token){0};
    bool is_immediate =
        is_number(p) || (word.kind == TOKEN_NAME && (str_is(word.text, "reg") || str_is(word.text, "pointer")));
    operand->ctor = is_immediate ? Operand_imm : Operand_tile;
    return is_immediate ? parse_sum(p, &core_type_Immediate, &operand->imm)
                        : parse_sum(p, &core_type_TensorRef, &operand->tile);
  }
  if (type == &core_type_Immediate && is_number(p))
    return parse_immediate(p, out);
  if (type == &core_type_TensorRef && (!at_sign(p, "$") || str_is(second_token(p).text, "pattern"))) {
    TensorRef *ref = out;
    ref->ctor = TensorRef_abstract;
    return parse_access(p, &ref->abstract);
  }
  return take_sign(p, "$") && parse_ctor(p, type, out);
}

static bool parse_list(Parser *p, const TypeInfo *type, AnyList *out)
{
  size_t bytes = type->of->bytes, capacity = 4;
  char *items = arena_alloc_array(p->arena, capacity, bytes);
  uint32_t count = 0;
  if (!take_sign(p, "["))
    return false;
  while (!at_sign(p, "]")) {
    if (count == capacity) {
      items = arena_grow(p->arena, items, capacity * bytes, 2 * capacity * bytes);
      capacity *= 2;
    }
    if ((count && !take_sign(p, ",")) || !parse_value(p, type->of, items + count * bytes))
      return false;
    count++;
  }
  advance(p);
  *out = (AnyList){items, count};
  return true;
}

static bool parse_text(Parser *p, const TypeInfo *kind, const char **out)
{
  if (kind == &core_REGISTER)
    return (accept_sign(p, "%") || expected(p, "a register such as `%i`")) && take_name(p, "a register's name", out);
  if (kind == &core_LABEL)
    return take_name(p, "a label", out);
  return take_quoted(p, "a quoted text", out);
}

static bool parse_value(Parser *p, const TypeInfo *kind, void *out)
{
  const TypeInfo *type = text_resolve(kind);
  uint64_t natural = 0;
  int64_t integer = 0;
  switch (type->form) {
  case FORM_BOOL:
    *(bool *)out = at_word(p, "true");
    return accept_word(p, "true") || accept_word(p, "false") || expected(p, "`true` or `false`");
  case FORM_NAT: return take_unsigned(p, UINT64_MAX, out);
  case FORM_INT: return take_signed(p, INT64_MIN, INT64_MAX, out);
  case FORM_NAT32:
    if (!take_unsigned(p, UINT32_MAX, &natural))
      return false;
    *(uint32_t *)out = (uint32_t)natural;
    return true;
  case FORM_INT32:
    if (!take_signed(p, INT32_MIN, INT32_MAX, &integer))
      return false;
    *(int32_t *)out = (int32_t)integer;
    return true;
  case FORM_F32: return take_float(p, out);
  case FORM_STRING:
  case FORM_OPT_STRING: return parse_text(p, kind, out);
  case FORM_ENUM: return take_member(p, type, out);
  case FORM_BOXED: {
    void *inner = arena_alloc(p->arena, type->of->bytes);
    *(void **)out = inner;
    return parse_value(p, type->of, inner);
  }
  case FORM_OPTION: *(bool *)out = true; return parse_value(p, type->of, (char *)out + type->value_offset);
  case FORM_LIST: return parse_list(p, type, out);
  case FORM_REF: {
    if (type->of == &core_type_Tensor)
      return take_tensor(p, out);
    void *inner = arena_alloc(p->arena, type->of->bytes);
    *(void **)out = inner;
    return parse_value(p, type->of, inner);
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
  return expected(p, "a value");
}

// ---- operators

// KEY '=' VALUE for the attributes of `op`; `*seen` has a bit for each field that has a value.
static bool parse_attributes(Parser *p, Op *op, const FieldInfo *fields, uint32_t count, uint64_t *seen,
                             const char **name)
{
  while (p->token.kind == TOKEN_NAME) {
    Token key = p->token;
    uint32_t i = 0;
    while (i < count && !(str_is(key.text, fields[i].name) && text_side(&fields[i]) == TEXT_ATTRIBUTE))
      i++;
    bool is_name = i == count && str_is(key.text, "name");
    if (i == count && !is_name) {
      const char *names[24];
      size_t name_count = 0;
      for (uint32_t k = 0; k < count && name_count < 24; k++)
        if (text_side(&fields[k]) == TEXT_ATTRIBUTE)
          names[name_count++] = fields[k].name;
      return unknown_name(p, key, "attribute", names, name_count);
    }
    if (is_name ? *name != NULL : *seen >> i & 1)
      return fail_at(p, key.start, key.end, E_CORE_TEXT, "attribute `%.*s` is given twice", STR_ARG(key.text));
    advance(p);
    if (!take_sign(p, "="))
      return false;
    if (is_name ? !take_name(p, "a name", name) : !parse_value(p, fields[i].type, (char *)op + fields[i].offset))
      return false;
    if (!is_name)
      *seen |= UINT64_C(1) << i;
  }
  return true;
}

static bool parse_side(Parser *p, Op *op, const FieldInfo *fields, uint32_t count, TextSide side, uint64_t *seen)
{
  bool first = true;
  for (uint32_t i = 0; i < count; i++) {
    if (text_side(&fields[i]) != side)
      continue;
    if ((!first && !take_sign(p, ",")) || !parse_value(p, fields[i].type, (char *)op + fields[i].offset))
      return false;
    *seen |= UINT64_C(1) << i;
    first = false;
  }
  return true;
}

static bool has_side(const FieldInfo *fields, uint32_t count, TextSide side)
{
  for (uint32_t i = 0; i < count; i++)
    if (text_side(&fields[i]) == side)
      return true;
  return false;
}

// BRANCH: ('if' REGISTER SIGN (REGISTER | INT))? 'goto' LABEL ('else' LABEL)? ATTRIBUTES
static bool parse_branch(Parser *p, struct Op_cmp_branch *branch)
{
  *branch = (struct Op_cmp_branch){.reg1 = "", .reg2 = "", .op = BR_CMP_OP_ALWAYS, .false_label = ""};
  bool conditional = accept_word(p, "if");
  if (conditional) {
    if (!parse_text(p, &core_REGISTER, &branch->reg1))
      return false;
    Token sign = p->token;
    if (sign.kind != TOKEN_SIGN || !text_find_comparison(sign.text, false, &branch->op))
      return expected(p, "a comparison");
    advance(p);
    bool with_register = at_sign(p, "%");
    text_find_comparison(sign.text, with_register, &branch->op);
    if (with_register ? !parse_text(p, &core_REGISTER, &branch->reg2)
                      : !take_signed(p, INT64_MIN, INT64_MAX, &branch->imm))
      return false;
  }
  if (!accept_word(p, "goto"))
    return expected(p, "`goto`");
  if (!take_name(p, "a label", &branch->true_label))
    return false;
  return !conditional ||
         ((accept_word(p, "else") || expected(p, "`else`")) && take_name(p, "a label", &branch->false_label));
}

static bool unknown_operator(Parser *p)
{
  const char *names[OP_COUNT];
  for (int i = 0; i < OP_COUNT; i++)
    names[i] = op_info((OpKind)i)->name;
  return unknown_name(p, p->token, "operator", names, OP_COUNT);
}

// OPERATOR: NAME (VALUE (',' VALUE)*)? ('=' VALUE (',' VALUE)*)? ATTRIBUTES | BRANCH
static bool parse_op(Parser *p, Op **out, const char **name)
{
  OpKind kind = OP_cmp_branch;
  Token start = p->token;
  uint64_t seen = 0;
  uint32_t count;
  if (at_word(p, "if") || at_word(p, "goto")) {
    *out = op_new(p->arena, kind);
    const FieldInfo *branch_fields = op_info(kind)->fields(&count);
    return parse_branch(p, &(*out)->cmp_branch) && parse_attributes(p, *out, branch_fields, count, &seen, name);
  }
  if (p->token.kind != TOKEN_NAME || !op_find(p->token.text, &kind))
    return p->token.kind == TOKEN_NAME ? unknown_operator(p) : expected(p, "an operator");
  advance(p);
  Op *op = *out = op_new(p->arena, kind);
  const FieldInfo *fields = op_info(kind)->fields(&count);
  bool left = has_side(fields, count, TEXT_LEFT), right = has_side(fields, count, TEXT_RIGHT);
  if ((left && !parse_side(p, op, fields, count, TEXT_LEFT, &seen)) || (left && right && !take_sign(p, "=")) ||
      (right && !parse_side(p, op, fields, count, TEXT_RIGHT, &seen)) ||
      !parse_attributes(p, op, fields, count, &seen, name))
    return false;
  for (uint32_t i = 0; i < count; i++)
    if (!(seen >> i & 1) && !text_is_omissible(fields[i].type))
      return fail_at(p, start.start, start.end, E_CORE_TEXT, "attribute `%s` of `%s` is missing", fields[i].name,
                     op_info(kind)->name);
  return true;
}

static bool take_optional(Parser *p, Core_OPT_NAT *out)
{
  if (accept_word(p, "_"))
    return true;
  out->some = true;
  return take_unsigned(p, UINT64_MAX, &out->value);
}

// POSITION: ';' INT ':' INT ('..' (INT | '_') ':' (INT | '_'))?
static bool parse_position(Parser *p, Pos *pos)
{
  uint64_t line = 0, column = 0;
  if (!take_unsigned(p, UINT32_MAX, &line) || !take_sign(p, ":") || !take_unsigned(p, UINT32_MAX, &column))
    return false;
  pos->line = (uint32_t)line;
  pos->column = (uint32_t)column;
  return !accept_sign(p, "..") ||
         (take_optional(p, &pos->line_end) && take_sign(p, ":") && take_optional(p, &pos->column_end));
}

static bool parse_instr(Parser *p, InstrVec *body)
{
  uint32_t start = p->token.start;
  Instr *instr = arena_new(p->arena, Instr);
  Pos *pos = arena_new(p->arena, Pos);
  pos->filename = p->filename;
  instr->pos = pos;
  if (!parse_op(p, &instr->op, &instr->name))
    return false;
  pos->span = (Span){p->source, start, p->last_end};
  if ((accept_sign(p, ";") && !parse_position(p, pos)) || !end_line(p))
    return false;
  vec_push(p->arena, body, instr);
  return true;
}

// ---- kernels

// TENSOR: 'tensor' HANDLE ':' DTYPE '[' INT (',' INT)* ']' '@' MEMORY ('in' NAME '[' INT ',' INT ']')?
//         ('at' '(' (INT | '_') ',' (INT | '_') ')')? 'shared'? 'rotate'? ('elements' '=' INT)?
static bool parse_tensor(Parser *p)
{
  Token start = p->token;
  advance(p);
  Tensor *tensor = arena_new(p->arena, Tensor);
  Address *address = arena_new(p->arena, Address);
  Vec(uint64_t) sizes = {0};
  Str handle;
  uint32_t member = 0;
  Token name_token = p->token;
  if (!take_handle(p, &handle, &tensor->name))
    return false;
  uint32_t name_end = p->last_end;
  if (!take_sign(p, ":") || !take_member(p, core_DTYPE.of, &member) || !take_sign(p, "["))
    return false;
  tensor->dtype = (DType)member;
  do {
    uint64_t size;
    if (!take_unsigned(p, UINT64_MAX, &size))
      return false;
    vec_push(p->arena, &sizes, size);
  } while (accept_sign(p, ","));
  if (!take_sign(p, "]") || !take_sign(p, "@") || !take_member(p, core_MEMORY.of, &member))
    return false;
  tensor->shape = (Shape){sizes.items[0], {sizes.items + 1, (uint32_t)sizes.count - 1}};
  tensor->free_elements = 1;
  for (size_t i = 1; i < sizes.count; i++)
    tensor->free_elements *= sizes.items[i];
  *address = (Address){.name = tensor->name, .memory = (Memory)member, .par_size = sizes.items[0]};
  address->free_size = tensor->free_elements * dtype_bytes(tensor->dtype);
  if (accept_word(p, "in") && (!take_name(p, "an address's name", &address->name) || !take_sign(p, "[") ||
                               !take_unsigned(p, UINT64_MAX, &address->par_size) || !take_sign(p, ",") ||
                               !take_unsigned(p, UINT64_MAX, &address->free_size) || !take_sign(p, "]")))
    return false;
  if (accept_word(p, "at") && (!take_sign(p, "(") || !take_optional(p, &address->par_offset) || !take_sign(p, ",") ||
                               !take_optional(p, &address->free_offset) || !take_sign(p, ")")))
    return false;
  address->is_shared = accept_word(p, "shared");
  tensor->address_rotation = accept_word(p, "rotate");
  if (accept_word(p, "elements") && (!take_sign(p, "=") || !take_unsigned(p, UINT64_MAX, &tensor->free_elements)))
    return false;
  if (!end_line(p))
    return false;
  tensor->address = address;
  Pos *pos = arena_new(p->arena, Pos);
  pos->span = (Span){p->source, start.start, p->last_end};
  tensor->pos = pos;
  tensor->id = (uint32_t)p->tensors.count;
  if (map_get(&p->tensors, handle))
    return fail_at(p, name_token.start, name_end, E_CORE_TEXT, "tensor `%s` is declared twice", tensor->name);
  map_set(&p->tensors, handle, tensor);
  return true;
}

// Declarations first, so that a tensor may be used on lines above its own.
static void parse_declarations(Parser *p)
{
  for (advance(p); p->token.kind != TOKEN_END;) {
    if (at_word(p, "tensor")) {
      Token next = second_token(p);
      // A label called `tensor` is followed by its colon.
      if (next.kind == TOKEN_NAME && !str_is(next.text, "no_reorder"))
        parse_tensor(p);
    }
    skip_line(p);
    if (p->token.kind == TOKEN_NEWLINE)
      advance(p);
  }
}

static bool parse_tensor_names(Parser *p, Core_LIST_TENSOR *out)
{
  Vec(const Tensor *) tensors = {0};
  if (p->token.kind == TOKEN_NAME)
    do {
      const Tensor *tensor = NULL;
      if (!take_tensor(p, &tensor))
        return false;
      vec_push(p->arena, &tensors, tensor);
    } while (accept_sign(p, ","));
  *out = (Core_LIST_TENSOR){tensors.items, (uint32_t)tensors.count};
  return true;
}

// 'kernel' NAME '(' TENSORS ')' '->' '(' TENSORS ')'
static bool parse_header(Parser *p, Kernel *kernel)
{
  if (kernel->name)
    return expected(p, "one kernel in a text");
  advance(p);
  kernel->name = "";
  return take_name(p, "the kernel's name", &kernel->name) && take_sign(p, "(") &&
         parse_tensor_names(p, &kernel->inputs) && take_sign(p, ")") && take_sign(p, "->") && take_sign(p, "(") &&
         parse_tensor_names(p, &kernel->outputs) && take_sign(p, ")") && end_line(p);
}

typedef struct Sections {
  Vec(SharedConstant) constants;
  Vec(Edges) edges;
  Vec(Core_LIST_BLOCK) bodies;
  BlockVec blocks;  // of the last core
  InstrVec body;    // of its last block
  bool in_core;
} Sections;

static void close_block(Sections *s)
{
  if (s->blocks.count)
    s->blocks.items[s->blocks.count - 1]->body = (Core_LIST_STMT){s->body.items, (uint32_t)s->body.count};
  s->body = (InstrVec){0};
}

static void close_core(Parser *p, Sections *s)
{
  close_block(s);
  const Block **blocks = arena_array(p->arena, const Block *, s->blocks.count);
  for (size_t i = 0; i < s->blocks.count; i++)
    blocks[i] = s->blocks.items[i];
  if (s->in_core)
    vec_push(p->arena, &s->bodies, (Core_LIST_BLOCK){blocks, (uint32_t)s->blocks.count});
  s->blocks = (BlockVec){0};
  s->in_core = false;
}

// 'constant' NAME '=' STRING
static bool parse_constant(Parser *p, Sections *s)
{
  SharedConstant constant;
  advance(p);
  if (!take_name(p, "a tensor's name", &constant.name) || !take_sign(p, "=") ||
      !take_quoted(p, "a quoted file name", &constant.file_name) || !end_line(p))
    return false;
  vec_push(p->arena, &s->constants, constant);
  return true;
}

// 'edge' NAME '->' (NAME (',' NAME)*)?
static bool parse_edge(Parser *p, Sections *s)
{
  Edges edges;
  Vec(const char *) to = {0};
  advance(p);
  if (!take_name(p, "an instruction's name", &edges.from_edge) || !take_sign(p, "->"))
    return false;
  while (!at_line_end(p)) {
    const char *name = NULL;
    if ((to.count && !take_sign(p, ",")) || !take_name(p, "an instruction's name", &name))
      return false;
    vec_push(p->arena, &to, name);
  }
  edges.to_edges = (Core_LIST_STRING){to.items, (uint32_t)to.count};
  vec_push(p->arena, &s->edges, edges);
  return true;
}

// 'core' INT, numbered from 0 in order
static bool parse_core(Parser *p, Sections *s)
{
  close_core(p, s);
  uint64_t number = 0;
  uint32_t start = p->token.start;
  advance(p);
  if (!take_unsigned(p, UINT32_MAX, &number))
    return false;
  s->in_core = true;
  if (number != s->bodies.count)
    return fail_at(p, start, p->last_end, E_CORE_TEXT, "cores are numbered from 0 in order: expected core %zu",
                   s->bodies.count);
  return end_line(p);
}

// 'file' (STRING | 'none')
static bool parse_file(Parser *p)
{
  advance(p);
  if (accept_word(p, "none")) {
    p->filename = NULL;
    return end_line(p);
  }
  return take_quoted(p, "a quoted file name or `none`", &p->filename) && end_line(p);
}

// LABEL 'no_reorder'? ':'
static bool parse_label(Parser *p, Sections *s)
{
  if (!s->in_core)
    return fail_at(p, p->token.start, p->token.end, E_CORE_TEXT,
                   "a block stands outside of a core: `core 0` comes first");
  close_block(s);
  Block *block = arena_new(p->arena, Block);
  block->label = keep(p, p->token.text);
  advance(p);
  block->no_reorder = accept_word(p, "no_reorder");
  vec_push(p->arena, &s->blocks, block);
  return take_sign(p, ":") && end_line(p);
}

static bool parse_line(Parser *p, Kernel *kernel, Sections *s)
{
  if (p->token.kind != TOKEN_NAME)
    return expected(p, "a label, an operator or a declaration");
  Token next = second_token(p);
  if ((next.kind == TOKEN_SIGN && str_is(next.text, ":")) ||
      (next.kind == TOKEN_NAME && str_is(next.text, "no_reorder")))
    return parse_label(p, s);
  if (at_word(p, "kernel"))
    return parse_header(p, kernel);
  if (at_word(p, "tensor")) {
    skip_line(p);  // declared already
    return true;
  }
  if (at_word(p, "shared")) {
    advance(p);
    return parse_tensor_names(p, &kernel->shared_buffers) && end_line(p);
  }
  if (at_word(p, "constant"))
    return parse_constant(p, s);
  if (at_word(p, "edge"))
    return parse_edge(p, s);
  if (at_word(p, "core"))
    return parse_core(p, s);
  if (at_word(p, "file"))
    return parse_file(p);
  if (s->blocks.count == 0)
    return fail_at(p, p->token.start, p->token.end, E_CORE_TEXT,
                   "an operator stands outside of a block: a label comes first");
  return parse_instr(p, &s->body);
}

static Parser parser_new(Session *session, Arena *arena, const Source *source)
{
  return (Parser){.session = session,
                  .arena = arena,
                  .lexer = {arena, source->text.data, (uint32_t)source->text.len, 0},
                  .source = session_source_id(session, source),
                  .tensors = map_new(arena),
                  .names = map_new(arena)};
}

Kernel *core_parse_text(Session *session, Arena *arena, Source *source)
{
  Parser parser = parser_new(session, arena, source), *p = &parser;
  Kernel *kernel = arena_new(arena, Kernel);
  Sections sections = {0};
  parse_declarations(p);
  p->lexer.at = 0;
  p->token = (Token){0};
  for (advance(p); p->token.kind != TOKEN_END;) {
    if (p->token.kind != TOKEN_NEWLINE && !parse_line(p, kernel, &sections))
      skip_line(p);
    if (p->token.kind == TOKEN_NEWLINE)
      advance(p);
  }
  close_core(p, &sections);
  if (!kernel->name && !p->last_error)
    fail_at(p, 0, 1, E_CORE_TEXT, "the text holds no kernel: expected a line `kernel NAME(...) -> (...)`");
  kernel->bodies = (Core_LIST_LIST_BLOCK){sections.bodies.items, (uint32_t)sections.bodies.count};
  kernel->shared_constants = (Core_LIST_SHARED_CONSTANT){sections.constants.items, (uint32_t)sections.constants.count};
  kernel->edges = (Core_LIST_EDGES){sections.edges.items, (uint32_t)sections.edges.count};
  return p->last_error ? NULL : kernel;
}
