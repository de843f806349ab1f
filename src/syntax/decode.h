// decode.h -- a file's bytes as UTF-8 text.

#pragma once
#include "base/session.h"

// Makes `source->text` valid UTF-8 without a byte order mark, converting it when a `# -*- coding: NAME -*-` line asks
// for that. Places afterwards count bytes of the converted text. False after reporting: NUL bytes, bytes that are not
// of the encoding, an unknown encoding, more than 4 GB.
bool source_decode(Session *session, Source *source);
