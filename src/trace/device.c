// device.c -- what runs on the device's sequencers: registers, branches and loops over them, instruction order.
//
// A loop or branch over a register is traced once. Blocks and their names follow one pattern (docs/core.md):
//
//   if r:      ...; brnz r then else    then: ...; jmp end    else: ...; jmp end    end:
//   for i:     i = lower; n = upper; brlt i n body exit    body: ...; i += step; brlt i n body exit    exit:
//   while r:   brnz r body exit    body: ...; brnz r body exit    exit:
//
// `continue` inside gives the end of the body a block of its own, `next`.

#include "trace/builder.h"
#include <string.h>

// ---- register values

const RegisterObject *value_is_register(Value value)
{
  return value.tag == VALUE_REGISTER ? (const RegisterObject *)value.object : NULL;
}

Value value_register(Tracer *t, const char *name, bool frozen)
{
  RegisterObject *made = arena_new(&t->arena, RegisterObject);
  made->head.type = &register_type;
  made->name = name;
  made->frozen = frozen;
  made->root = made;
  made->scale = 1;
  return value_object(VALUE_REGISTER, &made->head);
}

static Value register_expression(Tracer *t, const RegisterObject *root, int64_t scale, int64_t bias)
{
  RegisterObject *made = arena_new(&t->arena, RegisterObject);
  *made = (RegisterObject){{&register_type}, NULL, true, root, scale, bias};
  return value_object(VALUE_REGISTER, &made->head);
}

static const char *register_new(Builder *b)
{
  return builder_number(b, "reg");
}

static void move_imm(Builder *b, const char *dst, int64_t imm, Span span)
{
  Op *op = op_new(b->arena, OP_register_move);
  op->register_move.dst = dst;
  op->register_move.imm = imm;
  builder_add(b, op, builder_number(b, "move"), span);
}

static void alu_imm(Builder *b, const char *dst, const char *src, AluOp alu, int64_t imm, const char *name, Span span)
{
  Op *op = op_new(b->arena, OP_register_alu_op);
  op->register_alu_op.dst = dst;
  op->register_alu_op.src = src;
  op->register_alu_op.imm = imm;
  op->register_alu_op.op = alu;
  builder_add(b, op, builder_number(b, name), span);
}

const char *register_use(Builder *b, Value value, Span span)
{
  const RegisterObject *reg = value_is_register(value);
  if (reg->name)
    return reg->name;
  const char *from = reg->root->name;
  if (reg->scale != 1) {
    const char *scaled = register_new(b);
    alu_imm(b, scaled, from, ALU_OP_MULT, reg->scale, "mul", span);
    from = scaled;
  }
  if (reg->bias != 0 || reg->scale == 1) {
    const char *moved = register_new(b);
    alu_imm(b, moved, from, ALU_OP_ADD, reg->bias, "add", span);
    from = moved;
  }
  return from;
}

bool register_distance(Value start, Value stop, int64_t *out)
{
  const RegisterObject *a = value_is_register(start), *b = value_is_register(stop);
  if (!a || !b || a->root != b->root || a->scale != b->scale)
    return false;
  *out = b->bias - a->bias;
  return true;
}

// Keeps `root * scale + bias` as an expression while the root cannot change, otherwise computes it now.
static bool affine(Tracer *t, const RegisterObject *reg, int64_t scale, int64_t bias, Span span, Value *out)
{
  Builder *b = builder_need(t, "arithmetic on registers", span);
  int64_t new_scale, new_bias;
  if (!b)
    return false;
  if (__builtin_mul_overflow(reg->scale, scale, &new_scale) || __builtin_mul_overflow(reg->bias, scale, &new_bias) ||
      __builtin_add_overflow(new_bias, bias, &new_bias) || new_scale != (int32_t)new_scale ||
      new_bias != (int32_t)new_bias)
    return RAISE(t, E_REGISTER, user_span(t, span), "arithmetic on a register that does not fit 32 bits");
  *out = register_expression(t, reg->root, new_scale, new_bias);
  if (!reg->root->frozen)
    *out = value_register(t, register_use(b, *out, span), true);
  return true;
}

static bool other_alu(Tracer *t, Value reg, AluOp alu, int64_t imm, Span span, Value *out)
{
  Builder *b = builder_need(t, "arithmetic on registers", span);
  if (!b)
    return false;
  const char *from = register_use(b, reg, span), *to = register_new(b);
  alu_imm(b, to, from, alu, imm, "alu", span);
  *out = value_register(t, to, true);
  return true;
}

static Outcome register_binary(Tracer *t, Operator op, Value left, Value right, Span span, Value *out)
{
  const RegisterObject *a = value_is_register(left), *b = value_is_register(right);
  int64_t imm = 0;
  bool has_imm = a ? value_as_int(right, &imm) : value_as_int(left, &imm);
  const RegisterObject *reg = a ? a : b;
  if (a && b && a->root == b->root && op == OPERATOR_Sub && a->scale == b->scale) {
    *out = value_int(a->bias - b->bias);
    return OUTCOME_OK;
  }
  if (!has_imm) {
    Diag *diag = raise_error(t, E_REGISTER, user_span(t, span), "arithmetic on %s and %s", describe(t, left),
                             describe(t, right));
    diag_help(diag,
              "a register can be combined with a compile-time int; combine run-time values in (1, 1) tensors with "
              "`nisa.tensor_tensor` and load the result with `nisa.register_load`");
    return OUTCOME_ERROR;
  }
  bool done;
  if (op == OPERATOR_Add)
    done = affine(t, reg, 1, imm, span, out);
  else if (op == OPERATOR_Sub)
    done = a ? affine(t, reg, 1, -imm, span, out) : affine(t, reg, -1, imm, span, out);
  else if (op == OPERATOR_Mult)
    done = affine(t, reg, imm, 0, span, out);
  else if (a && op == OPERATOR_LShift && imm >= 0 && imm < 31)
    done = affine(t, reg, (int64_t)1 << imm, 0, span, out);
  else if (a && op == OPERATOR_RShift && imm >= 0 && imm < 32)
    done = other_alu(t, left, ALU_OP_ARITH_SHIFT_RIGHT, imm, span, out);
  else if (op == OPERATOR_BitAnd)
    done = other_alu(t, a ? left : right, ALU_OP_BITWISE_AND, imm, span, out);
  else if (op == OPERATOR_BitOr)
    done = other_alu(t, a ? left : right, ALU_OP_BITWISE_OR, imm, span, out);
  else if (op == OPERATOR_BitXor)
    done = other_alu(t, a ? left : right, ALU_OP_BITWISE_XOR, imm, span, out);
  else {
    diag_help(
        raise_error(t, E_REGISTER, user_span(t, span), "this operator on a register"),
        "registers have +, -, *, <<, >>, &, | and ^ with a compile-time int; compute the rest in a (1, 1) tensor");
    return OUTCOME_ERROR;
  }
  return done ? OUTCOME_OK : OUTCOME_ERROR;
}

static Outcome register_unary(Tracer *t, UnaryOp op, Value operand, Span span, Value *out)
{
  if (op == UNARY_OP_UAdd)
    *out = operand;
  if (op == UNARY_OP_USub)
    return affine(t, value_is_register(operand), -1, 0, span, out) ? OUTCOME_OK : OUTCOME_ERROR;
  return op == UNARY_OP_UAdd ? OUTCOME_OK : OUTCOME_MISSING;
}

// ---- conditions: comparisons of registers, which branch

typedef struct Condition {
  NativeObject head; // condition_type
  BrCmpOp op;
  const char *reg1, *reg2;
  int64_t imm;
} Condition;

static void condition_repr(Tracer *t, Value self, StrBuf *out)
{
  (void)t;
  strbuf_printf(out, "<condition on %s>", ((const Condition *)self.object)->reg1);
}

const NativeType condition_type = {.name = "condition", .runtime_truth = true, .repr = condition_repr};

static Outcome register_compare(Tracer *t, CmpOp op, Value left, Value right, Span span, Value *out)
{
  static const BrCmpOp with_imm[] = {BR_CMP_OP_EQ_IMM, BR_CMP_OP_NE_IMM, BR_CMP_OP_LT_IMM,
                                     BR_CMP_OP_LE_IMM, BR_CMP_OP_GT_IMM, BR_CMP_OP_GE_IMM};
  static const CmpOp swapped[] = {CMP_OP_Eq, CMP_OP_NotEq, CMP_OP_Gt, CMP_OP_GtE, CMP_OP_Lt, CMP_OP_LtE};
  if (op > CMP_OP_GtE)
    return OUTCOME_MISSING;
  if (!value_is_register(left)) {
    Value kept = left;
    left = right;
    right = kept;
    op = swapped[op];
  }
  int64_t imm = 0;
  bool is_int = value_as_int(right, &imm);
  if (!is_int && !value_is_register(right)) {
    if (op > CMP_OP_NotEq)
      return OUTCOME_MISSING;
    *out = value_bool(op == CMP_OP_NotEq); // with None, a str, ...
    return OUTCOME_OK;
  }
  Builder *b = builder_need(t, "a comparison of registers", span);
  if (!b)
    return OUTCOME_ERROR;
  Condition *made = arena_new(&t->arena, Condition);
  made->head.type = &condition_type;
  made->reg1 = register_use(b, left, span);
  made->reg2 = is_int ? "" : register_use(b, right, span);
  made->imm = imm;
  made->op = with_imm[op] + (is_int ? 0 : BR_CMP_OP_LT_REG - BR_CMP_OP_LT_IMM);
  *out = value_object(VALUE_OBJECT, &made->head);
  return OUTCOME_OK;
}

static void register_repr(Tracer *t, Value self, StrBuf *out)
{
  const RegisterObject *reg = (const RegisterObject *)self.object;
  (void)t;
  if (reg->name)
    strbuf_printf(out, "VirtualRegister(%s)", reg->name);
  else
    strbuf_printf(out, "VirtualRegister(%s * %lld + %lld)", reg->root->name, (long long)reg->scale,
                  (long long)reg->bias);
}

static Outcome register_hash(Tracer *t, Value self, uint64_t *out)
{
  (void)t;
  *out = (uintptr_t)self.object >> 4;
  return OUTCOME_OK;
}

const NativeType register_type = {.name = "VirtualRegister",
                                  .runtime_truth = true,
                                  .binary = register_binary,
                                  .unary = register_unary,
                                  .compare = register_compare,
                                  .hash = register_hash,
                                  .repr = register_repr};

// ---- register instructions

bool klr_rank_id(Tracer *t, const Call *call, Value *out)
{
  Builder *b = builder_need(t, "`nccl.rank_id`", call->span);
  if (!b)
    return false;
  Op *op = op_new(b->arena, OP_rank_id);
  op->rank_id.dst = builder_number(b, "rank_id");
  *out = value_register(t, op->rank_id.dst, true);
  builder_add(b, op, NULL, call->span);
  return true;
}

// Cites `rule` of the instruction that is being called, if it has one of that name.
static void cite_register(Tracer *t, Diag *diag, const char *rule)
{
  const char *function = library_function(t);
  if (!function || strncmp(function, "nisa.register_", 14) != 0)
    return;
  bool loads = strcmp(function, "nisa.register_load") == 0 && strcmp(rule, "dst.induction") == 0;
  nki_cite(t, diag, loads ? "register_move.dst.induction" : arena_printf(&t->arena, "%s.%s", function + 5, rule));
}

// A register that may be written.
static const char *writable(Tracer *t, Value value, Span span)
{
  const RegisterObject *reg = value_is_register(value);
  if (!reg) {
    Diag *diag = raise_error(t, E_ISA_ARGUMENT, user_span(t, span), "'%s': 'dst' is %s; expected a register",
                             library_function(t) ? library_function(t) : "register", describe(t, value));
    cite_register(t, diag, "dst.register");
    return NULL;
  }
  if (reg->frozen) {
    Diag *diag = raise_error(t, E_REGISTER, user_span(t, span), "a write to a register that is fixed");
    diag_help(diag,
              "the variable of a device loop and the results of register arithmetic do not change; allocate another "
              "register with `nisa.register_alloc`");
    cite_register(t, diag, "dst.induction");
    return NULL;
  }
  return reg->name;
}

static bool load_register(Tracer *t, const char *dst, Value src, Span span)
{
  Builder *b = builder_of(t);
  const View *view = value_view(src);
  if (!view || view_elements(view) != 1 || view->tensor->address->memory == MEMORY_PSUM)
    return RAISE(t, E_REGISTER, user_span(t, span),
                 "a register is loaded from %s; expected a tensor of one element in SBUF "
                 "or HBM",
                 describe(t, src));
  Op *op = op_new(b->arena, OP_tensor_load);
  op->tensor_load.dst = dst;
  op->tensor_load.src = ref_of_view(view);
  builder_add(b, op, builder_number(b, "load"), span);
  return true;
}

static bool set_register(Tracer *t, const char *dst, Value src, Span span)
{
  Builder *b = builder_of(t);
  int64_t imm;
  if (value_as_int(src, &imm)) {
    if (imm < INT32_MIN || imm > UINT32_MAX)
      return RAISE(t, E_REGISTER, user_span(t, span), "%lld does not fit a register of 32 bits", (long long)imm);
    move_imm(b, dst, imm > INT32_MAX ? (int32_t)(uint32_t)imm : imm, span);
    return true;
  }
  const RegisterObject *reg = value_is_register(src);
  if (!reg) {
    Diag *diag = raise_error(t, E_REGISTER, user_span(t, span), "a register is set to %s; expected an int or a register",
                             describe(t, src));
    const char *function = library_function(t);
    cite_register(t, diag, function && strcmp(function, "nisa.register_alloc") == 0 ? "x.initial" : "src.register");
    return false;
  }
  alu_imm(b, dst, reg->name ? reg->name : register_use(b, src, span), ALU_OP_ADD, 0, "move", span);
  return true;
}

// iteration_id channel_id replica_group
bool klr_processing_rank_id(Tracer *t, const Call *call, Value *out)
{
  Builder *b = builder_need(t, "`nccl.collective_permute_implicit_current_processing_rank_id`", call->span);
  const Value *groups, *ranks;
  size_t count, rank_count;
  int64_t iteration, channel, rank;
  if (!b)
    return false;
  if (!value_as_int(call->args[0], &iteration) || !value_as_int(call->args[1], &channel) ||
      !value_sequence(call->args[2], &groups, &count))
    return RAISE(t, E_ISA_ARGUMENT, user_span(t, call->span),
                 "'iteration_id' and 'channel_id' are ints, 'replica_group' is "
                 "lists of ranks");
  Op *op = op_new(b->arena, OP_current_processing_rank_id);
  op->current_processing_rank_id.dst = builder_number(b, "rank_id");
  op->current_processing_rank_id.iteration_id = iteration;
  op->current_processing_rank_id.channel_id = channel;
  op->current_processing_rank_id.num_channels = channel + 1;
  Core_LIST_LIST_INT *lists = &op->current_processing_rank_id.replica_group;
  lists->count = (uint32_t)count;
  lists->items = arena_array(b->arena, Core_LIST_INT, count);
  for (size_t i = 0; i < count; i++) {
    if (!value_sequence(groups[i], &ranks, &rank_count))
      return RAISE(t, E_ISA_ARGUMENT, user_span(t, call->span), "'replica_group' is lists of ranks");
    lists->items[i].count = (uint32_t)rank_count;
    lists->items[i].items = arena_array(b->arena, int64_t, rank_count);
    for (size_t k = 0; k < rank_count; k++)
      lists->items[i].items[k] = value_as_int(ranks[k], &rank) ? rank : 0;
  }
  *out = value_register(t, op->current_processing_rank_id.dst, true);
  builder_add(b, op, NULL, call->span);
  return true;
}

bool klr_register_alloc(Tracer *t, const Call *call, Value *out)
{
  Builder *b = builder_need(t, "`nisa.register_alloc`", call->span);
  if (!b)
    return false;
  const char *name = register_new(b);
  *out = value_register(t, name, false);
  if (!value_is_set(call->args[0]) || call->args[0].tag == VALUE_NONE)
    return true;
  return call->args[0].tag == VALUE_TENSOR ? load_register(t, name, call->args[0], call->span)
                                           : set_register(t, name, call->args[0], call->span);
}

bool klr_register_move(Tracer *t, const Call *call, Value *out)
{
  *out = value_none();
  if (!builder_need(t, "`nisa.register_move`", call->span))
    return false;
  const char *dst = writable(t, call->args[0], call->span);
  return dst && set_register(t, dst, call->args[1], call->span);
}

bool klr_register_load(Tracer *t, const Call *call, Value *out)
{
  *out = value_none();
  if (!builder_need(t, "`nisa.register_load`", call->span))
    return false;
  const char *dst = writable(t, call->args[0], call->span);
  return dst && load_register(t, dst, call->args[1], call->span);
}

bool klr_register_store(Tracer *t, const Call *call, Value *out)
{
  Builder *b = builder_need(t, "`nisa.register_store`", call->span);
  const View *view = value_view(call->args[0]);
  *out = value_none();
  if (!b)
    return false;
  if (!view || view_elements(view) != 1)
    return RAISE(t, E_REGISTER, user_span(t, call->span),
                 "a register is stored into %s; expected a tensor of one element", describe(t, call->args[0]));
  if (!value_is_register(call->args[1])) {
    Diag *diag = raise_error(t, E_REGISTER, user_span(t, call->span), "'src' is %s; expected a register",
                             describe(t, call->args[1]));
    cite_register(t, diag, "src.register");
    return false;
  }
  Op *op = op_new(b->arena, OP_tensor_store);
  op->tensor_store.dst = ref_of_view(view);
  op->tensor_store.src = register_use(b, call->args[1], call->span);
  builder_add(b, op, builder_number(b, "store"), call->span);
  return true;
}

// ---- branches

static bool device_allowed(Builder *b, Span span)
{
  if (b->no_reorder_depth == 0)
    return true;
  diag_help(raise_error(b->t, E_DEVICE_FLOW, user_span(b->t, span), "run-time control flow inside `nl.no_reorder()`"),
            "use `with nl.no_reorder():` inside the loop or branch");
  return false;
}

// Ends the open block with a branch on `condition`.
static void branch_on(Builder *b, Value condition, const char *if_true, const char *if_false, Span span)
{
  if (value_is_register(condition)) {
    builder_branch(b, BR_CMP_OP_NE_IMM, register_use(b, condition, span), "", 0, if_true, if_false, "brnz", span);
    return;
  }
  const Condition *test = (const Condition *)condition.object;
  builder_branch(b, test->op, test->reg1, test->reg2, test->imm, if_true, if_false, "br", span);
}

// Whether `break` and `continue` of statements in `frame` belong to the innermost device loop.
static DeviceLoop *own_loop(Builder *b, const Frame *frame)
{
  return b->loop && b->loop->frame == frame && b->loop->mark == frame->loop ? b->loop : NULL;
}

static const char *loop_next_label(Builder *b, DeviceLoop *loop)
{
  if (!loop->next_label)
    loop->next_label = builder_number(b, "next");
  return loop->next_label;
}

// Traces one arm of an `if` in its block, and leads on to `end`. *closed: control does not come out.
static Completion trace_arm(Builder *b, Frame *frame, const StmtList *body, const char *label, const char *end,
                            bool *closed, Span span)
{
  builder_open(b, label);
  Completion done = eval_block(b->t, frame, body);
  DeviceLoop *loop = own_loop(b, frame);
  *closed = !b->label;
  if (done == COMPLETION_ERROR)
    return done;
  if ((done == COMPLETION_BREAK || done == COMPLETION_CONTINUE) && loop) {
    builder_jump(b, done == COMPLETION_BREAK ? loop->exit_label : loop_next_label(b, loop), span);
    *closed = true;
    return done;
  }
  if (done != COMPLETION_NORMAL) {
    const char *what = done == COMPLETION_RETURN ? "return" : done == COMPLETION_BREAK ? "break" : "continue";
    Diag *diag = raise_error(b->t, E_DEVICE_FLOW, span, "`%s` under a condition that is known at run time only", what);
    diag_help(diag,
              done == COMPLETION_RETURN
                  ? "put what follows into the other arm: the function has one end on the device"
                  : "the loop around is unrolled while tracing; make it a device loop (`nl.dynamic_range`), or put "
                    "the rest of its body under the opposite condition");
    return COMPLETION_ERROR;
  }
  if (!*closed)
    builder_jump(b, end, span);
  return done;
}

static Completion on_if(Tracer *t, Frame *frame, const Stmt *stmt, Value condition)
{
  Builder *b = builder_need(t, "a run-time condition", stmt->span);
  if (!b || !device_allowed(b, stmt->span))
    return COMPLETION_ERROR;
  Span span = stmt->If.test->span;
  const char *then = builder_number(b, "then"), *otherwise = builder_number(b, "else"), *end = builder_number(b, "end");
  bool then_closed, else_closed;
  branch_on(b, condition, then, otherwise, span);
  b->device_depth++;
  Completion done = trace_arm(b, frame, &stmt->If.body, then, end, &then_closed, span);
  if (done != COMPLETION_ERROR) {
    Completion other = trace_arm(b, frame, &stmt->If.orelse, otherwise, end, &else_closed, span);
    done = other == COMPLETION_ERROR                                 ? other
           : then_closed && else_closed && done == COMPLETION_NORMAL ? other
           : then_closed && else_closed                              ? done
                                                                     : COMPLETION_NORMAL;
  }
  b->device_depth--;
  if (done != COMPLETION_ERROR && !(then_closed && else_closed))
    builder_open(b, end);
  return done;
}

// ---- loops

typedef struct LoopLabels {
  const char *body, *exit;
} LoopLabels;

static void enter_loop(Builder *b, DeviceLoop *loop, Frame *frame, LoopMark *mark, const char *exit_label, Span span)
{
  *mark = (LoopMark){.outer = frame->loop, .span = span};
  frame->loop = mark;
  *loop = (DeviceLoop){.outer = b->loop, .frame = frame, .mark = mark, .exit_label = exit_label};
  b->loop = loop;
  b->device_depth++;
}

static void leave_loop(Builder *b, DeviceLoop *loop, Frame *frame)
{
  frame->loop = loop->mark->outer;
  b->loop = loop->outer;
  b->device_depth--;
}

// After the body: leads to where the loop continues, and opens that block. False when control never gets there.
static bool end_body(Builder *b, DeviceLoop *loop, Completion done, Span span)
{
  if (b->label && done == COMPLETION_BREAK)
    builder_jump(b, loop->exit_label, span);
  if (!loop->next_label)
    return b->label != NULL;
  if (b->label)
    builder_jump(b, loop->next_label, span);
  builder_open(b, loop->next_label);
  return true;
}

// Errors for what cannot leave a device loop.
static Completion check_body(Tracer *t, Completion done, Span span)
{
  if (done != COMPLETION_RETURN)
    return done;
  Diag *diag = raise_error(t, E_DEVICE_FLOW, span, "`return` out of a loop that runs on the device");
  diag_help(diag, "use `break`, and return after the loop");
  return COMPLETION_ERROR;
}

// Python numbers that the body changes with `x += ...` change once, not in every iteration.
static void warn_changes(Tracer *t, Frame *frame, const StmtList *body)
{
  for (uint32_t i = 0; i < body->count; i++) {
    const Stmt *stmt = body->items[i];
    if (stmt->kind == STMT_If) {
      warn_changes(t, frame, &stmt->If.body);
      warn_changes(t, frame, &stmt->If.orelse);
    }
    if (stmt->kind != STMT_AugAssign || stmt->AugAssign.target->kind != EXPR_Name)
      continue;
    const Name *name = stmt->AugAssign.target->Name.id;
    const Value *value = NULL;
    for (uint32_t slot = 0; frame->code && frame->slots && slot < frame->code->slot_count; slot++)
      if (frame->code->slot_names[slot] == name)
        value = &frame->slots[slot];
    if (!value || (value->tag != VALUE_INT && value->tag != VALUE_FLOAT && value->tag != VALUE_REGISTER))
      continue;
    Diag *diag =
        warn_once(t, W_DEVICE_LOOP_VALUE, stmt->span, "'%s' changes in a loop that runs on the device", name->str.data);
    if (diag)
      diag_help(diag, "the body is traced once, so this happens once; keep the value in a register "
                      "(`nisa.register_move`) or in a tensor");
  }
}

// The registers of a counted loop, set before it.
typedef struct Counted {
  const char *index, *limit;
  int64_t step;
  LoopLabels labels;
} Counted;

static bool bound_register(Tracer *t, Value bound, const char *what, Span span, const char **out)
{
  Builder *b = builder_of(t);
  int64_t imm;
  *out = register_new(b);
  if (value_is_register(bound) || value_as_int(bound, &imm))
    return set_register(t, *out, bound, span);
  if (bound.tag == VALUE_TENSOR)
    return load_register(t, *out, bound, span);
  return RAISE(t, E_DEVICE_FLOW, user_span(t, span), "the %s of a device loop is %s; expected an int or a register",
               what, describe(t, bound));
}

// The loop has registers of its own: neither the user's bounds nor what the body does to them can disturb it.
static bool begin_counted(Tracer *t, Value lower, Value upper, int64_t step, Span span, Counted *out)
{
  Builder *b = builder_of(t);
  out->labels.body = builder_number(b, "body");
  out->labels.exit = builder_number(b, "exit");
  out->step = step;
  const char *entry = builder_number(b, "label");
  builder_jump(b, entry, span);
  builder_open(b, entry);
  if (!bound_register(t, lower, "start", span, &out->index) || !bound_register(t, upper, "end", span, &out->limit))
    return false;
  builder_branch(b, BR_CMP_OP_LT_REG, out->index, out->limit, 0, out->labels.body, out->labels.exit, "brlt", span);
  builder_open(b, out->labels.body);
  return true;
}

static void end_counted(Builder *b, const Counted *loop, bool reached, Span span)
{
  if (reached) {
    alu_imm(b, loop->index, loop->index, ALU_OP_ADD, loop->step, "step", span);
    builder_branch(b, BR_CMP_OP_LT_REG, loop->index, loop->limit, 0, loop->labels.body, loop->labels.exit, "brlt",
                   span);
  }
  builder_open(b, loop->labels.exit);
}

typedef struct DynamicRange {
  NativeObject head; // dynamic_range_type
  Value start, stop;
  int64_t step;
} DynamicRange;

static void dynamic_range_repr(Tracer *t, Value self, StrBuf *out)
{
  (void)t, (void)self;
  strbuf_puts(out, "<dynamic_range>");
}

const NativeType dynamic_range_type = {.name = "dynamic_range", .runtime_loop = true, .repr = dynamic_range_repr};

static bool read_step(Tracer *t, Value value, Span span, int64_t *out)
{
  *out = 1;
  if (!value_is_set(value) || value.tag == VALUE_NONE || (value_as_int(value, out) && *out > 0))
    return true;
  return RAISE(t, E_DEVICE_FLOW, user_span(t, span), "the step of a device loop is %s; expected a positive int",
               describe(t, value));
}

bool klr_dynamic_range(Tracer *t, const Call *call, Value *out)
{
  DynamicRange *range = arena_new(&t->arena, DynamicRange);
  range->head.type = &dynamic_range_type;
  bool one = !value_is_set(call->args[1]) || call->args[1].tag == VALUE_NONE;
  range->start = one ? value_int(0) : call->args[0];
  range->stop = one ? call->args[0] : call->args[1];
  *out = value_object(VALUE_OBJECT, &range->head);
  return read_step(t, call->args[2], call->span, &range->step);
}

static Completion on_for(Tracer *t, Frame *frame, const Stmt *stmt, Value iterable)
{
  Builder *b = builder_need(t, "a device loop", stmt->span);
  const DynamicRange *range = (const DynamicRange *)iterable.object;
  Span span = span_join(stmt->For.target->span, stmt->For.iter->span);
  Counted counted;
  DeviceLoop loop;
  LoopMark mark;
  if (!b || !device_allowed(b, stmt->span) || !begin_counted(t, range->start, range->stop, range->step, span, &counted))
    return COMPLETION_ERROR;
  warn_changes(t, frame, &stmt->For.body);
  enter_loop(b, &loop, frame, &mark, counted.labels.exit, span);
  Completion done = COMPLETION_ERROR;
  if (eval_assign(t, frame, stmt->For.target, value_register(t, counted.index, true)))
    done = check_body(t, eval_block(t, frame, &stmt->For.body), span);
  bool reached = done != COMPLETION_ERROR && end_body(b, &loop, done, span);
  leave_loop(b, &loop, frame);
  if (done == COMPLETION_ERROR)
    return done;
  end_counted(b, &counted, reached, span);
  if (stmt->For.orelse.count) {
    raise_error(t, E_DEVICE_FLOW, stmt->span, "`else` of a loop that runs on the device");
    return COMPLETION_ERROR;
  }
  return COMPLETION_NORMAL;
}

static Completion on_while(Tracer *t, Frame *frame, const Stmt *stmt, Value condition)
{
  Builder *b = builder_need(t, "a device loop", stmt->span);
  Span span = stmt->While.test->span;
  DeviceLoop loop;
  LoopMark mark;
  if (!b || !device_allowed(b, stmt->span))
    return COMPLETION_ERROR;
  if (stmt->While.orelse.count) {
    raise_error(t, E_DEVICE_FLOW, stmt->span, "`else` of a loop that runs on the device");
    return COMPLETION_ERROR;
  }
  const char *body = builder_number(b, "body"), *exit_label = builder_number(b, "exit");
  warn_changes(t, frame, &stmt->While.body);
  branch_on(b, condition, body, exit_label, span);
  builder_open(b, body);
  enter_loop(b, &loop, frame, &mark, exit_label, span);
  Completion done = check_body(t, eval_block(t, frame, &stmt->While.body), span);
  bool reached = done != COMPLETION_ERROR && end_body(b, &loop, done, span);
  leave_loop(b, &loop, frame);
  if (done == COMPLETION_ERROR)
    return done;
  // The condition is an expression of registers: it is computed again for the next iteration.
  if (reached) {
    if (!eval_expr(t, frame, stmt->While.test, &condition))
      return COMPLETION_ERROR;
    if (!value_is_register(condition) &&
        !(condition.tag == VALUE_OBJECT && condition.object->type == &condition_type)) {
      raise_error(t, E_DEVICE_FLOW, span, "the condition of a device loop becomes %s", describe(t, condition));
      return COMPLETION_ERROR;
    }
    branch_on(b, condition, body, exit_label, span);
  }
  builder_open(b, exit_label);
  return COMPLETION_NORMAL;
}

const DeviceHooks device_hooks = {on_if, on_while, on_for};

// ---- the same, evaluated while the kernel runs

bool device_register(const RegisterObject *reg, ReadRegister *read, void *context, double *out)
{
  if (!read(context, reg->root->name, out))
    return false;
  *out = *out * (double)reg->scale + (double)reg->bias;
  return true;
}

bool device_condition(Value condition, ReadRegister *read, void *context, bool *out)
{
  const RegisterObject *reg = value_is_register(condition);
  double left, right;
  if (reg) {
    bool known = device_register(reg, read, context, &left);
    *out = known && left != 0;
    return known;
  }
  const Condition *test = (const Condition *)condition.object;
  right = (double)test->imm;
  if (!read(context, test->reg1, &left) || (test->op >= BR_CMP_OP_LT_REG && !read(context, test->reg2, &right)))
    return false;
  *out = branch_holds(test->op, left, right);
  return true;
}

bool device_loop_begin(Tracer *t, Value iterable, Span span, Value *index, Value *test)
{
  const DynamicRange *range = (const DynamicRange *)iterable.object;
  Builder *b = builder_need(t, "a device loop", span);
  const char *first, *limit;
  if (!b || !device_allowed(b, span) || !bound_register(t, range->start, "start", span, &first) ||
      !bound_register(t, range->stop, "end", span, &limit))
    return false;
  *index = value_register(t, first, true);
  return register_compare(t, CMP_OP_Lt, *index, value_register(t, limit, true), span, test) == OUTCOME_OK;
}

void device_loop_next(Tracer *t, Value iterable, Value index, Span span)
{
  const DynamicRange *range = (const DynamicRange *)iterable.object;
  const char *name = value_is_register(index)->name;
  alu_imm(builder_of(t), name, name, ALU_OP_ADD, range->step, "step", span);
}

// ---- instruction order

static void change_order(Builder *b, bool no_reorder, Span span)
{
  const char *label = builder_number(b, "label");
  if (!b->label)
    return;
  builder_jump(b, label, span);
  b->no_reorder = no_reorder;
  builder_open(b, label);
}

static Outcome no_reorder_enter(Tracer *t, Value self, Span span, Value *out)
{
  Builder *b = builder_need(t, "`nl.no_reorder`", span);
  if (!b)
    return OUTCOME_ERROR;
  if (b->no_reorder_depth++ == 0)
    change_order(b, true, span);
  *out = self;
  return OUTCOME_OK;
}

static Outcome no_reorder_exit(Tracer *t, Value self, Span span)
{
  Builder *b = builder_of(t);
  (void)self;
  if (b && --b->no_reorder_depth == 0)
    change_order(b, false, span);
  return OUTCOME_OK;
}

const NativeType no_reorder_type = {.name = "no_reorder", .enter = no_reorder_enter, .exit = no_reorder_exit};

bool klr_no_reorder(Tracer *t, const Call *call, Value *out)
{
  NativeObject *made = arena_new(&t->arena, NativeObject);
  (void)call;
  made->type = &no_reorder_type;
  *out = value_object(VALUE_OBJECT, made);
  return true;
}
