// inside.h -- what the library's own tests see of a session of the public interface.

#pragma once
#include "base/session.h"
#include "klr.h"

Session *klr_core_session(KlrSession *klr);
