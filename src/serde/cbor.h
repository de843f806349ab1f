// cbor.h -- the binary form: CBOR with a tag for every structure (docs/format.md).
//
// The reader is strict: definite lengths, shortest encodings, valid UTF-8 without NUL, nothing left over. So a value
// has one encoding, and what is read and written again is the same bytes.

#pragma once
#include "serde/form.h"

// Told of every item of the bytes in order, without gaps: `meaning` is "natural 128", "TensorName, 8 fields".
typedef void CborNote(void *context, const CoreReader *reader, size_t start, size_t end, const char *meaning);

typedef struct CborObserver {
  CborNote *note;
  void *context;
} CborObserver;

// For a reader made by core_reader_init: the bytes to read, and who wants to hear of the items (NULL: nobody).
void cbor_set_bytes(CoreReader *reader, Str bytes, const CborObserver *observer);

extern const WriterForm cbor_writer_form;
extern const ReaderForm cbor_reader_form;

// One item of any type, for contents that we have no description of; names tags by number.
bool cbor_skip_value(CoreReader *reader);

// Nothing may follow the last value.
bool cbor_expect_end(CoreReader *reader);
