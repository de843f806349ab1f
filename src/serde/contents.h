// contents.h -- what a file holds, in any form.

#pragma once
#include "serde/form.h"
#include "serde/klr_file.h"

void contents_write(CoreWriter *writer, const KlrFile *file);
bool contents_read(CoreReader *reader, KlrFile *file);

// In two steps: the constructor, then what it carries.
bool contents_begin(CoreReader *reader, KlrFile *file);
bool contents_read_inside(CoreReader *reader, KlrFile *file);
bool contents_is_read(KlrContents contents); // false: recognised only

extern const TypeInfo contents_type;
