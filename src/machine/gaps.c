// gaps.c -- gaps.def as data, and reports of uses that the documents leave open.

#include "machine/gaps.h"
#include "core/verify_tile.h"

#include <string.h>

static const GapInfo infos[] = {
#define GAP(name, id, topic, kind, open, choice, source) {id, topic, GAP_KIND_##kind, open, choice, source},
#include "machine/gaps.def"
};

const GapInfo *gap_info(Gap gap)
{
  return &infos[gap];
}

bool gap_find(Str id, Gap *gap)
{
  for (size_t i = 0; i < GAP_COUNT; i++)
    if (str_equal(id, str_from(infos[i].id))) {
      *gap = (Gap)i;
      return true;
    }
  return false;
}

bool gap_is_about(Gap gap, Str topic)
{
  for (const char *at = infos[gap].topic; *at;) {
    size_t length = strcspn(at, ",");
    if (str_equal((Str){at, length}, topic))
      return true;
    at += length;
    at += strspn(at, ", ");
  }
  return false;
}

void gap_describe(Diag *diag, Gap gap, bool is_error)
{
  const GapInfo *info = &infos[gap];
  diag_note(diag, "the documents leave open (gap `%s`): %s [%s]", info->id, info->open, info->source);
  if (is_error)
    diag_help(diag, "avoid it; or `--lenient` goes on with our choice: %s", info->choice);
  else
    diag_note(diag, "went on with our choice: %s", info->choice);
}

Diag *gap_report(Reporter *reporter, const Pos *pos, Gap gap, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  const char *message = arena_vprintf(&reporter->session->arena, format, args);
  va_end(args);
  bool is_error = !reporter->session->lenient;
  Diag *diag = is_error ? report_at(reporter, pos, E_UNSPECIFIED, infos[gap].id, "%s", message)
                        : report_warning_at(reporter, pos, W_UNSPECIFIED, infos[gap].id, "%s", message);
  if (diag)
    gap_describe(diag, gap, is_error);
  return diag;
}
