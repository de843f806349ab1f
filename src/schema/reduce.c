// reduce.c -- which atomics of a kernel are reductions.

#include "schema/reduce.h"

typedef struct Finder {
  Arena *arena;
  SchemaReductions found;
  const SchemaVar *array;
  uint32_t uses;  // of `array` in the whole function
  bool varies;
} Finder;

static void look_for_varying(SchemaNode *node, void *context)
{
  Finder *f = context;
  bool is_steady = node->kind == SCHEMA_literal || node->kind == SCHEMA_binary_op || node->kind == SCHEMA_unary_op || node->kind == SCHEMA_cast ||
                   (node->kind == SCHEMA_var && node->var->kind == VAR_PARAMETER && !node->var->assignments);
  f->varies |= !is_steady;
}

static bool is_steady(Finder *f, SchemaNode *index)
{
  f->varies = false;
  schema_walk(index, look_for_varying, f);
  return !f->varies;
}

// Statements outside of loops; `return`s do not matter.
static void find_in(Finder *f, SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++) {
    SchemaNode *node = list.items[i];
    if (node->kind == SCHEMA_if) {
      find_in(f, SCHEMA_AS(if, node)->then_body);
      find_in(f, SCHEMA_AS(if, node)->else_body);
      continue;
    }
    bool is_kind = node->kind == SCHEMA_perform &&
                   (node->builtin == BUILTIN_atomic_add || node->builtin == BUILTIN_atomic_min || node->builtin == BUILTIN_atomic_max);
    if (!is_kind)
      continue;
    SchemaList args = SCHEMA_AS(perform, node)->args;
    if (args.items[0]->var->kind == VAR_PARAMETER && scalar_info(args.items[0]->type.scalar)->bytes >= 4 && is_steady(f, args.items[1]))
      vec_push(f->arena, &f->found, (SchemaReduction){node, args.items[0]->var, args.items[1], args.items[2], node->builtin,
                                                      args.items[0]->type.scalar});
  }
}

static void count_use(SchemaNode *node, void *context)
{
  Finder *f = context;
  f->uses += node->kind == SCHEMA_var && node->var == f->array;
}

// Every use of the array must be a reduction, and all by one operation.
static bool is_alone(Finder *f, const SchemaFunction *function, const SchemaReduction *reduction)
{
  uint32_t reductions = 0;
  for (size_t i = 0; i < f->found.count; i++) {
    const SchemaReduction *other = &f->found.items[i];
    reductions += other->array == reduction->array;
    if (other->array == reduction->array && other->op != reduction->op)
      return false;
  }
  f->array = reduction->array, f->uses = 0;
  schema_walk_list(function->body, count_use, f);
  return f->uses == reductions;
}

SchemaReductions schema_find_reductions(const SchemaFile *file, const SchemaFunction *function)
{
  Finder f = {.arena = file->arena};
  SchemaReductions kept = {0};
  if (!function->is_kernel || function->has_barriers || function->has_whole)
    return kept;
  find_in(&f, function->body);
  for (size_t i = 0; i < f.found.count; i++)
    if (is_alone(&f, function, &f.found.items[i]))
      vec_push(file->arena, &kept, f.found.items[i]);
  return kept;
}
