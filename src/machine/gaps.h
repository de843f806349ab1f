// gaps.h -- uses that the documents leave open: gaps.def as a table, and how the static checks stop at one.

#pragma once
#include "core/core.h"

typedef enum Gap {
#define GAP(name, id, topic, kind, open, choice, source) GAP_##name,
#include "machine/gaps.def"
  GAP_COUNT,
} Gap;

typedef enum GapKind {
  GAP_KIND_CHOICE,  // always decided as `choice` says
  GAP_KIND_USE,     // stops, or with --lenient goes on as `choice` says
} GapKind;

typedef struct GapInfo {
  const char *id;
  const char *topic;  // the instructions, without their module and with ", " in between, or a subject
  GapKind kind;
  const char *open, *choice, *source;
} GapInfo;

struct Reporter;  // core/verify_tile.h

const GapInfo *gap_info(Gap gap);
bool gap_find(Str id, Gap *gap);
bool gap_is_about(Gap gap, Str topic);  // one of its topics

// Says what is open and what to do about it, on an E_UNSPECIFIED or W_UNSPECIFIED.
void gap_describe(Diag *diag, Gap gap, bool is_error);

// At `pos`, once for each place: an error, after which reporter->failed; or a warning when the session is lenient.
// The diagnostic, for labels; NULL when this place was told before.
Diag *gap_report(struct Reporter *reporter, const Pos *pos, Gap gap, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
