// text_parse.c -- the text form read back: one line an item, several errors a run.

#include "core/text.h"
#include "core/text_parser.h"
#include "core/text_syntax.h"

typedef Vec(Block *) BlockVec;
typedef Vec(const Instr *) InstrVec;

// ---- operators

// KEY '=' VALUE for the attributes of `op`; `*seen` has a bit for each field that has a value.
static bool parse_attributes(TextParser *p, Op *op, const FieldInfo *fields, uint32_t count, uint64_t *seen,
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
      return text_unknown_name(p, key, "attribute", names, name_count);
    }
    if (is_name ? *name != NULL : *seen >> i & 1)
      return text_fail_at(p, key.start, key.end, E_CORE_TEXT, "attribute `%.*s` is given twice", STR_ARG(key.text));
    text_advance(p);
    if (!text_take_sign(p, "="))
      return false;
    if (is_name ? !text_take_name(p, "a name", name)
                : !text_parse_value(p, fields[i].type, (char *)op + fields[i].offset))
      return false;
    if (!is_name)
      *seen |= UINT64_C(1) << i;
  }
  return true;
}

static bool parse_side(TextParser *p, Op *op, const FieldInfo *fields, uint32_t count, TextSide side, uint64_t *seen)
{
  bool first = true;
  for (uint32_t i = 0; i < count; i++) {
    if (text_side(&fields[i]) != side)
      continue;
    if ((!first && !text_take_sign(p, ",")) || !text_parse_value(p, fields[i].type, (char *)op + fields[i].offset))
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
static bool parse_branch(TextParser *p, struct Op_cmp_branch *branch)
{
  *branch = (struct Op_cmp_branch){.reg1 = "", .reg2 = "", .op = BR_CMP_OP_ALWAYS, .false_label = ""};
  bool conditional = text_accept_word(p, "if");
  if (conditional) {
    if (!text_parse_text(p, &core_REGISTER, &branch->reg1))
      return false;
    Token sign = p->token;
    if (sign.kind != TOKEN_SIGN || !text_find_comparison(sign.text, false, &branch->op))
      return text_expected(p, "a comparison");
    text_advance(p);
    bool with_register = text_at_sign(p, "%");
    text_find_comparison(sign.text, with_register, &branch->op);
    if (with_register ? !text_parse_text(p, &core_REGISTER, &branch->reg2)
                      : !text_take_signed(p, INT64_MIN, INT64_MAX, &branch->imm))
      return false;
  }
  if (!text_accept_word(p, "goto"))
    return text_expected(p, "`goto`");
  if (!text_take_name(p, "a label", &branch->true_label))
    return false;
  return !conditional || ((text_accept_word(p, "else") || text_expected(p, "`else`")) &&
                          text_take_name(p, "a label", &branch->false_label));
}

static bool unknown_operator(TextParser *p)
{
  const char *names[OP_COUNT];
  for (int i = 0; i < OP_COUNT; i++)
    names[i] = op_info((OpKind)i)->name;
  return text_unknown_name(p, p->token, "operator", names, OP_COUNT);
}

// OPERATOR: NAME (VALUE (',' VALUE)*)? ('=' VALUE (',' VALUE)*)? ATTRIBUTES | BRANCH
static bool parse_op(TextParser *p, Op **out, const char **name)
{
  OpKind kind = OP_cmp_branch;
  Token start = p->token;
  uint64_t seen = 0;
  uint32_t count;
  if (text_at_word(p, "if") || text_at_word(p, "goto")) {
    *out = op_new(p->arena, kind);
    const FieldInfo *branch_fields = op_info(kind)->fields(&count);
    return parse_branch(p, &(*out)->cmp_branch) && parse_attributes(p, *out, branch_fields, count, &seen, name);
  }
  if (p->token.kind != TOKEN_NAME || !op_find(p->token.text, &kind))
    return p->token.kind == TOKEN_NAME ? unknown_operator(p) : text_expected(p, "an operator");
  text_advance(p);
  Op *op = *out = op_new(p->arena, kind);
  const FieldInfo *fields = op_info(kind)->fields(&count);
  bool left = has_side(fields, count, TEXT_LEFT), right = has_side(fields, count, TEXT_RIGHT);
  if ((left && !parse_side(p, op, fields, count, TEXT_LEFT, &seen)) || (left && right && !text_take_sign(p, "=")) ||
      (right && !parse_side(p, op, fields, count, TEXT_RIGHT, &seen)) ||
      !parse_attributes(p, op, fields, count, &seen, name))
    return false;
  for (uint32_t i = 0; i < count; i++)
    if (!(seen >> i & 1) && !text_is_omissible(fields[i].type))
      return text_fail_at(p, start.start, start.end, E_CORE_TEXT, "attribute `%s` of `%s` is missing", fields[i].name,
                          op_info(kind)->name);
  return true;
}

static bool take_optional(TextParser *p, Core_OPT_NAT *out)
{
  if (text_accept_word(p, "_"))
    return true;
  out->some = true;
  return text_take_unsigned(p, UINT64_MAX, &out->value);
}

// POSITION: ';' INT ':' INT ('..' (INT | '_') ':' (INT | '_'))?
static bool parse_position(TextParser *p, Pos *pos)
{
  uint64_t line = 0, column = 0;
  if (!text_take_unsigned(p, UINT32_MAX, &line) || !text_take_sign(p, ":") ||
      !text_take_unsigned(p, UINT32_MAX, &column))
    return false;
  pos->line = (uint32_t)line;
  pos->column = (uint32_t)column;
  return !text_accept_sign(p, "..") ||
         (take_optional(p, &pos->line_end) && text_take_sign(p, ":") && take_optional(p, &pos->column_end));
}

static bool parse_instr(TextParser *p, InstrVec *body)
{
  uint32_t start = p->token.start;
  Instr *instr = arena_new(p->arena, Instr);
  Pos *pos = arena_new(p->arena, Pos);
  pos->filename = p->filename;
  instr->pos = pos;
  if (!parse_op(p, &instr->op, &instr->name))
    return false;
  pos->span = (Span){p->source, start, p->last_end};
  if ((text_accept_sign(p, ";") && !parse_position(p, pos)) || !text_end_line(p))
    return false;
  vec_push(p->arena, body, instr);
  return true;
}

// ---- kernels

// TENSOR: 'tensor' HANDLE ':' DTYPE '[' INT (',' INT)* ']' '@' MEMORY ('in' NAME '[' INT ',' INT ']')?
//         ('at' '(' (INT | '_') ',' (INT | '_') ')')? 'shared'? 'rotate'? ('elements' '=' INT)?
static bool parse_tensor(TextParser *p)
{
  Token start = p->token;
  text_advance(p);
  Tensor *tensor = arena_new(p->arena, Tensor);
  Address *address = arena_new(p->arena, Address);
  Vec(uint64_t) sizes = {0};
  Str handle;
  uint32_t member = 0;
  Token name_token = p->token;
  if (!text_take_handle(p, &handle, &tensor->name))
    return false;
  uint32_t name_end = p->last_end;
  if (!text_take_sign(p, ":") || !text_take_member(p, core_DTYPE.of, &member) || !text_take_sign(p, "["))
    return false;
  tensor->dtype = (DType)member;
  do {
    uint64_t size;
    if (!text_take_unsigned(p, UINT64_MAX, &size))
      return false;
    vec_push(p->arena, &sizes, size);
  } while (text_accept_sign(p, ","));
  if (!text_take_sign(p, "]") || !text_take_sign(p, "@") || !text_take_member(p, core_MEMORY.of, &member))
    return false;
  tensor->shape = (Shape){sizes.items[0], {sizes.items + 1, (uint32_t)sizes.count - 1}};
  tensor->free_elements = 1;
  for (size_t i = 1; i < sizes.count; i++)
    tensor->free_elements *= sizes.items[i];
  *address = (Address){.name = tensor->name, .memory = (Memory)member, .par_size = sizes.items[0]};
  address->free_size = tensor->free_elements * dtype_bytes(tensor->dtype);
  if (text_accept_word(p, "in") &&
      (!text_take_name(p, "an address's name", &address->name) || !text_take_sign(p, "[") ||
       !text_take_unsigned(p, UINT64_MAX, &address->par_size) || !text_take_sign(p, ",") ||
       !text_take_unsigned(p, UINT64_MAX, &address->free_size) || !text_take_sign(p, "]")))
    return false;
  if (text_accept_word(p, "at") &&
      (!text_take_sign(p, "(") || !take_optional(p, &address->par_offset) || !text_take_sign(p, ",") ||
       !take_optional(p, &address->free_offset) || !text_take_sign(p, ")")))
    return false;
  address->is_shared = text_accept_word(p, "shared");
  tensor->address_rotation = text_accept_word(p, "rotate");
  if (text_accept_word(p, "elements") &&
      (!text_take_sign(p, "=") || !text_take_unsigned(p, UINT64_MAX, &tensor->free_elements)))
    return false;
  if (!text_end_line(p))
    return false;
  tensor->address = address;
  Pos *pos = arena_new(p->arena, Pos);
  pos->span = (Span){p->source, start.start, p->last_end};
  tensor->pos = pos;
  tensor->id = (uint32_t)p->tensors.count;
  if (map_get(&p->tensors, handle))
    return text_fail_at(p, name_token.start, name_end, E_CORE_TEXT, "tensor `%s` is declared twice", tensor->name);
  map_set(&p->tensors, handle, tensor);
  return true;
}

// Declarations first, so that a tensor may be used on lines above its own.
static void parse_declarations(TextParser *p)
{
  for (text_advance(p); p->token.kind != TOKEN_END;) {
    if (text_at_word(p, "tensor")) {
      Token next = text_second_token(p);
      // A label called `tensor` is followed by its colon.
      if (next.kind == TOKEN_NAME && !str_is(next.text, "no_reorder"))
        parse_tensor(p);
    }
    text_skip_line(p);
    if (p->token.kind == TOKEN_NEWLINE)
      text_advance(p);
  }
}

static bool parse_tensor_names(TextParser *p, Core_LIST_TENSOR *out)
{
  Vec(const Tensor *) tensors = {0};
  if (p->token.kind == TOKEN_NAME)
    do {
      const Tensor *tensor = NULL;
      if (!text_take_tensor(p, &tensor))
        return false;
      vec_push(p->arena, &tensors, tensor);
    } while (text_accept_sign(p, ","));
  *out = (Core_LIST_TENSOR){tensors.items, (uint32_t)tensors.count};
  return true;
}

// 'kernel' NAME '(' TENSORS ')' '->' '(' TENSORS ')'
static bool parse_header(TextParser *p, Kernel *kernel)
{
  if (kernel->name)
    return text_expected(p, "one kernel in a text");
  text_advance(p);
  kernel->name = "";
  return text_take_name(p, "the kernel's name", &kernel->name) && text_take_sign(p, "(") &&
         parse_tensor_names(p, &kernel->inputs) && text_take_sign(p, ")") && text_take_sign(p, "->") &&
         text_take_sign(p, "(") && parse_tensor_names(p, &kernel->outputs) && text_take_sign(p, ")") &&
         text_end_line(p);
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

static void close_core(TextParser *p, Sections *s)
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
static bool parse_constant(TextParser *p, Sections *s)
{
  SharedConstant constant;
  text_advance(p);
  if (!text_take_name(p, "a tensor's name", &constant.name) || !text_take_sign(p, "=") ||
      !text_take_quoted(p, "a quoted file name", &constant.file_name) || !text_end_line(p))
    return false;
  vec_push(p->arena, &s->constants, constant);
  return true;
}

// 'edge' NAME '->' (NAME (',' NAME)*)?
static bool parse_edge(TextParser *p, Sections *s)
{
  Edges edges;
  Vec(const char *) to = {0};
  text_advance(p);
  if (!text_take_name(p, "an instruction's name", &edges.from_edge) || !text_take_sign(p, "->"))
    return false;
  while (!text_at_line_end(p)) {
    const char *name = NULL;
    if ((to.count && !text_take_sign(p, ",")) || !text_take_name(p, "an instruction's name", &name))
      return false;
    vec_push(p->arena, &to, name);
  }
  edges.to_edges = (Core_LIST_STRING){to.items, (uint32_t)to.count};
  vec_push(p->arena, &s->edges, edges);
  return true;
}

// 'core' INT, numbered from 0 in order
static bool parse_core(TextParser *p, Sections *s)
{
  close_core(p, s);
  uint64_t number = 0;
  uint32_t start = p->token.start;
  text_advance(p);
  if (!text_take_unsigned(p, UINT32_MAX, &number))
    return false;
  s->in_core = true;
  if (number != s->bodies.count)
    return text_fail_at(p, start, p->last_end, E_CORE_TEXT, "cores are numbered from 0 in order: expected core %zu",
                        s->bodies.count);
  return text_end_line(p);
}

// 'file' (STRING | 'none')
static bool parse_file(TextParser *p)
{
  text_advance(p);
  if (text_accept_word(p, "none")) {
    p->filename = NULL;
    return text_end_line(p);
  }
  return text_take_quoted(p, "a quoted file name or `none`", &p->filename) && text_end_line(p);
}

// LABEL 'no_reorder'? ':'
static bool parse_label(TextParser *p, Sections *s)
{
  if (!s->in_core)
    return text_fail_at(p, p->token.start, p->token.end, E_CORE_TEXT,
                        "a block stands outside of a core: `core 0` comes first");
  close_block(s);
  Block *block = arena_new(p->arena, Block);
  block->label = text_keep(p, p->token.text);
  text_advance(p);
  block->no_reorder = text_accept_word(p, "no_reorder");
  vec_push(p->arena, &s->blocks, block);
  return text_take_sign(p, ":") && text_end_line(p);
}

static bool parse_line(TextParser *p, Kernel *kernel, Sections *s)
{
  if (p->token.kind != TOKEN_NAME)
    return text_expected(p, "a label, an operator or a declaration");
  Token next = text_second_token(p);
  if ((next.kind == TOKEN_SIGN && str_is(next.text, ":")) ||
      (next.kind == TOKEN_NAME && str_is(next.text, "no_reorder")))
    return parse_label(p, s);
  if (text_at_word(p, "kernel"))
    return parse_header(p, kernel);
  if (text_at_word(p, "tensor")) {
    text_skip_line(p);  // declared already
    return true;
  }
  if (text_at_word(p, "shared")) {
    text_advance(p);
    return parse_tensor_names(p, &kernel->shared_buffers) && text_end_line(p);
  }
  if (text_at_word(p, "constant"))
    return parse_constant(p, s);
  if (text_at_word(p, "edge"))
    return parse_edge(p, s);
  if (text_at_word(p, "core"))
    return parse_core(p, s);
  if (text_at_word(p, "file"))
    return parse_file(p);
  if (s->blocks.count == 0)
    return text_fail_at(p, p->token.start, p->token.end, E_CORE_TEXT,
                        "an operator stands outside of a block: a label comes first");
  return parse_instr(p, &s->body);
}

static TextParser parser_new(Session *session, Arena *arena, const Source *source)
{
  return (TextParser){.session = session,
                      .arena = arena,
                      .lexer = {arena, source->text.data, (uint32_t)source->text.len, 0},
                      .source = session_source_id(session, source),
                      .tensors = map_new(arena),
                      .names = map_new(arena)};
}

Kernel *core_parse_text(Session *session, Arena *arena, Source *source)
{
  TextParser parser = parser_new(session, arena, source), *p = &parser;
  Kernel *kernel = arena_new(arena, Kernel);
  Sections sections = {0};
  parse_declarations(p);
  p->lexer.at = 0;
  p->token = (Token){0};
  for (text_advance(p); p->token.kind != TOKEN_END;) {
    if (p->token.kind != TOKEN_NEWLINE && !parse_line(p, kernel, &sections))
      text_skip_line(p);
    if (p->token.kind == TOKEN_NEWLINE)
      text_advance(p);
  }
  close_core(p, &sections);
  if (!kernel->name && !p->last_error)
    text_fail_at(p, 0, 1, E_CORE_TEXT, "the text holds no kernel: expected a line `kernel NAME(...) -> (...)`");
  kernel->bodies = (Core_LIST_LIST_BLOCK){sections.bodies.items, (uint32_t)sections.bodies.count};
  kernel->shared_constants = (Core_LIST_SHARED_CONSTANT){sections.constants.items, (uint32_t)sections.constants.count};
  kernel->edges = (Core_LIST_EDGES){sections.edges.items, (uint32_t)sections.edges.count};
  return p->last_error ? NULL : kernel;
}
