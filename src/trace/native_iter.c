// native_iter.c -- modules functools, itertools, operator and collections.

#include "trace/class_kinds.h"
#include "trace/eval_internal.h"
#include "trace/methods.h"
#include "trace/natives.h"
#include "trace/number.h"

#include <string.h>

#define ARG(i) (call->args[i])
#define HAS(i) (value_is_set(call->args[i]))

static bool identity(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  *out = ARG(0);
  return true;
}

// ---- functools

typedef struct Partial {
  NativeObject head;
  Value function;
  Value *args;
  const Name **names;
  uint32_t positional, keyword_count;
} Partial;

static Outcome partial_call(Tracer *t, Value self, const Call *call, Value *out)
{
  const Partial *p = (const Partial *)self.object;
  List values = {0};
  const Name **names = arena_array(&t->arena, const Name *, p->keyword_count + call->keyword_count);
  uint32_t name_count = 0;
  for (uint32_t i = 0; i < p->positional; i++)
    list_push(t, &values, p->args[i]);
  for (uint32_t i = 0; i < call->positional; i++)
    list_push(t, &values, call->args[i]);
  for (uint32_t i = 0; i < p->keyword_count; i++) {
    bool replaced = false;
    for (uint32_t k = 0; k < call->keyword_count; k++)
      replaced |= call->keywords[k] == p->names[i];
    if (replaced)
      continue;
    names[name_count++] = p->names[i];
    list_push(t, &values, p->args[p->positional + i]);
  }
  for (uint32_t k = 0; k < call->keyword_count; k++) {
    names[name_count++] = call->keywords[k];
    list_push(t, &values, call->args[call->positional + k]);
  }
  Call inner = {.args = values.items, .positional = p->positional + call->positional, .keyword_count = name_count,
                .keywords = names, .span = call->span};
  return call_value(t, p->function, &inner, out) ? OUTCOME_OK : OUTCOME_ERROR;
}

static Outcome partial_getattr(Tracer *t, Value self, const Name *name, Span span, Value *out)
{
  const Partial *p = (const Partial *)self.object;
  (void)span;
  if (str_is(name->str, "func")) {
    *out = p->function;
    return OUTCOME_OK;
  }
  if (str_is(name->str, "args")) {
    *out = value_tuple(t, p->args, p->positional);
    return OUTCOME_OK;
  }
  if (str_is(name->str, "keywords")) {
    *out = value_dict(t);
    for (uint32_t i = 0; i < p->keyword_count; i++)
      if (!dict_set(t, out->dict, value_name(t, p->names[i]), p->args[p->positional + i]))
        return OUTCOME_ERROR;
    return OUTCOME_OK;
  }
  return OUTCOME_MISSING;
}

static const NativeType partial_type = {.name = "partial", .call = partial_call, .getattr = partial_getattr};

static bool f_partial(Tracer *t, const Call *call, Value *out)
{
  if (call->positional == 0)
    return RAISE(t, E_ARGUMENTS, call->span, "type 'partial' takes at least one argument");
  Partial *p = arena_new(&t->arena, Partial);
  uint32_t total = call->positional - 1 + call->keyword_count;
  *p = (Partial){{&partial_type}, call->args[0], arena_array(&t->arena, Value, total),
                 arena_array(&t->arena, const Name *, call->keyword_count), call->positional - 1, call->keyword_count};
  for (uint32_t i = 0; i < total; i++)
    p->args[i] = call->args[i + 1];
  for (uint32_t k = 0; k < call->keyword_count; k++)
    p->names[k] = call->keywords[k];
  *out = value_object(VALUE_OBJECT, &p->head);
  return true;
}

static bool f_reduce(Tracer *t, const Call *call, Value *out)
{
  List items = {0};
  if (!op_collect(t, ARG(1), call->span, &items))
    return false;
  size_t i = 0;
  if (HAS(2))
    *out = ARG(2);
  else if (items.count)
    *out = items.items[i++];
  else
    return RAISE(t, E_TYPE, call->span, "reduce() of empty iterable with no initial value");
  for (; i < items.count; i++) {
    Value pair[2] = {*out, items.items[i]};
    if (!call_simple(t, ARG(0), pair, 2, call->span, out))
      return false;
  }
  return true;
}

// `lru_cache`, with or without arguments: results do not depend on a cache.
static bool f_cache(Tracer *t, const Call *call, Value *out)
{
  if (call->positional && (call->args[0].tag == VALUE_FUNCTION || call->args[0].tag == VALUE_BUILTIN ||
                           call->args[0].tag == VALUE_METHOD || value_is_native(call->args[0]))) {
    *out = call->args[0];
    return true;
  }
  *out = value_builtin(t, "lru_cache", identity, "function /", value_undefined());
  return true;
}

static bool wraps_apply(Tracer *t, const Call *call, Value *out)
{
  Value wrapped = call->self, wrapper = ARG(0);
  *out = wrapper;
  const Name *names[] = {t->builtins->__name__, t->builtins->__qualname__, t->builtins->__doc__, t->builtins->__module__};
  for (size_t i = 0; i < 4; i++) {
    Value value;
    Outcome found = op_find_attr(t, wrapped, names[i], call->span, &value);
    if (found == OUTCOME_ERROR || (found == OUTCOME_OK && !op_setattr(t, wrapper, names[i], value, call->span)))
      return false;
  }
  return op_setattr(t, wrapper, t->builtins->__wrapped__, wrapped, call->span);
}

static bool f_wraps(Tracer *t, const Call *call, Value *out)
{
  *out = value_builtin(t, "wraps", wraps_apply, "function /", call->args[0]);
  return true;
}

static bool f_cached_property(Tracer *t, const Call *call, Value *out)
{
  Value property = value_class(t->builtins->class_property);
  return call_simple(t, property, call->args, 1, call->span, out);
}

// The orderings that follow from the one that a class defines and ==.
static Outcome order_call(Tracer *t, Value callee, const Call *call, Value *out)
{
  const Partial *p = (const Partial *)callee.object;
  int wanted = (int)p->function.integer / 4, base = (int)p->function.integer % 4;
  static const char *const names[] = {"__lt__", "__le__", "__gt__", "__ge__"};
  Value self = call->args[0], other = call->args[1], result;
  bool truth, equal;
  if (call_special(t, self, tracer_name(t, names[base]), &other, 1, call->span, &result) != OUTCOME_OK)
    return OUTCOME_ERROR;
  *out = result;
  if (result.tag == VALUE_NOT_IMPLEMENTED)
    return OUTCOME_OK;
  if (!op_truth(t, result, call->span, &truth) || !op_equal(t, self, other, call->span, &equal))
    return OUTCOME_ERROR;
  bool less = base == 0 ? truth : base == 1 ? truth && !equal : base == 2 ? !truth && !equal : !truth;
  *out = value_bool(wanted == 0 ? less : wanted == 1 ? less || equal : wanted == 2 ? !less && !equal : !less);
  return OUTCOME_OK;
}

static const NativeType order_type = {.name = "method", .call = order_call};

static bool f_total_ordering(Tracer *t, const Call *call, Value *out)
{
  static const char *const names[] = {"__lt__", "__le__", "__gt__", "__ge__"};
  int base = -1;
  *out = ARG(0);
  if (ARG(0).tag != VALUE_CLASS)
    return RAISE(t, E_TYPE, call->span, "total_ordering() takes a class");
  for (int i = 3; i >= 0; i--) {
    Value *found = class_find(ARG(0).class, tracer_name(t, names[i]));
    if (found && found->tag == VALUE_FUNCTION)
      base = i;
  }
  if (base < 0)
    return RAISE(t, E_VALUE, call->span, "must define at least one ordering operation: < > <= >=");
  for (int i = 0; i < 4; i++) {
    const Name *name = tracer_name(t, names[i]);
    Value *found = class_find(ARG(0).class, name);
    if (found && found->tag == VALUE_FUNCTION)
      continue;
    Partial *order = arena_new(&t->arena, Partial);
    *order = (Partial){.head = {&order_type}, .function = value_int(i * 4 + base)};
    attr_set(&t->arena, &ARG(0).class->attrs, name, value_object(VALUE_OBJECT, &order->head));
  }
  return true;
}

static const NativeMethod functools_functions[] = {
  {"partial", f_partial, NULL}, {"reduce", f_reduce, "function iterable initial? /"}, {"lru_cache", f_cache, NULL},
  {"cache", f_cache, NULL}, {"wraps", f_wraps, "wrapped assigned? updated?"},
  {"cached_property", f_cached_property, "func /"}, {"total_ordering", f_total_ordering, "cls /"}, {NULL, NULL, NULL},
};

const NativeModule native_functools = {"functools", functools_functions, NULL, NULL};

// ---- itertools: finite results are made at once

static bool give(Tracer *t, Value list, const Call *call, Value *out)
{
  return op_iterate(t, list, call->span, out);
}

static bool i_chain(Tracer *t, const Call *call, Value *out)
{
  Value list = value_list(t, NULL, 0);
  for (uint32_t i = 0; i < call->positional; i++)
    if (!op_collect(t, call->args[i], call->span, list.list))
      return false;
  return give(t, list, call, out);
}

static bool i_chain_from(Tracer *t, const Call *call, Value *out)
{
  List parts = {0};
  if (!op_collect(t, ARG(0), call->span, &parts))
    return false;
  Call inner = {.args = parts.items, .positional = (uint32_t)parts.count, .span = call->span};
  return i_chain(t, &inner, out);
}

static bool i_product(Tracer *t, const Call *call, Value *out)
{
  int64_t repeat = 1;
  if (HAS(1) && !op_index(t, ARG(1), call->span, &repeat))
    return false;
  size_t given = ARG(0).tuple->count, count = given * (size_t)(repeat < 0 ? 0 : repeat);
  List *pools = arena_array(&t->arena, List, count + 1);
  size_t *at = arena_array(&t->arena, size_t, count + 1);
  Value list = value_list(t, NULL, 0);
  for (size_t i = 0; i < count; i++) {
    if (i < given) {
      if (!op_collect(t, ARG(0).tuple->items[i], call->span, &pools[i]))
        return false;
    } else {
      pools[i] = pools[i - given];
    }
    if (pools[i].count == 0)
      return give(t, list, call, out);
  }
  for (;;) {
    if (!count_step(t, call->span))
      return false;
    Value tuple = value_tuple(t, NULL, count);
    for (size_t i = 0; i < count; i++)
      tuple.tuple->items[i] = pools[i].items[at[i]];
    list_push(t, list.list, tuple);
    size_t i = count;
    while (i > 0 && ++at[i - 1] == pools[i - 1].count)
      at[--i] = 0;
    if (i == 0)
      return give(t, list, call, out);
  }
}

typedef enum Choice { CHOICE_PERMUTATIONS, CHOICE_COMBINATIONS, CHOICE_WITH_REPLACEMENT } Choice;

static bool choose(Tracer *t, const Call *call, Choice choice, const List *pool, size_t *picked, size_t depth, size_t r,
                   Value list)
{
  if (depth == r) {
    Value tuple = value_tuple(t, NULL, r);
    for (size_t i = 0; i < r; i++)
      tuple.tuple->items[i] = pool->items[picked[i]];
    list_push(t, list.list, tuple);
    return count_step(t, call->span);
  }
  size_t start = depth == 0 || choice == CHOICE_PERMUTATIONS ? 0
                 : picked[depth - 1] + (choice == CHOICE_COMBINATIONS);
  for (size_t i = start; i < pool->count; i++) {
    bool used = false;
    for (size_t k = 0; choice == CHOICE_PERMUTATIONS && k < depth; k++)
      used |= picked[k] == i;
    picked[depth] = i;
    if (!used && !choose(t, call, choice, pool, picked, depth + 1, r, list))
      return false;
  }
  return true;
}

static bool choices(Tracer *t, const Call *call, Choice choice, Value *out)
{
  List pool = {0};
  if (!op_collect(t, ARG(0), call->span, &pool))
    return false;
  int64_t r = (int64_t)pool.count;
  if (HAS(1) && ARG(1).tag != VALUE_NONE && !op_index(t, ARG(1), call->span, &r))
    return false;
  if (r < 0)
    return RAISE(t, E_VALUE, call->span, "r must be non-negative");
  Value list = value_list(t, NULL, 0);
  if (r > (int64_t)pool.count && choice != CHOICE_WITH_REPLACEMENT)
    return give(t, list, call, out);
  size_t *picked = arena_array(&t->arena, size_t, (size_t)r + 1);
  return choose(t, call, choice, &pool, picked, 0, (size_t)r, list) && give(t, list, call, out);
}

static bool i_permutations(Tracer *t, const Call *call, Value *out) { return choices(t, call, CHOICE_PERMUTATIONS, out); }
static bool i_combinations(Tracer *t, const Call *call, Value *out) { return choices(t, call, CHOICE_COMBINATIONS, out); }
static bool i_with_replacement(Tracer *t, const Call *call, Value *out)
{
  return choices(t, call, CHOICE_WITH_REPLACEMENT, out);
}

static bool i_zip_longest(Tracer *t, const Call *call, Value *out)
{
  size_t count = ARG(0).tuple->count, longest = 0;
  List *parts = arena_array(&t->arena, List, count + 1);
  for (size_t i = 0; i < count; i++) {
    if (!op_collect(t, ARG(0).tuple->items[i], call->span, &parts[i]))
      return false;
    longest = parts[i].count > longest ? parts[i].count : longest;
  }
  Value list = value_list(t, NULL, 0), fill = HAS(1) ? ARG(1) : value_none();
  for (size_t k = 0; k < longest; k++) {
    Value tuple = value_tuple(t, NULL, count);
    for (size_t i = 0; i < count; i++)
      tuple.tuple->items[i] = k < parts[i].count ? parts[i].items[k] : fill;
    list_push(t, list.list, tuple);
  }
  return give(t, list, call, out);
}

static bool i_islice(Tracer *t, const Call *call, Value *out)
{
  int64_t start = 0, stop = INT64_MAX, step = 1;
  Value bounds[3] = {value_none(), ARG(1), value_none()};
  if (HAS(2)) {
    bounds[0] = ARG(1);
    bounds[1] = ARG(2);
  }
  if (HAS(3))
    bounds[2] = ARG(3);
  if ((bounds[0].tag != VALUE_NONE && !op_index(t, bounds[0], call->span, &start)) ||
      (bounds[1].tag != VALUE_NONE && !op_index(t, bounds[1], call->span, &stop)) ||
      (bounds[2].tag != VALUE_NONE && !op_index(t, bounds[2], call->span, &step)))
    return false;
  if (start < 0 || stop < 0 || step < 1)
    return RAISE(t, E_VALUE, call->span, "Indices for islice() must be None or an integer: 0 <= x <= sys.maxsize.");
  Value iterator, item, list = value_list(t, NULL, 0);
  if (!op_iterate(t, ARG(0), call->span, &iterator))
    return false;
  for (int64_t i = 0; i < stop; i++) {
    bool done;
    if (!op_next(t, iterator, call->span, &item, &done) || !count_step(t, call->span))
      return false;
    if (done)
      break;
    if (i >= start && (i - start) % step == 0)
      list_push(t, list.list, item);
  }
  return give(t, list, call, out);
}

static bool i_accumulate(Tracer *t, const Call *call, Value *out)
{
  List items = {0};
  if (!op_collect(t, ARG(0), call->span, &items))
    return false;
  Value list = value_list(t, NULL, 0), total = value_undefined();
  if (HAS(2) && ARG(2).tag != VALUE_NONE) {
    total = ARG(2);
    list_push(t, list.list, total);
  }
  for (size_t i = 0; i < items.count; i++) {
    Value pair[2] = {total, items.items[i]};
    if (!value_is_set(total))
      total = items.items[i];
    else if (HAS(1) && ARG(1).tag != VALUE_NONE ? !call_simple(t, ARG(1), pair, 2, call->span, &total)
                                                : !op_binary(t, OPERATOR_Add, total, items.items[i], call->span, &total))
      return false;
    list_push(t, list.list, total);
  }
  return give(t, list, call, out);
}

static bool next_count(Tracer *t, Iterator *it, Value *out, bool *done)
{
  (void)done;
  *out = it->source;
  return op_binary(t, OPERATOR_Add, it->source, it->extra, t->here, &it->source);
}

static bool i_count(Tracer *t, const Call *call, Value *out)
{
  *out = value_iterator(t, "count", next_count, HAS(0) ? ARG(0) : value_int(0));
  out->iterator->extra = HAS(1) ? ARG(1) : value_int(1);
  return true;
}

static bool next_cycle(Tracer *t, Iterator *it, Value *out, bool *done)
{
  (void)t;
  const List *list = it->source.list;
  *done = list->count == 0;
  if (!*done)
    *out = list->items[(size_t)it->index++ % list->count];
  return true;
}

static bool i_cycle(Tracer *t, const Call *call, Value *out)
{
  Value list = value_list(t, NULL, 0);
  if (!op_collect(t, ARG(0), call->span, list.list))
    return false;
  *out = value_iterator(t, "cycle", next_cycle, list);
  return true;
}

static bool next_repeat(Tracer *t, Iterator *it, Value *out, bool *done)
{
  (void)t;
  *done = it->stop >= 0 && it->index++ >= it->stop;
  *out = it->source;
  return true;
}

static bool i_repeat(Tracer *t, const Call *call, Value *out)
{
  int64_t times = -1;
  if (HAS(1) && !op_index(t, ARG(1), call->span, &times))
    return false;
  *out = value_iterator(t, "repeat", next_repeat, ARG(0));
  out->iterator->stop = HAS(1) && times < 0 ? 0 : times;
  return true;
}

static bool while_true(Tracer *t, const Call *call, bool take, Value *out)
{
  Value iterator, item, list = value_list(t, NULL, 0);
  bool dropping = !take;
  if (!op_iterate(t, ARG(1), call->span, &iterator))
    return false;
  for (;;) {
    bool done, truth = true;
    Value verdict;
    if (!op_next(t, iterator, call->span, &item, &done) || !count_step(t, call->span))
      return false;
    if (done)
      break;
    if (take || dropping) {
      if (!call_simple(t, ARG(0), &item, 1, call->span, &verdict) || !op_truth(t, verdict, call->span, &truth))
        return false;
    }
    if (take && !truth)
      break;
    dropping = dropping && truth;
    if (!dropping)
      list_push(t, list.list, item);
  }
  return give(t, list, call, out);
}

static bool i_takewhile(Tracer *t, const Call *call, Value *out) { return while_true(t, call, true, out); }
static bool i_dropwhile(Tracer *t, const Call *call, Value *out) { return while_true(t, call, false, out); }

static bool i_starmap(Tracer *t, const Call *call, Value *out)
{
  List items = {0};
  Value list = value_list(t, NULL, 0), result;
  if (!op_collect(t, ARG(1), call->span, &items))
    return false;
  for (size_t i = 0; i < items.count; i++) {
    List args = {0};
    if (!op_collect(t, items.items[i], call->span, &args) ||
        !call_simple(t, ARG(0), args.items, (uint32_t)args.count, call->span, &result))
      return false;
    list_push(t, list.list, result);
  }
  return give(t, list, call, out);
}

static bool i_filterfalse(Tracer *t, const Call *call, Value *out)
{
  List items = {0};
  Value list = value_list(t, NULL, 0);
  if (!op_collect(t, ARG(1), call->span, &items))
    return false;
  for (size_t i = 0; i < items.count; i++) {
    Value verdict = items.items[i];
    bool truth;
    if (ARG(0).tag != VALUE_NONE && !call_simple(t, ARG(0), &items.items[i], 1, call->span, &verdict))
      return false;
    if (!op_truth(t, verdict, call->span, &truth))
      return false;
    if (!truth)
      list_push(t, list.list, items.items[i]);
  }
  return give(t, list, call, out);
}

static bool i_pairwise(Tracer *t, const Call *call, Value *out)
{
  List items = {0};
  Value list = value_list(t, NULL, 0);
  if (!op_collect(t, ARG(0), call->span, &items))
    return false;
  for (size_t i = 1; i < items.count; i++)
    list_push(t, list.list, value_tuple(t, &items.items[i - 1], 2));
  return give(t, list, call, out);
}

static bool i_compress(Tracer *t, const Call *call, Value *out)
{
  List items = {0}, selectors = {0};
  Value list = value_list(t, NULL, 0);
  if (!op_collect(t, ARG(0), call->span, &items) || !op_collect(t, ARG(1), call->span, &selectors))
    return false;
  for (size_t i = 0; i < items.count && i < selectors.count; i++) {
    bool truth;
    if (!op_truth(t, selectors.items[i], call->span, &truth))
      return false;
    if (truth)
      list_push(t, list.list, items.items[i]);
  }
  return give(t, list, call, out);
}

static bool i_groupby(Tracer *t, const Call *call, Value *out)
{
  List items = {0};
  Value list = value_list(t, NULL, 0), group = value_undefined(), group_key = value_undefined();
  if (!op_collect(t, ARG(0), call->span, &items))
    return false;
  for (size_t i = 0; i < items.count; i++) {
    Value key = items.items[i];
    bool same = false;
    if (HAS(1) && ARG(1).tag != VALUE_NONE && !call_simple(t, ARG(1), &items.items[i], 1, call->span, &key))
      return false;
    if (value_is_set(group) && !op_equal(t, group_key, key, call->span, &same))
      return false;
    if (!same) {
      group = value_list(t, NULL, 0);
      group_key = key;
      Value pair[2] = {key, group};
      list_push(t, list.list, value_tuple(t, pair, 2));
    }
    list_push(t, group.list, items.items[i]);
  }
  for (size_t i = 0; i < list.list->count; i++)
    if (!op_iterate(t, list.list->items[i].tuple->items[1], call->span, &list.list->items[i].tuple->items[1]))
      return false;
  return give(t, list, call, out);
}

static bool i_tee(Tracer *t, const Call *call, Value *out)
{
  int64_t count = 2;
  List items = {0};
  if ((HAS(1) && !op_index(t, ARG(1), call->span, &count)) || !op_collect(t, ARG(0), call->span, &items))
    return false;
  *out = value_tuple(t, NULL, (size_t)count);
  for (int64_t i = 0; i < count; i++)
    if (!op_iterate(t, value_list(t, items.items, items.count), call->span, &out->tuple->items[i]))
      return false;
  return true;
}

static const NativeMethod itertools_functions[] = {
  {"product", i_product, "*iterables repeat?"}, {"permutations", i_permutations, "iterable r?"},
  {"combinations", i_combinations, "iterable r"}, {"combinations_with_replacement", i_with_replacement, "iterable r"},
  {"zip_longest", i_zip_longest, "*iterables fillvalue?"}, {"islice", i_islice, "iterable stop start? step? /"},
  {"accumulate", i_accumulate, "iterable func? initial?"}, {"count", i_count, "start? step?"},
  {"cycle", i_cycle, "iterable /"}, {"repeat", i_repeat, "object times?"}, {"takewhile", i_takewhile, "predicate iterable /"},
  {"dropwhile", i_dropwhile, "predicate iterable /"}, {"starmap", i_starmap, "function iterable /"},
  {"filterfalse", i_filterfalse, "function iterable /"}, {"pairwise", i_pairwise, "iterable /"},
  {"compress", i_compress, "data selectors"}, {"groupby", i_groupby, "iterable key?"}, {"tee", i_tee, "iterable n? /"},
  {NULL, NULL, NULL},
};

// `chain` is called itself and has an alternative constructor.
static Outcome chain_call(Tracer *t, Value self, const Call *call, Value *out)
{
  (void)self;
  return i_chain(t, call, out) ? OUTCOME_OK : OUTCOME_ERROR;
}

static const NativeMethod chain_methods[] = {{"from_iterable", i_chain_from, "iterable /"}, {NULL, NULL, NULL}};
static const NativeType chain_type = {.name = "type", .methods = chain_methods, .call = chain_call};

static void itertools_init(Tracer *t, ModuleObject *module)
{
  NativeObject *chain = arena_new(&t->arena, NativeObject);
  chain->type = &chain_type;
  module_set(t, module, "chain", value_object(VALUE_OBJECT, chain));
}

const NativeModule native_itertools = {"itertools", itertools_functions, itertools_init, NULL};

// ---- operator

#define BINARY(name, op)                                                                                               \
  static bool o_##name(Tracer *t, const Call *call, Value *out)                                                        \
  {                                                                                                                    \
    return op_binary(t, OPERATOR_##op, ARG(0), ARG(1), call->span, out);                                               \
  }
BINARY(add, Add)
BINARY(sub, Sub)
BINARY(mul, Mult)
BINARY(truediv, Div)
BINARY(floordiv, FloorDiv)
BINARY(mod, Mod)
BINARY(pow, Pow)
BINARY(and, BitAnd)
BINARY(or, BitOr)
BINARY(xor, BitXor)
BINARY(lshift, LShift)
BINARY(rshift, RShift)
BINARY(matmul, MatMult)

#define COMPARE(name, op)                                                                                              \
  static bool o_##name(Tracer *t, const Call *call, Value *out)                                                        \
  {                                                                                                                    \
    return op_compare(t, CMP_OP_##op, ARG(0), ARG(1), call->span, out);                                                \
  }
COMPARE(lt, Lt)
COMPARE(le, LtE)
COMPARE(eq, Eq)
COMPARE(ne, NotEq)
COMPARE(gt, Gt)
COMPARE(ge, GtE)
COMPARE(is, Is)
COMPARE(is_not, IsNot)

static bool o_neg(Tracer *t, const Call *call, Value *out) { return op_unary(t, UNARY_OP_USub, ARG(0), call->span, out); }
static bool o_pos(Tracer *t, const Call *call, Value *out) { return op_unary(t, UNARY_OP_UAdd, ARG(0), call->span, out); }
static bool o_inv(Tracer *t, const Call *call, Value *out) { return op_unary(t, UNARY_OP_Invert, ARG(0), call->span, out); }
static bool o_not(Tracer *t, const Call *call, Value *out) { return op_unary(t, UNARY_OP_Not, ARG(0), call->span, out); }

static bool o_truth(Tracer *t, const Call *call, Value *out)
{
  bool truth;
  if (!op_truth(t, ARG(0), call->span, &truth))
    return false;
  *out = value_bool(truth);
  return true;
}

static bool o_contains(Tracer *t, const Call *call, Value *out)
{
  return op_compare(t, CMP_OP_In, ARG(1), ARG(0), call->span, out);
}

static bool o_getitem(Tracer *t, const Call *call, Value *out)
{
  return op_getitem(t, ARG(0), ARG(1), call->span, out);
}

static bool o_setitem(Tracer *t, const Call *call, Value *out)
{
  *out = value_none();
  return op_setitem(t, ARG(0), ARG(1), ARG(2), call->span);
}

static bool o_index(Tracer *t, const Call *call, Value *out)
{
  int64_t index;
  if (!op_index(t, ARG(0), call->span, &index))
    return false;
  *out = value_int(index);
  return true;
}

static bool getter_items(Tracer *t, const Call *call, Value *out)
{
  const Tuple *keys = call->self.tuple;
  Value tuple = value_tuple(t, NULL, keys->count);
  for (size_t i = 0; i < keys->count; i++)
    if (!op_getitem(t, ARG(0), keys->items[i], call->span, &tuple.tuple->items[i]))
      return false;
  *out = keys->count == 1 ? tuple.tuple->items[0] : tuple;
  return true;
}

static bool o_itemgetter(Tracer *t, const Call *call, Value *out)
{
  Value keys = value_tuple(t, call->args, call->positional);
  *out = value_builtin(t, "itemgetter", getter_items, "object /", keys);
  return true;
}

static bool getter_attrs(Tracer *t, const Call *call, Value *out)
{
  const Tuple *names = call->self.tuple;
  Value tuple = value_tuple(t, NULL, names->count);
  for (size_t i = 0; i < names->count; i++) {
    Value value = ARG(0);
    Str path = names->items[i].string->text;
    for (size_t start = 0, at = 0; at <= path.len; at++) {
      if (at < path.len && path.data[at] != '.')
        continue;
      const Name *name = name_intern(&t->session->names, (Str){path.data + start, at - start});
      if (!op_getattr(t, value, name, call->span, &value))
        return false;
      start = at + 1;
    }
    tuple.tuple->items[i] = value;
  }
  *out = names->count == 1 ? tuple.tuple->items[0] : tuple;
  return true;
}

static bool o_attrgetter(Tracer *t, const Call *call, Value *out)
{
  for (uint32_t i = 0; i < call->positional; i++)
    if (call->args[i].tag != VALUE_STR)
      return RAISE(t, E_TYPE, call->span, "attribute name must be a string");
  Value names = value_tuple(t, call->args, call->positional);
  *out = value_builtin(t, "attrgetter", getter_attrs, "object /", names);
  return true;
}

static const NativeMethod operator_functions[] = {
  {"add", o_add, "a b /"}, {"sub", o_sub, "a b /"}, {"mul", o_mul, "a b /"}, {"truediv", o_truediv, "a b /"},
  {"floordiv", o_floordiv, "a b /"}, {"mod", o_mod, "a b /"}, {"pow", o_pow, "a b /"}, {"and_", o_and, "a b /"},
  {"or_", o_or, "a b /"}, {"xor", o_xor, "a b /"}, {"lshift", o_lshift, "a b /"}, {"rshift", o_rshift, "a b /"},
  {"matmul", o_matmul, "a b /"}, {"concat", o_add, "a b /"}, {"iadd", o_add, "a b /"}, {"imul", o_mul, "a b /"},
  {"lt", o_lt, "a b /"}, {"le", o_le, "a b /"}, {"eq", o_eq, "a b /"}, {"ne", o_ne, "a b /"}, {"gt", o_gt, "a b /"},
  {"ge", o_ge, "a b /"}, {"is_", o_is, "a b /"}, {"is_not", o_is_not, "a b /"}, {"neg", o_neg, "a /"},
  {"pos", o_pos, "a /"}, {"inv", o_inv, "a /"}, {"invert", o_inv, "a /"}, {"not_", o_not, "a /"},
  {"truth", o_truth, "a /"}, {"contains", o_contains, "a b /"}, {"getitem", o_getitem, "a b /"},
  {"setitem", o_setitem, "a b c /"}, {"index", o_index, "a /"}, {"itemgetter", o_itemgetter, NULL},
  {"attrgetter", o_attrgetter, NULL}, {NULL, NULL, NULL},
};

const NativeModule native_operator = {"operator", operator_functions, NULL, NULL};

// ---- collections

static bool c_namedtuple(Tracer *t, const Call *call, Value *out)
{
  List names = {0}, defaults = {0};
  if (ARG(0).tag != VALUE_STR)
    return RAISE(t, E_TYPE, call->span, "the name of a named tuple is a string");
  if (ARG(1).tag == VALUE_STR) {
    Value comma = value_cstr(t, ","), space = value_cstr(t, " "), text, pieces;
    Value args[2] = {comma, space};
    if (call_method(t, ARG(1), "replace", args, 2, call->span, &text) != OUTCOME_OK ||
        call_method(t, text, "split", NULL, 0, call->span, &pieces) != OUTCOME_OK ||
        !op_collect(t, pieces, call->span, &names))
      return false;
  } else if (!op_collect(t, ARG(1), call->span, &names)) {
    return false;
  }
  if (HAS(2) && ARG(2).tag != VALUE_NONE && !op_collect(t, ARG(2), call->span, &defaults))
    return false;
  const Name **fields = arena_array(&t->arena, const Name *, names.count);
  for (size_t i = 0; i < names.count; i++) {
    if (names.items[i].tag != VALUE_STR)
      return RAISE(t, E_TYPE, call->span, "Type names and field names must be strings");
    fields[i] = string_name(t, names.items[i].string);
  }
  return named_tuple_make(t, ARG(0).string->text.data, fields, names.count, defaults.items, defaults.count, call->span,
                          out);
}

static bool d_appendleft(Tracer *t, const Call *call, Value *out)
{
  Value args[2] = {value_int(0), ARG(0)};
  return call_method(t, value_unwrap(call->self), "insert", args, 2, call->span, out) == OUTCOME_OK;
}

static bool d_popleft(Tracer *t, const Call *call, Value *out)
{
  Value zero = value_int(0), list = value_unwrap(call->self);
  if (list.list->count == 0)
    return RAISE(t, E_INDEX, call->span, "pop from an empty deque");
  return call_method(t, list, "pop", &zero, 1, call->span, out) == OUTCOME_OK;
}

static bool d_extendleft(Tracer *t, const Call *call, Value *out)
{
  List items = {0};
  *out = value_none();
  if (!op_collect(t, ARG(0), call->span, &items))
    return false;
  for (size_t i = 0; i < items.count; i++) {
    Call inner = {.self = call->self, .args = &items.items[i], .positional = 1, .span = call->span};
    Value ignored;
    if (!d_appendleft(t, &inner, &ignored))
      return false;
  }
  return true;
}

static bool d_rotate(Tracer *t, const Call *call, Value *out)
{
  int64_t n = 1;
  List *list = value_unwrap(call->self).list;
  *out = value_none();
  if (HAS(0) && !op_index(t, ARG(0), call->span, &n))
    return false;
  int64_t count = (int64_t)list->count;
  Value copy = value_list(t, list->items, list->count);
  for (int64_t i = 0; i < count; i++)
    list->items[((i + n) % count + count) % count] = copy.list->items[i];
  return true;
}

static const NativeMethod deque_methods[] = {
  {"appendleft", d_appendleft, "x /"}, {"popleft", d_popleft, ""}, {"extendleft", d_extendleft, "iterable /"},
  {"rotate", d_rotate, "n? /"}, {NULL, NULL, NULL},
};

static bool c_deque(Tracer *t, const Call *call, Value *out)
{
  *out = instance_new(t, call->self.class);
  out->instance->held = value_list(t, NULL, 0);
  if (HAS(0) && !op_collect(t, ARG(0), call->span, out->instance->held.list))
    return false;
  if (HAS(1) && ARG(1).tag != VALUE_NONE)
    return RAISE(t, E_UNSUPPORTED, call->span, "a deque of limited length is not supported");
  return true;
}

static void collections_init(Tracer *t, ModuleObject *module)
{
  module_set(t, module, "OrderedDict", value_class(t->builtins->class_OrderedDict));
  module_set(t, module, "defaultdict", value_class(t->builtins->class_defaultdict));
  module_set(t, module, "Counter", value_class(t->builtins->class_Counter));
  Class *deque = class_new(t, "deque", CLASS_BUILTIN);
  deque->bases = &t->builtins->class_list;
  deque->base_count = 1;
  class_mro(t, deque, (Span){0});
  deque->holds = VALUE_LIST;
  deque->construct = c_deque;
  deque->construct_signature = native_signature(t, "iterable? maxlen?");
  class_add_methods(t, deque, deque_methods);
  module_set(t, module, "deque", value_class(deque));
}

static const NativeMethod collections_functions[] = {
  {"namedtuple", c_namedtuple, "typename field_names * defaults? rename? module?"}, {NULL, NULL, NULL},
};

const NativeModule native_collections = {"collections", collections_functions, collections_init, NULL};
