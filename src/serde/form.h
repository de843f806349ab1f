// form.h -- one walk over any described value, for every written form.
//
// write.c and read.c know TypeInfo and nothing of bytes; a form (CBOR, JSON, S-expression) knows how scalars, lists,
// options and constructors look and nothing of kernels. A new operator, type or kind needs no line here; a new form is
// one table of functions for each direction.
//
// A structure and a constructor of a sum are both a Head and then fields; an enumeration is a Head without fields.

#pragma once
#include "base/map.h"
#include "core/core.h"

// Where a walk is: `bodies[0][0].body[3].op.ncMatMul.dst`, innermost step first. Steps live on the C stack.
typedef struct Step {
  const struct Step *up;
  const char *name; // of a field or constructor; NULL: item `index` of a list
  uint32_t index;
} Step;

void step_print(const Step *step, StrBuf *out);

// Every list type has this layout.
typedef struct AnyList {
  char *items;
  uint32_t count;
} AnyList;

typedef struct Head {
  const char *type;    // "NcMatMul"
  const char *ctor;    // "ncMatMul"; NULL: a structure
  uint8_t tag, number; // number: of the constructor, 0 for structures
  uint32_t count;      // fields, those that occupy no bytes included
  uint32_t proofs;     // fields that are counted and occupy no bytes
} Head;

enum {
  DEPTH_LIMIT = 200,      // nested structures in a value
  TEXT_LIMIT = 64 * 1024, // bytes of a text in a kernel
  FIELD_LIMIT = 23,       // fields of a structure
};

// ---- writing
typedef struct CoreWriter CoreWriter;

typedef struct WriterForm {
  bool omits_none; // an absent field of a structure is left out
  bool is_narrow;  // numbers are limited to 32 bits and texts in length
  void (*boolean)(CoreWriter *writer, bool value);
  void (*natural)(CoreWriter *writer, uint64_t value);
  void (*integer)(CoreWriter *writer, int64_t value);
  void (*real32)(CoreWriter *writer, float value);
  void (*real64)(CoreWriter *writer, double value);
  void (*text)(CoreWriter *writer, Str value);
  void (*none)(CoreWriter *writer);
  void (*begin_some)(CoreWriter *writer);
  void (*end_some)(CoreWriter *writer);
  void (*begin_list)(CoreWriter *writer, uint32_t count);
  void (*end_list)(CoreWriter *writer);
  void (*begin)(CoreWriter *writer, const Head *head);
  void (*field)(CoreWriter *writer, const char *name);
  void (*end_field)(CoreWriter *writer);
  void (*end)(CoreWriter *writer, const Head *head);
} WriterForm;

struct CoreWriter {
  Session *session;
  const WriterForm *form;
  StrBuf *out;
  void *state;         // the form's own
  uint32_t text_limit; // bytes; 0: none
  const Step *step;
  const Instr *instr; // the instruction being written, for errors
  uint32_t depth;
  bool uses_extensions; // something was written that format 0.0.12 does not have
  bool failed;          // an error was reported; what is in `out` is worthless
};

// Writes `value`; sets writer->failed after reporting what the form cannot hold.
void core_write_value(CoreWriter *writer, const TypeInfo *type, const void *value);
void core_write_natural(CoreWriter *writer, uint64_t value);
void core_write_integer(CoreWriter *writer, int64_t value);
void core_write_text(CoreWriter *writer, Str text);

// What `write` writes as a JSON document, or as the contents of a .klr file of format `NKI`. False after reporting, and
// then `out` is as before.
typedef void WriteWith(CoreWriter *writer, const void *context);
bool json_write_with(Session *session, int indent, WriteWith *write, const void *context, StrBuf *out);
bool klr_write_with(Session *session, const Head *contents, WriteWith *write, const void *context, StrBuf *out);
bool cbor_write_with(Session *session, WriteWith *write, const void *context, StrBuf *out); // without the container

// ---- reading
typedef struct CoreReader CoreReader;

// Functions return false after reporting. Forms that are read from a tree move `node` of the reader to a field or item,
// and read.c puts it back after it; forms that are read as a stream move `next`.
typedef struct ReaderForm {
  DiagCode code; // of errors
  bool is_narrow;
  bool is_canonical; // a value has one encoding, and others are refused
  bool (*boolean)(CoreReader *reader, bool *out);
  bool (*natural)(CoreReader *reader, uint64_t most, uint64_t *out);
  bool (*integer)(CoreReader *reader, int64_t least, int64_t most, int64_t *out);
  bool (*real32)(CoreReader *reader, float *out);
  bool (*text)(CoreReader *reader, Str *out); // valid UTF-8 without NUL
  bool (*begin_option)(CoreReader *reader, bool *some);
  bool (*begin_list)(CoreReader *reader, uint32_t item_least_bytes, uint32_t *count);
  bool (*item)(CoreReader *reader, const void *list, uint32_t index); // node: `list`, or item `index - 1` of it
  // `head` says what is expected; the number of fields found, at most `most`, goes to *count.
  bool (*begin_struct)(CoreReader *reader, const Head *head, uint32_t most, uint32_t *count);
  bool (*begin_sum)(CoreReader *reader, const TypeInfo *sum, uint32_t *choice);
  // The next field; *absent (not NULL when the field may be left out): it is.
  bool (*field)(CoreReader *reader, const char *name, uint32_t index, bool *absent);
  bool (*end)(CoreReader *reader, const FieldInfo *fields, uint32_t count); // nothing may be left over
  // Adds where the cursor is to a message, such as "byte 12: ", and finds its line and column if it has any.
  void (*place)(CoreReader *reader, StrBuf *text, uint32_t *line, uint32_t *column);
} ReaderForm;

struct CoreReader {
  Session *session;
  Arena *arena; // the result's
  const ReaderForm *form;
  const char *path;               // of the file, for errors
  const void *node;               // cursor in a tree
  const char *start, *next, *end; // cursor in a stream
  void *state;                    // the form's own
  uint32_t text_limit;
  const Step *step;
  uint32_t depth;
  bool allows_extensions, uses_extensions;
  bool failed;
  uint32_t tensor_count;
  Map texts;  // every text read, once
  Map shared; // tensors, addresses and positions by hash: equal content is one value
};

// Reads a value of `type` into `out` (type->bytes bytes). False after reporting.
bool core_read_value(CoreReader *reader, const TypeInfo *type, void *out);
void core_reader_init(CoreReader *reader, Session *session, Arena *arena, const ReaderForm *form, const char *path);

// Reports once, with the place and the path of the value; always false.
bool read_error(CoreReader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool read_error_code(CoreReader *reader, DiagCode code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void write_error(CoreWriter *writer, DiagCode code, const char *format, ...) __attribute__((format(printf, 3, 4)));

// ---- what may stand where: the members of an enumeration, the constructors of a sum, the operators
uint32_t choice_count(const TypeInfo *sum);
const char *choice_name(const TypeInfo *sum, uint32_t choice);
uint32_t choice_number(const TypeInfo *sum, uint32_t choice);
uint32_t choice_fields(const TypeInfo *sum, uint32_t choice); // 0 or 1
bool choice_of_number(const TypeInfo *sum, uint32_t number, uint32_t *choice);
bool choice_of_name(const TypeInfo *sum, Str name, uint32_t *choice);
bool is_option(const TypeInfo *type);
bool is_default(const TypeInfo *type, const char *value); // what an extension field is when no file mentions it
uint32_t count_extensions(const FieldInfo *fields, uint32_t count);
const char *ctor_of_struct(const TypeInfo *type); // a statement is a sum of one constructor in files, a structure here
void suggest_choice(Diag *diag, const TypeInfo *sum, Str found);
