// inside.h -- what the library's own tests see of a session of the public interface.

#pragma once
#include "base/session.h"
#include "klr.h"

Session *klr_core_session(KlrSession *klr);

// Runs `work(context)` as an entry point of the interface: false when it gave false or memory ran out.
bool klr_guarded(KlrSession *klr, bool (*work)(void *context), void *context);

// A tracer that lives until it is released, or the session's next call that is not inside `work`.
struct Tracer *klr_new_tracer(KlrSession *klr);
void klr_release_tracer(KlrSession *klr);

// klr_diagnostics without the warnings.
const char *klr_errors(KlrSession *klr, bool as_json);

// Lets `klr` quote the sources that kernels of `owner` come from; `owner` must outlive it.
void klr_share_sources(KlrSession *klr, KlrSession *owner);
