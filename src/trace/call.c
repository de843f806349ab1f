#include "trace/eval_internal.h"

#include <string.h>

// ---- signatures of native functions

const NativeSignature *native_signature(Tracer *t, const char *text)
{
  if (!text)
    return NULL;
  NativeSignature *signature = arena_new(&t->arena, NativeSignature);
  signature->names = arena_array(&t->arena, const Name *, strlen(text) / 2 + 2);
  signature->rest = signature->keyword_rest = -1;
  bool keyword_only = false;
  for (const char *at = text; *at;) {
    size_t len = strcspn(at, " ");
    Str word = {at, len};
    at += len;
    while (*at == ' ')
      at++;
    if (len == 1 && *word.data == '/') {
      signature->positional_only = signature->count;
      continue;
    }
    if (len == 1 && *word.data == '*') {
      keyword_only = true;
      continue;
    }
    bool optional = word.data[len - 1] == '?';
    if (optional)
      word.len--;
    if (word.len > 2 && word.data[0] == '*' && word.data[1] == '*') {
      signature->keyword_rest = (int)signature->count;
      word.data += 2, word.len -= 2;
      optional = true;
    } else if (word.data[0] == '*') {
      signature->rest = (int)signature->count;
      word.data++, word.len--;
      keyword_only = optional = true;
    } else if (!keyword_only) {
      signature->positional = signature->count + 1;
    }
    if (!optional)
      signature->required_mask |= 1u << signature->count;
    signature->names[signature->count++] = name_intern(&t->session->names, word);
  }
  return signature;
}

static Diag *unknown_keyword(Tracer *t, const char *function, const Name *keyword, const Name *const *names,
                             uint32_t count, Span span)
{
  Diag *diag = raise_error(t, E_ARGUMENTS, span, "%s() got an unexpected keyword argument '%s'", function,
                           keyword->str.data);
  const char **candidates = arena_array(&t->arena, const char *, count);
  for (uint32_t i = 0; i < count; i++)
    candidates[i] = names[i]->str.data;
  diag_suggest(diag, keyword->str, candidates, count);
  return diag;
}

static Span keyword_span(const Call *call, const Name *name)
{
  if (call->expr)
    for (uint32_t i = 0; i < call->expr->Call.keywords.count; i++)
      if (call->expr->Call.keywords.items[i]->arg == name)
        return call->expr->Call.keywords.items[i]->span;
  return call->span;
}

bool native_bind(Tracer *t, const char *name, const NativeSignature *s, const Call *call, Value *bound)
{
  for (uint32_t i = 0; i < s->count; i++)
    bound[i].tag = VALUE_UNDEFINED;
  uint32_t taken = call->positional < s->positional ? call->positional : s->positional;
  for (uint32_t i = 0; i < taken; i++)
    bound[i] = call->args[i];
  if (s->rest >= 0)
    bound[s->rest] = value_tuple(t, call->args + taken, call->positional - taken);
  else if (call->positional > s->positional) {
    if (s->count == 1 && s->positional_only == 1 && s->required_mask)
      return RAISE(t, E_ARGUMENTS, call->span, "%s() takes exactly one argument (%u given)", name, call->positional);
    if (s->positional == 0)
      return RAISE(t, E_ARGUMENTS, call->span, "%s() takes no arguments (%u given)", name, call->positional);
    return RAISE(t, E_ARGUMENTS, call->span, "%s() takes at most %u argument%s (%u given)", name, s->positional,
                 s->positional == 1 ? "" : "s", call->positional);
  }
  if (s->keyword_rest >= 0)
    bound[s->keyword_rest] = value_dict(t);
  for (uint32_t k = 0; k < call->keyword_count; k++) {
    const Name *keyword = call->keywords[k];
    Value value = call->args[call->positional + k];
    uint32_t i = s->positional_only;
    while (i < s->count && (s->names[i] != keyword || (int)i == s->rest || (int)i == s->keyword_rest))
      i++;
    if (i < s->count) {
      if (value_is_set(bound[i]))
        return RAISE(t, E_ARGUMENTS, keyword_span(call, keyword), "%s() got multiple values for argument '%s'", name,
                     keyword->str.data);
      bound[i] = value;
    } else if (s->keyword_rest >= 0) {
      if (!dict_set(t, bound[s->keyword_rest].dict, value_name(t, keyword), value))
        return false;
    } else {
      if (s->count == 0 || s->positional_only == s->count)
        return RAISE(t, E_ARGUMENTS, keyword_span(call, keyword), "%s() takes no keyword arguments", name);
      unknown_keyword(t, name, keyword, s->names, s->count, keyword_span(call, keyword));
      return false;
    }
  }
  for (uint32_t i = 0; i < s->count; i++)
    if ((s->required_mask >> i & 1) && !value_is_set(bound[i]) && s->count == 1 && s->positional_only == 1)
      return RAISE(t, E_ARGUMENTS, call->span, "%s() takes exactly one argument (%u given)", name, call->positional);
    else if ((s->required_mask >> i & 1) && !value_is_set(bound[i]))
      return RAISE(t, E_ARGUMENTS, call->span, "%s() missing required argument '%s' (pos %u)", name,
                   s->names[i]->str.data, i + 1);
  return true;
}

Value value_builtin(Tracer *t, const char *name, NativeFn *function, const char *signature, Value self)
{
  Builtin *builtin = arena_new(&t->arena, Builtin);
  *builtin = (Builtin){.name = name, .function = function, .signature = native_signature(t, signature), .self = self};
  return (Value){.tag = VALUE_BUILTIN, .builtin = builtin};
}

bool call_builtin(Tracer *t, const Builtin *builtin, const Call *call, Value *out)
{
  Call inner = *call;
  inner.self = builtin->self;
  if (builtin->is_method && !value_is_set(inner.self)) {
    if (call->positional == 0)
      return RAISE(t, E_ARGUMENTS, call->span, "unbound method %s() needs an argument", builtin->name);
    inner.self = call->args[0];
    inner.args++;
    inner.positional--;
  }
  if (builtin->is_method && builtin->owner && builtin->owner->construct && builtin->owner->holds != VALUE_UNDEFINED) {
    inner.self = value_unwrap(inner.self);
    if (inner.self.tag != (uint32_t)builtin->owner->holds &&
        !class_is_subclass(value_class_of(t, inner.self), builtin->owner))
      return RAISE(t, E_TYPE, call->span, "descriptor '%s' for '%s' objects doesn't apply to a '%s' object",
                   builtin->name, builtin->owner->name->str.data, value_type_name(t, inner.self));
  }
  if (!builtin->signature)
    return builtin->function(t, &inner, out);
  Value bound[32];
  if (!native_bind(t, builtin->name, builtin->signature, &inner, bound))
    return false;
  inner.args = bound;
  inner.positional = builtin->signature->count;
  inner.keyword_count = 0;
  return builtin->function(t, &inner, out);
}

// ---- functions written in Python

Value function_new(Tracer *t, Frame *frame, const FunctionCode *code, Span span, const Ast_arguments *args)
{
  Function *function = arena_new(&t->arena, Function);
  *function = (Function){.code = code, .name = code->name, .qualname = code->qualname, .module = frame->module,
                         .span = span};
  function->default_count = args->defaults.count;
  function->defaults = arena_array(&t->arena, Value, args->defaults.count);
  for (uint32_t i = 0; i < args->defaults.count; i++)
    if (!eval_expr(t, frame, args->defaults.items[i], &function->defaults[i]))
      return value_undefined();
  function->keyword_defaults = arena_array(&t->arena, Value, code->keyword_only);
  for (uint32_t i = 0; i < code->keyword_only; i++)
    if (args->kw_defaults.items[i] &&
        !eval_expr(t, frame, args->kw_defaults.items[i], &function->keyword_defaults[i]))
      return value_undefined();
  function->cells = arena_array(&t->arena, Cell *, code->free_count);
  for (uint32_t i = 0; i < code->free_count; i++) {
    Value *place = &frame->slots[code->frees[i].outer_slot];
    if (place->tag != VALUE_CELL)
      *place = (Value){.tag = VALUE_CELL, .cell = arena_new(&t->arena, Cell)};
    function->cells[i] = place->cell;
  }
  return (Value){.tag = VALUE_FUNCTION, .function = function};
}

static bool finish_generator(Tracer *t, Frame *frame, Span span, Value *out)
{
  Value list = {.tag = VALUE_LIST, .list = frame->yielded};
  if (!op_iterate(t, list, span, out))
    return false;
  out->iterator->name = "generator";
  return true;
}

bool run_function(Tracer *t, Function *function, Value *slots, Span span, Value *out)
{
  const FunctionCode *code = function->code;
  if (!check_stack(t, span))
    return false;
  Frame frame = {.caller = t->frame, .code = code, .function = function, .module = function->module, .slots = slots,
                 .call_span = span, .id = ++t->frame_count};
  for (uint32_t i = 0; i < code->cell_count; i++) {
    Cell *cell = arena_new(&t->arena, Cell);
    cell->value = slots[code->cells[i]];
    slots[code->cells[i]] = (Value){.tag = VALUE_CELL, .cell = cell};
  }
  for (uint32_t i = 0; i < code->free_count; i++)
    slots[code->frees[i].slot] = (Value){.tag = VALUE_CELL, .cell = function->cells[i]};
  if (code->is_generator)
    frame.yielded = arena_new(&t->arena, List);
  Span here = t->here;
  t->frame = &frame;
  t->depth++;
  bool ok = count_step(t, span);
  if (ok && code->kind == CODE_LAMBDA) {
    ok = eval_expr(t, &frame, code->lambda_body, out);
  } else if (ok) {
    Completion how = eval_block(t, &frame, &code->body);
    ok = how != COMPLETION_ERROR;
    if (ok)
      *out = how == COMPLETION_RETURN ? frame.result : value_none();
  }
  if (ok && code->is_generator)
    ok = finish_generator(t, &frame, span, out);
  t->depth--;
  t->frame = frame.caller;
  t->here = here;
  return ok;
}

static uint32_t parameter_count(const FunctionCode *code)
{
  return code->positional + code->keyword_only;
}

// `parameter`: the one that is missing or not known; NULL: the number of arguments is wrong.
static void add_definition(Tracer *t, Diag *diag, const Function *function, const Name *parameter)
{
  if (parameter && module_is_library(function->module))
    nki_explain_call(diag, parameter->str);
  StrBuf text = strbuf_new(&t->arena);
  const FunctionCode *code = function->code;
  for (uint32_t i = 0; i < parameter_count(code); i++) {
    bool optional = i < code->positional ? i + function->default_count >= code->positional
                                         : value_is_set(function->keyword_defaults[i - code->positional]);
    strbuf_printf(&text, "%s%s%s%s", i ? ", " : "", i == code->positional ? "*, " : "",
                  code->slot_names[i]->str.data, optional ? "=..." : "");
  }
  Span head = function->span;
  if (head.end - head.start > 200)
    head.end = head.start;
  if (!span_is_none(head))
    diag_label(diag, (Span){head.source, head.start, head.start + 3}, "defined here with the parameters (%s)",
               strbuf_cstr(&text) ? strbuf_cstr(&text) : "");
}

// Raises Python's message for parameters that got no argument.
static bool missing_arguments(Tracer *t, Function *function, const Value *slots, Span span)
{
  const FunctionCode *code = function->code;
  for (int pass = 0; pass < 2; pass++) {
    uint32_t first = pass ? code->positional : 0, last = pass ? parameter_count(code) : code->positional;
    uint32_t missing[64], count = 0;
    for (uint32_t i = first; i < last && count < 64; i++)
      if (!value_is_set(slots[i]))
        missing[count++] = i;
    if (!count)
      continue;
    StrBuf names = strbuf_new(&t->arena);
    for (uint32_t i = 0; i < count; i++)
      strbuf_printf(&names, "%s'%s'", i == 0 ? "" : i + 1 < count ? ", " : count == 2 ? " and " : ", and ",
                    code->slot_names[missing[i]]->str.data);
    Diag *diag = raise_error(t, E_ARGUMENTS, span, "%s() missing %u required %s argument%s: %s", function->qualname,
                             count, pass ? "keyword-only" : "positional", count == 1 ? "" : "s", strbuf_cstr(&names));
    add_definition(t, diag, function, code->slot_names[missing[0]]);
    return false;
  }
  return true;
}

static bool fill_defaults(Tracer *t, Function *function, Value *slots, Span span)
{
  const FunctionCode *code = function->code;
  bool missing = false;
  uint32_t first_default = code->positional - function->default_count;
  for (uint32_t i = 0; i < code->positional; i++) {
    if (value_is_set(slots[i]))
      continue;
    if (i >= first_default)
      slots[i] = function->defaults[i - first_default];
    else
      missing = true;
  }
  for (uint32_t i = 0; i < code->keyword_only; i++) {
    Value *slot = &slots[code->positional + i];
    if (!value_is_set(*slot))
      *slot = function->keyword_defaults[i];
    missing |= !value_is_set(*slot);
  }
  return !missing || missing_arguments(t, function, slots, span);
}

static bool too_many(Tracer *t, Function *function, uint32_t given, Span span)
{
  const FunctionCode *code = function->code;
  uint32_t least = code->positional - function->default_count;
  Diag *diag;
  if (function->default_count)
    diag = raise_error(t, E_ARGUMENTS, span, "%s() takes from %u to %u positional arguments but %u %s given",
                       function->qualname, least, code->positional, given, given == 1 ? "was" : "were");
  else
    diag = raise_error(t, E_ARGUMENTS, span, "%s() takes %u positional argument%s but %u %s given", function->qualname,
                       code->positional, code->positional == 1 ? "" : "s", given, given == 1 ? "was" : "were");
  add_definition(t, diag, function, NULL);
  return false;
}

static bool bind_keyword(Tracer *t, Function *function, const Call *call, const Name *keyword, Value value, Value *slots)
{
  const FunctionCode *code = function->code;
  for (uint32_t i = code->positional_only; i < parameter_count(code); i++) {
    if (code->slot_names[i] != keyword)
      continue;
    if (value_is_set(slots[i]))
      return RAISE(t, E_ARGUMENTS, keyword_span(call, keyword), "%s() got multiple values for argument '%s'",
                   function->qualname, keyword->str.data);
    slots[i] = value;
    return true;
  }
  if (code->keyword_rest_slot >= 0)
    return dict_set(t, slots[code->keyword_rest_slot].dict, value_name(t, keyword), value);
  for (uint32_t i = 0; i < code->positional_only; i++)
    if (code->slot_names[i] == keyword)
      return RAISE(t, E_ARGUMENTS, keyword_span(call, keyword),
                   "%s() got some positional-only arguments passed as keyword arguments: '%s'", function->qualname,
                   keyword->str.data);
  Diag *diag = unknown_keyword(t, function->qualname, keyword, code->slot_names, parameter_count(code),
                               keyword_span(call, keyword));
  add_definition(t, diag, function, keyword);
  return false;
}

// `first`: the object a method is bound to, UNDEFINED for a plain function.
static bool call_with_self(Tracer *t, Function *function, Value first, const Call *call, Value *out)
{
  const FunctionCode *code = function->code;
  Value *slots = stack_reserve(t, code->slot_count, call->span);
  if (!slots)
    return false;
  uint32_t shift = value_is_set(first), given = call->positional + shift;
  for (uint32_t i = 0; i < given && i < code->positional; i++)
    slots[i] = i < shift ? first : call->args[i - shift];
  bool ok = true;
  if (code->rest_slot >= 0) {
    uint32_t extra = given > code->positional ? given - code->positional : 0;
    slots[code->rest_slot] = value_tuple(t, NULL, extra);
    for (uint32_t i = 0; i < extra; i++) {
      uint32_t at = code->positional + i;
      slots[code->rest_slot].tuple->items[i] = at < shift ? first : call->args[at - shift];
    }
  } else if (given > code->positional) {
    ok = too_many(t, function, given, call->span);
  }
  if (code->keyword_rest_slot >= 0)
    slots[code->keyword_rest_slot] = value_dict(t);
  for (uint32_t k = 0; ok && k < call->keyword_count; k++)
    ok = bind_keyword(t, function, call, call->keywords[k], call->args[call->positional + k], slots);
  ok = ok && fill_defaults(t, function, slots, call->span) && run_function(t, function, slots, call->span, out);
  stack_release(t, slots);
  return ok;
}

bool call_function(Tracer *t, Function *function, const Call *call, Value *out)
{
  return call_with_self(t, function, value_undefined(), call, out);
}

// ---- calling anything

static bool call_with_first(Tracer *t, Value callee, Value first, const Call *call, Value *out)
{
  if (callee.tag == VALUE_FUNCTION)
    return call_with_self(t, callee.function, first, call, out);
  uint32_t total = call->positional + call->keyword_count;
  Value *args = stack_reserve(t, total + 1, call->span);
  if (!args)
    return false;
  args[0] = first;
  if (total)
    memcpy(args + 1, call->args, total * sizeof *args);
  Call inner = *call;
  inner.args = args;
  inner.positional++;
  bool ok = call_value(t, callee, &inner, out);
  stack_release(t, args);
  return ok;
}

bool call_value(Tracer *t, Value callee, const Call *call, Value *out)
{
  switch ((ValueTag)callee.tag) {
  case VALUE_FUNCTION: return call_function(t, callee.function, call, out);
  case VALUE_METHOD: return call_with_first(t, callee.method->function, callee.method->self, call, out);
  case VALUE_BUILTIN: return call_builtin(t, callee.builtin, call, out);
  case VALUE_CLASS: return class_call(t, callee.class, call, out);
  case VALUE_INSTANCE: {
    Value *special = instance_special(callee, t->builtins->__call__);
    if (special)
      return call_with_first(t, *special, callee, call, out);
    break;
  }
  case VALUE_OPAQUE:
    if (!is_module_level(t))
      return raise_opaque(t, callee, call->span, "called");
    *out = callee;
    return true;
  case VALUE_TENSOR:
  case VALUE_REGISTER:
  case VALUE_DTYPE:
  case VALUE_OBJECT:
    if (callee.object->type->call) {
      Outcome outcome = callee.object->type->call(t, callee, call, out);
      if (outcome != OUTCOME_MISSING)
        return outcome == OUTCOME_OK;
    }
    break;
  default: break;
  }
  return RAISE(t, E_NOT_CALLABLE, call->span, "'%s' object is not callable", value_type_name(t, callee));
}

bool call_simple(Tracer *t, Value callee, const Value *args, uint32_t count, Span span, Value *out)
{
  Call call = {.args = args, .positional = count, .span = span};
  return call_value(t, callee, &call, out);
}

Outcome call_method(Tracer *t, Value self, const char *name, const Value *args, uint32_t count, Span span, Value *out)
{
  Value method;
  Outcome found = op_find_attr(t, self, tracer_name(t, name), span, &method);
  if (found != OUTCOME_OK)
    return found;
  return call_simple(t, method, args, count, span, out) ? OUTCOME_OK : OUTCOME_ERROR;
}

// ---- call expressions

// How the arguments of one call expression go into the slots of the function it called last.
typedef struct CallSite {
  const Name **keywords;
  bool plain;                // no stars
  const FunctionCode *code;  // the function the maps are for
  uint32_t shift;            // 1: called as a method
  uint16_t *slots;           // of each argument, self excluded
  const NativeType *native;  // the type whose method was called last
  Builtin method;            // that method, without its object
} CallSite;

static CallSite *call_site(Tracer *t, const Expr *expr)
{
  if (expr->cache)
    return expr->cache;
  CallSite *site = arena_new(&t->arena, CallSite);
  site->plain = true;
  for (uint32_t i = 0; i < expr->Call.args.count; i++)
    site->plain &= expr->Call.args.items[i]->kind != EXPR_Starred;
  site->keywords = arena_array(&t->arena, const Name *, expr->Call.keywords.count);
  for (uint32_t i = 0; i < expr->Call.keywords.count; i++) {
    site->keywords[i] = expr->Call.keywords.items[i]->arg;
    site->plain &= site->keywords[i] != NULL;
  }
  site->slots = arena_array(&t->arena, uint16_t, expr->Call.args.count + expr->Call.keywords.count);
  ((Expr *)expr)->cache = site;
  return site;
}

// Maps arguments to slots when the call fits the function without *args or **kwargs; false: bind step by step.
static bool map_site(const FunctionCode *code, const Expr *expr, CallSite *site, uint32_t shift)
{
  uint32_t positional = expr->Call.args.count;
  site->code = NULL;
  if (code->rest_slot >= 0 || code->keyword_rest_slot >= 0 || positional + shift > code->positional)
    return false;
  for (uint32_t i = 0; i < positional; i++)
    site->slots[i] = (uint16_t)(i + shift);
  for (uint32_t k = 0; k < expr->Call.keywords.count; k++) {
    uint32_t slot = code->positional_only;
    while (slot < parameter_count(code) && code->slot_names[slot] != site->keywords[k])
      slot++;
    if (slot == parameter_count(code) || slot < positional + shift)
      return false;
    for (uint32_t other = 0; other < k; other++)
      if (site->slots[positional + other] == slot)
        return false;
    site->slots[positional + k] = (uint16_t)slot;
  }
  site->code = code;
  site->shift = shift;
  return true;
}

static bool call_mapped(Tracer *t, Frame *frame, Function *function, Value self, const Expr *expr, const CallSite *site,
                        Value *out)
{
  Value *slots = stack_reserve(t, function->code->slot_count, expr->span);
  if (!slots)
    return false;
  if (value_is_set(self))
    slots[0] = self;
  bool ok = true;
  uint32_t positional = expr->Call.args.count;
  const uint16_t *map = site->slots;
  for (uint32_t i = 0; ok && i < positional; i++)
    ok = eval_expr(t, frame, expr->Call.args.items[i], &slots[map[i]]);
  for (uint32_t k = 0; ok && k < expr->Call.keywords.count; k++)
    ok = eval_expr(t, frame, expr->Call.keywords.items[k]->value, &slots[map[positional + k]]);
  ok = ok && fill_defaults(t, function, slots, expr->span) && run_function(t, function, slots, expr->span, out);
  stack_release(t, slots);
  return ok;
}

// Evaluates the arguments onto the value stack: `self` first when it is set.
static bool call_plain(Tracer *t, Frame *frame, Value callee, Value self, const Expr *expr, const CallSite *site,
                       Value *out)
{
  uint32_t positional = expr->Call.args.count, keywords = expr->Call.keywords.count, shift = value_is_set(self);
  Value *args = stack_reserve(t, positional + keywords + shift, expr->span);
  if (!args)
    return false;
  if (shift)
    args[0] = self;
  bool ok = true;
  for (uint32_t i = 0; ok && i < positional; i++)
    ok = eval_expr(t, frame, expr->Call.args.items[i], &args[shift + i]);
  for (uint32_t k = 0; ok && k < keywords; k++)
    ok = eval_expr(t, frame, expr->Call.keywords.items[k]->value, &args[shift + positional + k]);
  if (ok) {
    Call call = {.args = args, .positional = positional + shift, .keyword_count = keywords, .keywords = site->keywords,
                 .span = expr->span, .expr = expr};
    ok = call_value(t, callee, &call, out);
  }
  stack_release(t, args);
  return ok;
}

static bool spread_keywords(Tracer *t, Value mapping, const Expr *at, List *values, const Name ***names, size_t *count)
{
  Value dict = value_unwrap(mapping);
  if (dict.tag != VALUE_DICT)
    return RAISE(t, E_TYPE, at->span, "argument after ** must be a mapping, not %s", value_type_name(t, mapping));
  for (uint32_t i = 0; i < dict.dict->used; i++) {
    Value key = dict.dict->entries[i].key;
    if (!value_is_set(key))
      continue;
    if (key.tag != VALUE_STR)
      return RAISE(t, E_TYPE, at->span, "keywords must be strings");
    const Name *name = string_name(t, key.string);
    for (size_t k = 0; k < *count; k++)
      if ((*names)[k] == name)
        return RAISE(t, E_ARGUMENTS, at->span, "got multiple values for keyword argument '%s'", name->str.data);
    *names = arena_grow(&t->arena, *names, *count * sizeof **names, (*count + 1) * sizeof **names);
    (*names)[(*count)++] = name;
    list_push(t, values, dict.dict->entries[i].value);
  }
  return true;
}

static bool call_with_stars(Tracer *t, Frame *frame, Value callee, Value self, const Expr *expr, Value *out)
{
  warn_syntax(t, frame, expr->span, "a call with `*` or `**` arguments");
  List args = {0}, values = {0};
  const Name **names = NULL;
  size_t name_count = 0;
  Value value;
  if (value_is_set(self))
    list_push(t, &args, self);
  for (uint32_t i = 0; i < expr->Call.args.count; i++) {
    const Expr *arg = expr->Call.args.items[i];
    bool star = arg->kind == EXPR_Starred;
    if (!eval_expr(t, frame, star ? arg->Starred.value : arg, &value))
      return false;
    if (!star)
      list_push(t, &args, value);
    else if (!op_collect(t, value, arg->span, &args))
      return false;
  }
  for (uint32_t i = 0; i < expr->Call.keywords.count; i++) {
    const Ast_keyword *keyword = expr->Call.keywords.items[i];
    if (!eval_expr(t, frame, keyword->value, &value))
      return false;
    if (!keyword->arg) {
      if (!spread_keywords(t, value, keyword->value, &values, &names, &name_count))
        return false;
      continue;
    }
    for (size_t k = 0; k < name_count; k++)
      if (names[k] == keyword->arg)
        return RAISE(t, E_ARGUMENTS, keyword->span, "got multiple values for keyword argument '%s'",
                     keyword->arg->str.data);
    names = arena_grow(&t->arena, names, name_count * sizeof *names, (name_count + 1) * sizeof *names);
    names[name_count++] = keyword->arg;
    list_push(t, &values, value);
  }
  uint32_t positional = (uint32_t)args.count;
  for (size_t i = 0; i < values.count; i++)
    list_push(t, &args, values.items[i]);
  Call call = {.args = args.items, .positional = positional, .keyword_count = (uint32_t)name_count, .keywords = names,
               .span = expr->span, .expr = expr};
  return call_value(t, callee, &call, out);
}

// `super()` without arguments: the class whose body the running method stands in, and the method's first argument.
static bool super_here(Tracer *t, Frame *frame, const Expr *expr, Value *out)
{
  Function *function = frame->function;
  if (!function || !function->owner || frame->code->positional + (frame->code->rest_slot >= 0) == 0)
    return RAISE(t, E_RUNTIME, expr->span, "super(): no arguments");
  Value self = frame->slots[0];
  if (self.tag == VALUE_CELL)
    self = self.cell->value;
  Value args[2] = {value_class(function->owner), self};
  return call_simple(t, value_class(t->builtins->class_super), args, 2, expr->span, out);
}

// The callee of `object.name(...)`: a method found in the class is not bound first. MISSING: use the attribute.
static Outcome find_method(Tracer *t, Value object, const Name *name, Value *callee)
{
  switch ((ValueTag)object.tag) {
  case VALUE_INSTANCE: {
    if (attr_find(&object.instance->attrs, name))
      return OUTCOME_MISSING;
    Value *found = class_find(object.instance->class, name);
    if (!found || (found->tag != VALUE_FUNCTION && !(found->tag == VALUE_BUILTIN && found->builtin->is_method)))
      return OUTCOME_MISSING;
    *callee = *found;
    return OUTCOME_OK;
  }
  case VALUE_STR:
  case VALUE_LIST:
  case VALUE_DICT:
  case VALUE_TUPLE:
  case VALUE_SET: {
    Value *found = class_find(value_class_of(t, object), name);
    if (!found || found->tag != VALUE_BUILTIN)
      return OUTCOME_MISSING;
    *callee = *found;
    return OUTCOME_OK;
  }
  default: return OUTCOME_MISSING;
  }
}

// Finds a method in a native object's table and keeps it at the call site. False: there is none of that name.
static bool native_method(Tracer *t, Value object, const Name *name, CallSite *site)
{
  if (site->native == object.object->type)
    return true;
  for (const NativeMethod *method = object.object->type->methods; method && method->name; method++) {
    if (!str_is(name->str, method->name))
      continue;
    site->native = object.object->type;
    site->method = (Builtin){.name = method->name, .function = method->function,
                             .signature = native_signature(t, method->signature)};
    return true;
  }
  return false;
}

// Calls it without binding it first.
static bool call_native_method(Tracer *t, Frame *frame, Value object, const Expr *expr, const CallSite *site, Value *out)
{
  Builtin builtin = site->method;
  builtin.self = object;
  Value callee = {.tag = VALUE_BUILTIN, .builtin = &builtin};
  return site->plain ? call_plain(t, frame, callee, value_undefined(), expr, site, out)
                     : call_with_stars(t, frame, callee, value_undefined(), expr, out);
}

bool eval_call(Tracer *t, Frame *frame, const Expr *expr, Value *out)
{
  CallSite *site = call_site(t, expr);
  const Expr *func = expr->Call.func;
  Value callee, self = value_undefined();
  if (func->kind == EXPR_Attribute) {
    Value object;
    if (!eval_expr(t, frame, func->Attribute.value, &object))
      return false;
    if (value_is_native(object) && native_method(t, object, func->Attribute.attr, site))
      return call_native_method(t, frame, object, expr, site, out);
    const Value *own = object.tag == VALUE_MODULE ? module_value(object.module, func) : NULL;
    if (own)
      callee = *own;
    else if (find_method(t, object, func->Attribute.attr, &callee) == OUTCOME_OK)
      self = object;
    else if (!op_getattr(t, object, func->Attribute.attr, func->span, &callee))
      return false;
  } else if (!eval_expr(t, frame, func, &callee)) {
    return false;
  }
  if (callee.tag == VALUE_METHOD) {
    self = callee.method->self;
    callee = callee.method->function;
  }
  if (callee.tag == VALUE_CLASS && callee.class == t->builtins->class_super && expr->Call.args.count == 0)
    return super_here(t, frame, expr, out);
  if (!site->plain)
    return call_with_stars(t, frame, callee, self, expr, out);
  if (callee.tag == VALUE_FUNCTION) {
    uint32_t shift = value_is_set(self);
    if ((site->code == callee.function->code && site->shift == shift) ||
        map_site(callee.function->code, expr, site, shift))
      return call_mapped(t, frame, callee.function, self, expr, site, out);
  }
  return call_plain(t, frame, callee, self, expr, site, out);
}
