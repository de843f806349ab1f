// diag.h -- what is said to the user: errors and warnings with a code, places, reasons and a next step.
//
//   Diag *diag = diag_error(session, E_SHAPE_MISMATCH, "operands of `%s` have different shapes", op);
//   diag_primary(diag, call->span, "`%s` is %s, `%s` is %s", ...);
//   diag_label(diag, b->span, "`%s` got its shape here: %s", ...);
//   diag_help(diag, "`tensor_scalar` applies one value per partition: ...");
//
// Text: lower case, no full stop, the user's names in backticks; what was found, what was expected, a next step.
// Reported once, where it is noticed; callers hand the failure on and add nothing. Every code has a row in a
// diag_*.def file with a long explanation, which `klr explain CODE` prints.

#pragma once
#include "base/source.h"
#include "base/vec.h"

typedef struct Session Session;

typedef enum Severity { SEVERITY_ERROR, SEVERITY_WARNING } Severity;

typedef enum DiagCode {
#define DIAG(name, code, title, explanation) name,
#include "base/diag.def"
  DIAG_CODE_COUNT
} DiagCode;

typedef struct DiagInfo {
  const char *code;         // "E0312", "W0105"
  const char *title;        // one line
  const char *explanation;  // paragraphs and an example
} DiagInfo;

const DiagInfo *diag_info(DiagCode code);
bool diag_find(const char *code, DiagCode *out);  // "E0312", in any case

typedef struct DiagLabel {
  Span span;
  const char *text;
} DiagLabel;

// A place that has no source text at hand (a loaded .klr file): path and line only.
typedef struct DiagFrame {
  const char *path;
  uint32_t line, column;  // 0: unknown
  const char *text;       // "called from here", "in function `f`"
} DiagFrame;

typedef struct Diag {
  Session *session;
  DiagCode code;
  Severity severity;
  const char *message;
  DiagLabel primary;  // span may be none
  DiagFrame where;    // used when `primary` has no span; path may be NULL
  Vec(DiagLabel) labels;
  Vec(DiagLabel) calls;  // the call stack, innermost first
  Vec(const char *) notes;
  Vec(const char *) helps;
  const char *data;  // for programs: the text of a JSON value; NULL: none
} Diag;

// The severity is the first letter of the code: E or W. In strict mode warnings marked so become errors.
Diag *diag_error(Session *session, DiagCode code, const char *format, ...) __attribute__((format(printf, 3, 4)));
Diag *diag_warning(Session *session, DiagCode code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_primary(Diag *diag, Span span, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_where(Diag *diag, const char *path, uint32_t line, uint32_t column);
void diag_label(Diag *diag, Span span, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_call(Diag *diag, Span span, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_note(Diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));
void diag_help(Diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));

// What programs read beside the message, one JSON value as text; kept by the caller.
void diag_data(Diag *diag, const char *json);

// "did you mean `x`?" when a candidate is near enough, nothing otherwise.
void diag_suggest(Diag *diag, Str found, const char *const *candidates, size_t count);

// All of the session's diagnostics in order of their report, as people read them or as a JSON array.
void diag_print_text(const Session *session, StrBuf *out, bool color);
void diag_print_json(const Session *session, StrBuf *out);
void diag_print_one(const Diag *diag, StrBuf *out, bool color);
