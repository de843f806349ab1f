// control.c -- exceptions, `with`, `match`.

#include "trace/eval_internal.h"
#include "trace/number.h"

#include <string.h>

// ---- raise

bool eval_raise(Tracer *t, Frame *frame, const Stmt *stmt)
{
  Value value;
  if (!stmt->Raise.exc) {
    if (t->handled.count == 0)
      return RAISE(t, E_RUNTIME, stmt->span, "No active exception to reraise");
    return raise_value(t, t->handled.items[t->handled.count - 1], stmt->span);
  }
  if (!eval_expr(t, frame, stmt->Raise.exc, &value))
    return false;
  if (value.tag == VALUE_CLASS && (value.class->flags & CLASS_EXCEPTION) &&
      !call_simple(t, value, NULL, 0, stmt->Raise.exc->span, &value))
    return false;
  if (value.tag == VALUE_OPAQUE) {
    // An exception of a library that is not there.
    Value text = value_cstr(t, value.opaque->path);
    value = exception_new(t, t->builtins->class_Exception, &text, 1);
  }
  if (value.tag != VALUE_INSTANCE || !(value.instance->class->flags & CLASS_EXCEPTION))
    return RAISE(t, E_TYPE, stmt->span, "exceptions must derive from BaseException");
  if (stmt->Raise.cause) {
    Value cause;
    if (!eval_expr(t, frame, stmt->Raise.cause, &cause))
      return false;
    attr_set(&t->arena, &value.instance->attrs, t->builtins->__cause__, cause);
  }
  return raise_value(t, value, stmt->span);
}

// ---- try

static bool handler_matches(Tracer *t, Value exception, Value type, Span span, bool *out)
{
  const Value *items;
  size_t count;
  if (type.tag == VALUE_TUPLE && value_sequence(type, &items, &count)) {
    for (*out = false; count-- > 0 && !*out; items++)
      if (!handler_matches(t, exception, *items, span, out))
        return false;
    return true;
  }
  if (type.tag == VALUE_OPAQUE) {
    *out = false;
    return true;
  }
  if (type.tag != VALUE_CLASS || !(type.class->flags & CLASS_EXCEPTION))
    return RAISE(t, E_TYPE, span, "catching classes that do not inherit from BaseException is not allowed");
  *out = class_is_subclass(exception.instance->class, type.class);
  return true;
}

static Completion run_handler(Tracer *t, Frame *frame, const Ast_ExceptHandler *handler, Value exception)
{
  vec_push(&t->arena, &t->handled, exception);
  size_t depth = t->handled.count;
  Completion how = COMPLETION_ERROR;
  if (!handler->name || bind_name(t, frame, handler->name, exception, handler->span))
    how = eval_block(t, frame, &handler->body);
  t->handled.count = depth - 1;
  if (handler->name)
    bind_name(t, frame, handler->name, value_undefined(), handler->span);
  return how;
}

// Runs the first handler that takes the exception being raised; *handled: there was one.
static Completion handle(Tracer *t, Frame *frame, const Stmt *stmt)
{
  for (uint32_t i = 0; i < stmt->Try.handlers.count; i++) {
    const Ast_ExceptHandler *handler = stmt->Try.handlers.items[i];
    Value exception = t->exception;
    bool matches = true;
    if (handler->type) {
      Diag *pending = exception.instance->diag;
      t->exception = value_undefined();
      Value type;
      bool ok = eval_expr(t, frame, handler->type, &type) &&
                handler_matches(t, exception, type, handler->type->span, &matches);
      if (!ok)
        return COMPLETION_ERROR;
      t->exception = exception;
      exception.instance->diag = pending;
    }
    if (matches) {
      catch_exception(t);
      return run_handler(t, frame, handler, exception);
    }
  }
  return COMPLETION_ERROR;
}

Completion eval_try(Tracer *t, Frame *frame, const Stmt *stmt)
{
  LoopMark *loop = frame->loop;
  Value *stack_top = t->stack_top;
  bool guards_import = stmt->Try.handlers.count > 0;
  t->import_guards += guards_import;
  Completion how = eval_block(t, frame, &stmt->Try.body);
  t->import_guards -= guards_import;
  if (how == COMPLETION_ERROR && t->exception.tag == VALUE_INSTANCE && !t->exception.extra) {
    frame->loop = loop;
    t->stack_top = stack_top;
    how = handle(t, frame, stmt);
  } else if (how == COMPLETION_NORMAL) {
    how = eval_block(t, frame, &stmt->Try.orelse);
  }
  if (stmt->Try.finalbody.count == 0)
    return how;
  Value pending = t->exception, result = frame->result;
  t->exception = value_undefined();
  Completion final = eval_block(t, frame, &stmt->Try.finalbody);
  if (final != COMPLETION_NORMAL) {
    if (value_is_set(pending)) {
      Value raised = t->exception;
      t->exception = pending;
      catch_exception(t);
      t->exception = raised;
    }
    return final;
  }
  t->exception = pending;
  frame->result = result;
  return how;
}

// ---- with

static Completion with_item(Tracer *t, Frame *frame, const Stmt *stmt, uint32_t index);

static Completion with_instance(Tracer *t, Frame *frame, const Stmt *stmt, uint32_t index, Value manager)
{
  const Ast_withitem *item = stmt->With.items.items[index];
  Value entered, result;
  Outcome outcome = call_special(t, manager, t->builtins->__enter__, NULL, 0, item->context_expr->span, &entered);
  if (outcome == OUTCOME_MISSING) {
    raise_error(t, E_TYPE, item->context_expr->span, "'%s' object does not support the context manager protocol",
                value_type_name(t, manager));
    return COMPLETION_ERROR;
  }
  if (outcome == OUTCOME_ERROR)
    return COMPLETION_ERROR;
  LoopMark *loop = frame->loop;
  Value *stack_top = t->stack_top;
  Completion how = COMPLETION_ERROR;
  if (!item->optional_vars || eval_assign(t, frame, item->optional_vars, entered))
    how = with_item(t, frame, stmt, index + 1);
  Value args[3] = {value_none(), value_none(), value_none()};
  bool failed = how == COMPLETION_ERROR && t->exception.tag == VALUE_INSTANCE && !t->exception.extra;
  Value exception = t->exception, returned = frame->result;
  if (failed) {
    frame->loop = loop;
    t->stack_top = stack_top;
    args[0] = value_class(exception.instance->class);
    args[1] = exception;
    t->exception = value_undefined();
  }
  outcome = call_special(t, manager, t->builtins->__exit__, args, 3, item->context_expr->span, &result);
  if (outcome == OUTCOME_ERROR)
    return COMPLETION_ERROR;
  frame->result = returned;
  if (!failed)
    return how;
  bool swallow = false;
  if (outcome == OUTCOME_OK && !op_truth(t, result, item->context_expr->span, &swallow))
    return COMPLETION_ERROR;
  t->exception = exception;
  if (!swallow)
    return COMPLETION_ERROR;
  catch_exception(t);
  return COMPLETION_NORMAL;
}

static Completion with_item(Tracer *t, Frame *frame, const Stmt *stmt, uint32_t index)
{
  if (index == stmt->With.items.count)
    return eval_block(t, frame, &stmt->With.body);
  const Ast_withitem *item = stmt->With.items.items[index];
  Value manager, entered;
  if (!eval_expr(t, frame, item->context_expr, &manager))
    return COMPLETION_ERROR;
  Span span = item->context_expr->span;
  if (manager.tag == VALUE_OPAQUE) {
    raise_opaque(t, manager, span, "entered");
    return COMPLETION_ERROR;
  }
  if (!value_is_native(manager) || !manager.object->type->enter) {
    warn_syntax(t, frame, stmt->span, "`with` on an object of one's own");
    return with_instance(t, frame, stmt, index, manager);
  }
  if (manager.object->type->enter(t, manager, span, &entered) != OUTCOME_OK)
    return COMPLETION_ERROR;
  Completion how = COMPLETION_ERROR;
  if (!item->optional_vars || eval_assign(t, frame, item->optional_vars, entered))
    how = with_item(t, frame, stmt, index + 1);
  if (manager.object->type->exit && manager.object->type->exit(t, manager, span) == OUTCOME_ERROR)
    return COMPLETION_ERROR;
  return how;
}

Completion eval_with(Tracer *t, Frame *frame, const Stmt *stmt)
{
  return with_item(t, frame, stmt, 0);
}

// ---- match

static bool match_pattern(Tracer *t, Frame *frame, const Pattern *pattern, Value subject, bool *out);

static bool match_sequence(Tracer *t, Frame *frame, PatternList patterns, Value subject, bool *out)
{
  const Value *items;
  size_t count;
  *out = false;
  if (!value_sequence(subject, &items, &count))
    return true;
  int64_t star = -1;
  for (uint32_t i = 0; i < patterns.count; i++)
    if (patterns.items[i]->kind == PATTERN_MatchStar)
      star = i;
  if (star < 0 ? count != patterns.count : count + 1 < patterns.count)
    return true;
  size_t rest = star < 0 ? 0 : count + 1 - patterns.count, at = 0;
  for (uint32_t i = 0; i < patterns.count; i++) {
    if (i == star) {
      const Name *name = patterns.items[i]->MatchStar.name;
      if (name && !bind_name(t, frame, name, value_list(t, rest ? items + at : NULL, rest), patterns.items[i]->span))
        return false;
      at += rest;
      continue;
    }
    if (!match_pattern(t, frame, patterns.items[i], items[at++], out))
      return false;
    if (!*out)
      return true;
  }
  *out = true;
  return true;
}

static bool match_mapping(Tracer *t, Frame *frame, const Pattern *pattern, Value subject, bool *out)
{
  Value dict = value_unwrap(subject);
  *out = false;
  if (dict.tag != VALUE_DICT)
    return true;
  Value rest = value_dict(t);
  for (uint32_t i = 0; i < dict.dict->used; i++)
    if (value_is_set(dict.dict->entries[i].key) &&
        !dict_set(t, rest.dict, dict.dict->entries[i].key, dict.dict->entries[i].value))
      return false;
  for (uint32_t i = 0; i < pattern->MatchMapping.keys.count; i++) {
    Value key, value;
    if (!eval_expr(t, frame, pattern->MatchMapping.keys.items[i], &key))
      return false;
    Outcome found = dict_get(t, dict.dict, key, &value);
    if (found != OUTCOME_OK) {
      *out = false;
      return found == OUTCOME_MISSING;
    }
    if (!match_pattern(t, frame, pattern->MatchMapping.patterns.items[i], value, out))
      return false;
    if (!*out)
      return true;
    dict_delete(t, rest.dict, key);
  }
  *out = true;
  return !pattern->MatchMapping.rest || bind_name(t, frame, pattern->MatchMapping.rest, rest, pattern->span);
}

// The attribute that a positional pattern of a class stands for.
static const Name *match_arg(Tracer *t, Class *class, uint32_t index)
{
  Value *names = class_find(class, t->builtins->__match_args__);
  if (names && names->tag == VALUE_TUPLE && index < names->tuple->count && names->tuple->items[index].tag == VALUE_STR)
    return string_name(t, names->tuple->items[index].string);
  return index < class->fields.count ? class->fields.items[index].name : NULL;
}

static bool match_class(Tracer *t, Frame *frame, const Pattern *pattern, Value subject, bool *out)
{
  Value class;
  *out = false;
  if (!eval_expr(t, frame, pattern->MatchClass.cls, &class))
    return false;
  if (class.tag != VALUE_CLASS)
    return RAISE(t, E_TYPE, pattern->span, "called match pattern must be a class");
  if (!value_is_instance(t, subject, class.class))
    return true;
  for (uint32_t i = 0; i < pattern->MatchClass.patterns.count; i++) {
    Value part = subject;
    const Name *name = match_arg(t, class.class, i);
    if (name) {
      Outcome found = op_find_attr(t, subject, name, pattern->span, &part);
      if (found != OUTCOME_OK) {
        *out = false;
        return found == OUTCOME_MISSING;
      }
    } else if (!(class.class->flags & CLASS_BUILTIN) || i > 0) {
      return RAISE(t, E_TYPE, pattern->span, "%s() accepts %zu positional sub-patterns (%u given)",
                   class.class->name->str.data, class.class->fields.count, pattern->MatchClass.patterns.count);
    }
    if (!match_pattern(t, frame, pattern->MatchClass.patterns.items[i], part, out))
      return false;
    if (!*out)
      return true;
  }
  for (uint32_t i = 0; i < pattern->MatchClass.kwd_attrs.count; i++) {
    Value part;
    Outcome found = op_find_attr(t, subject, pattern->MatchClass.kwd_attrs.items[i], pattern->span, &part);
    *out = found == OUTCOME_OK;
    if (found != OUTCOME_OK)
      return found == OUTCOME_MISSING;
    if (!match_pattern(t, frame, pattern->MatchClass.kwd_patterns.items[i], part, out))
      return false;
    if (!*out)
      return true;
  }
  *out = true;
  return true;
}

static bool match_pattern(Tracer *t, Frame *frame, const Pattern *pattern, Value subject, bool *out)
{
  Value value;
  switch ((PatternKind)pattern->kind) {
  case PATTERN_MatchValue:
    return eval_expr(t, frame, pattern->MatchValue.value, &value) && op_equal(t, subject, value, pattern->span, out);
  case PATTERN_MatchSingleton: {
    ConstantKind kind = pattern->MatchSingleton.value.kind;
    value = kind == CONSTANT_NONE ? value_none() : value_bool(kind == CONSTANT_TRUE);
    *out = op_is(subject, value);
    return true;
  }
  case PATTERN_MatchSequence: return match_sequence(t, frame, pattern->MatchSequence.patterns, subject, out);
  case PATTERN_MatchMapping: return match_mapping(t, frame, pattern, subject, out);
  case PATTERN_MatchClass: return match_class(t, frame, pattern, subject, out);
  case PATTERN_MatchStar: *out = false; return true;
  case PATTERN_MatchAs:
    *out = true;
    if (pattern->MatchAs.pattern && !match_pattern(t, frame, pattern->MatchAs.pattern, subject, out))
      return false;
    if (!*out || !pattern->MatchAs.name)
      return true;
    return bind_name(t, frame, pattern->MatchAs.name, subject, pattern->span);
  case PATTERN_MatchOr:
    *out = false;
    for (uint32_t i = 0; i < pattern->MatchOr.patterns.count && !*out; i++)
      if (!match_pattern(t, frame, pattern->MatchOr.patterns.items[i], subject, out))
        return false;
    return true;
  case PATTERN_KIND_COUNT: break;
  }
  return false;
}

Completion eval_match(Tracer *t, Frame *frame, const Stmt *stmt)
{
  Value subject;
  if (!eval_expr(t, frame, stmt->Match.subject, &subject))
    return COMPLETION_ERROR;
  for (uint32_t i = 0; i < stmt->Match.cases.count; i++) {
    const Ast_match_case *match = stmt->Match.cases.items[i];
    bool matches, guard = true;
    if (!match_pattern(t, frame, match->pattern, subject, &matches))
      return COMPLETION_ERROR;
    if (matches && match->guard && !eval_truth(t, frame, match->guard, &guard))
      return COMPLETION_ERROR;
    if (matches && guard)
      return eval_block(t, frame, &match->body);
  }
  return COMPLETION_NORMAL;
}
