#include "syntax/dump.h"
#include "syntax/names.h"
#include "syntax/parser.h"
#include "syntax/tokens.h"
#include "syntax/unicode.h"
#include "test.h"

#include <stdlib.h>

typedef struct Parsed {
  Session *session;
  Arena arena;
  Module *module;
} Parsed;

static void parse(Parsed *parsed, const char *text)
{
  parsed->session = session_new();
  parsed->arena = (Arena)ARENA_INIT;
  Source *source = session_add_source(parsed->session, "test.py", str_from(text));
  parsed->module = parse_module(parsed->session, &parsed->arena, source);
}

static void release(Parsed *parsed)
{
  arena_free(&parsed->arena);
  session_free(parsed->session);
}

static Str text_of(const Parsed *parsed, Span span)
{
  return (Str){parsed->module->source->text.data + span.start, span.end - span.start};
}

// The text that `text` is printed as, which must parse to the same tree.
static void expect_printed(const char *text, const char *printed)
{
  Parsed first, second;
  parse(&first, text);
  EXPECT(!first.module->has_errors);
  StrBuf source = strbuf_new(&first.arena), tree = strbuf_new(&first.arena), again = strbuf_new(&first.arena);
  ast_print(first.module, &source);
  EXPECT_TEXT(strbuf_cstr(&source), printed);
  parse(&second, strbuf_cstr(&source));
  ast_dump_without_places(first.module, &tree);
  ast_dump_without_places(second.module, &again);
  EXPECT_TEXT(strbuf_cstr(&again), strbuf_cstr(&tree));
  release(&second);
  release(&first);
}

TEST(syntax_every_keyword_is_found_and_nothing_else)
{
#define KEYWORD(name, text, slot) EXPECT_INT(token_keyword(text, sizeof text - 1), ==, TOKEN_##name);
#include "syntax/tokens.def"
  EXPECT_INT(token_keyword("iff", 3), ==, TOKEN_NAME);
  EXPECT_INT(token_keyword("_", 1), ==, TOKEN_NAME);
  EXPECT_INT(token_keyword("nonlocals", 9), ==, TOKEN_NAME);
}

TEST(syntax_spans_are_where_the_text_is)
{
  Parsed p;
  parse(&p, "x = 1\nresult = call(a, (b + c) * 2)  # why\n");
  EXPECT_INT(p.module->body.count, ==, 2);
  const Stmt *s = p.module->body.items[1];
  EXPECT(str_is(text_of(&p, s->span), "result = call(a, (b + c) * 2)"));
  const Expr *call = s->Assign.value;
  EXPECT(str_is(text_of(&p, call->Call.args.items[1]->span), "(b + c) * 2"));
  EXPECT(str_is(text_of(&p, call->Call.args.items[1]->BinOp.left->span), "b + c"));
  EXPECT_INT(p.module->comment_count, ==, 1);
  EXPECT(str_is(text_of(&p, p.module->comments[0].span), "# why"));
  release(&p);
}

TEST(syntax_docstring_is_the_first_statement)
{
  Parsed p;
  parse(&p, "# first\n'''Loads\\ttiles.'''\nx = 1\n");
  EXPECT_TEXT(p.module->docstring, "Loads\ttiles.");
  release(&p);
  parse(&p, "x = 1\n'no'\n");
  EXPECT(p.module->docstring == NULL);
  release(&p);
  parse(&p, "f'no'\n");
  EXPECT(p.module->docstring == NULL);
  release(&p);
}

TEST(syntax_errors_leave_error_nodes_and_reading_goes_on)
{
  Parsed p;
  parse(&p, "a = 1\nb = = 2\nc = [1, 2 3]\nd = f(1 +) + g(,)\nif x\n    e = 5\n    g = )\nh = 4\n");
  EXPECT(p.module->has_errors);
  EXPECT_INT(p.session->error_count, ==, 6);
  EXPECT_INT(p.module->body.count, ==, 6);
  EXPECT_INT(p.module->body.items[1]->kind, ==, STMT_Error);
  EXPECT_INT(p.module->body.items[2]->kind, ==, STMT_Assign);
  EXPECT_INT(p.module->body.items[4]->kind, ==, STMT_If);
  EXPECT_INT(p.module->body.items[4]->If.body.count, ==, 2);
  for (size_t i = 1; i < p.session->diags.count; i++)
    EXPECT(p.session->diags.items[i - 1]->primary.span.start <= p.session->diags.items[i]->primary.span.start);
  release(&p);
}

TEST(syntax_says_which_python_is_needed)
{
  static const struct {
    const char *text;
    int minor;
  } cases[] = {
      {"x = f'{a}'\n", 9},           {"match a:\n  case 1: pass\n", 10},  {"try: a\nexcept* B: c\n", 11},
      {"x[*a]\n", 11},               {"def f(*a: *b): pass\n", 11},       {"type X = int\n", 12},
      {"def f[T](): pass\n", 12},    {"class A[T = int]: pass\n", 13},    {"x = f'{'a'}'\n", 12},
      {"x = f'{\"\\n\"}'\n", 12},    {"x = f'{a:{b:{c}}}'\n", 12},        {"x = f'{a\n}'\n", 12},
      {"x = f'{f\"{f'{1}'}\"}'\n", 12},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Parsed p;
    parse(&p, cases[i].text);
    EXPECT(!p.module->has_errors);
    EXPECT_INT(p.module->minor_version, ==, cases[i].minor);
    release(&p);
  }
}

TEST(syntax_source_is_printed_with_the_brackets_it_needs)
{
  expect_printed("x=(a+b)*(c*d)", "x = (a + b) * (c * d)\n");
  expect_printed("x=((a+b)+c)-(d-e)", "x = a + b + c - (d - e)\n");
  expect_printed("-(a**-b)", "-a**-b\n");
  expect_printed("(-a)**b", "(-a)**b\n");
  expect_printed("not(a and(b or c))", "not (a and (b or c))\n");
  expect_printed("(a,), = b = yield", "(a,), = b = yield\n");
  expect_printed("x[(1,2):,::3,...]", "x[(1, 2):, ::3, ...]\n");
  expect_printed("(1).real; 1.0.real", "(1).real\n1.0.real\n");
  expect_printed("f(*a,b=1,**c)\n(lambda x,/,y=1,*,z:0)()", "f(*a, b=1, **c)\n(lambda x, /, y=1, *, z: 0)()\n");
  expect_printed("f((x for x in y),1)\nf(x for x in y)", "f((x for x in y), 1)\nf(x for x in y)\n");
  expect_printed("with ((a,b)): pass\nwith (a,b): pass", "with ((a, b)):\n    pass\nwith a, b:\n    pass\n");
  expect_printed("x = f\"{a!r:>{w}}{{{ {1} }'\\\"\"", "x = f\"{a!r:>{w}}{{{ {1}}'\\\"\"\n");
  expect_printed("x = f'{(lambda:a)}{(yield lambda:a)}{(a,lambda:b)}{a if b else(lambda:c)}{(a:=1)}'",
                 "x = f\"{(lambda: a)}{(yield lambda: a)}{(a, lambda: b)}{(a if b else lambda: c)}{(a := 1)}\"\n");
  expect_printed("if a:b\nelif c:d\nelse:e", "if a:\n    b\nelif c:\n    d\nelse:\n    e\n");
  expect_printed("(a:=1);[b:=2]\nx[c:=3]", "(a := 1)\n[b := 2]\nx[c := 3]\n");
  expect_printed("match a,:\n case[1|(2 as b),*_]|{'k':-1+2j,**r}|C(1,k=None)if x:pass",
                 "match a,:\n    case [1 | (2 as b), *_] | {'k': -1 + 2j, **r} | C(1, k=None) if x:\n        pass\n");
  expect_printed("type X[T:int,*A,**P]=T", "type X[T: int, *A, **P] = T\n");
  expect_printed("x = 1e999, 1e999j, 0xffffffffffffffffffff, u'a', b'\\0'",
                 "x = 1e999, 1e999j, 0xffffffffffffffffffff, u'a', b'\\x00'\n");
}

static ExprKind expression_kind(const char *text)
{
  Session *session = session_new();
  Arena arena = ARENA_INIT;
  Expr *e = parse_expression(session, &arena, session_add_source(session, "argument", str_from(text)));
  ExprKind kind = (ExprKind)e->kind;
  EXPECT((kind == EXPR_Error) == (session->error_count > 0));
  arena_free(&arena);
  session_free(session);
  return kind;
}

TEST(syntax_one_expression)
{
  EXPECT_INT(expression_kind("(0, 1)"), ==, EXPR_Tuple);
  EXPECT_INT(expression_kind("  3\n"), ==, EXPR_Constant);
  EXPECT_INT(expression_kind("-1"), ==, EXPR_UnaryOp);
  EXPECT_INT(expression_kind("a, b"), ==, EXPR_Tuple);
  EXPECT_INT(expression_kind(""), ==, EXPR_Error);
  EXPECT_INT(expression_kind("x = 1"), ==, EXPR_Error);
  EXPECT_INT(expression_kind("1; 2"), ==, EXPR_Error);
  EXPECT_INT(expression_kind("1\n2"), ==, EXPR_Error);
  EXPECT_INT(expression_kind("(1"), ==, EXPR_Error);
  EXPECT_INT(expression_kind("pass"), ==, EXPR_Error);
}

TEST(syntax_numbers_are_exact)
{
  Parsed p;
  parse(&p, "9223372036854775807; 9223372036854775808; 0x7fff_ffff_ffff_ffff; 1_0.5e-1; 4.35; 1e23; 0.1\n"
            "123456789012345678901234567890.; 2e-324; 0b1_01");
  const StmtList body = p.module->body;
  EXPECT_INT(body.count, ==, 10);
#define VALUE(i) body.items[i]->Expr.value->Constant.value
  EXPECT_INT(VALUE(0).integer, ==, INT64_MAX);
  EXPECT_INT(VALUE(1).kind, ==, CONSTANT_BIG_INT);
  EXPECT_INT(VALUE(2).integer, ==, INT64_MAX);
  EXPECT(VALUE(3).real == 1.05);
  EXPECT(VALUE(4).real == 4.35);
  EXPECT(VALUE(5).real == 1e23);
  EXPECT(VALUE(6).real == 0.1);
  EXPECT(VALUE(7).real == 123456789012345678901234567890.0);
  EXPECT(VALUE(8).real == 0.0);
  EXPECT_INT(VALUE(9).integer, ==, 5);
  release(&p);
}

// Parses with an allocation that fails in one of the two arenas; true when there were not so many allocations.
static bool survives_failure(int64_t n)
{
  static const char text[] =
      "'''doc'''\ndef f(a, b=f'{x:{y}}'):\n    return [a for b in c if d] + g(*a, k=1) # c\nmatch x:\n"
      "    case {'a': [1, *_]}: \xC3\xA9 = \"\\N{BULLET}\"\ny = (1 +\n";
  Session *session = session_new();
  Arena arena = ARENA_INIT;
  Source *source = session_add_source(session, "test.py", STR(text));
  jmp_buf handler;
  session->arena.on_exhausted = arena.on_exhausted = &handler;
  volatile bool done = false;
  if (setjmp(handler) == 0) {
    *(n % 2 ? &arena.fail_after : &session->arena.fail_after) = n / 2;
    parse_module(session, &arena, source);
    done = true;
  }
  EXPECT(session->arena.on_exhausted == &handler && arena.on_exhausted == &handler);
  arena_free(&arena);
  session_free(session);
  return done;
}

TEST(syntax_every_allocation_may_fail)
{
  int64_t survived = 0;
  for (int64_t n = 0; n < 1000; n++)
    survived += survives_failure(n);
  EXPECT_INT(survived, >, 600);
  EXPECT_INT(survived, <, 1000);
}

TEST(syntax_character_names)
{
  uint32_t c;
  EXPECT(unicode_find_name(STR("BULLET"), &c));
  EXPECT_HEX(c, ==, 0x2022);
  EXPECT(unicode_find_name(STR("hangul syllable ga"), &c) == false);
  EXPECT(unicode_find_name(STR("HANGUL SYLLABLE HIH"), &c));
  EXPECT_HEX(c, ==, 0xD7A3);
  EXPECT(!unicode_find_name(STR("BULET"), &c));
}

// A long line, or a long file, must take linear time and little stack; absurd ones end in an error.
TEST(syntax_large_texts)
{
  size_t bytes = 4 << 20;
  char *text = malloc(bytes + 1);
  static const char *const units[] = {"a, ",   "((",  "'x' ", "f(a[0]) + ",  "# ",   "\n",
                                      "x = 1\n", "\\\n", "f'{",  "1 ", "\"\\x\" ", "\"\\d\" "};
  for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
    size_t len = strlen(units[k]);
    for (size_t i = 0; i < bytes; i++)
      text[i] = units[k][i % len];
    text[bytes] = '\0';
    Parsed p;
    parse(&p, text);
    EXPECT(p.session->diags.count <= 210);
    release(&p);
  }
  free(text);
}
