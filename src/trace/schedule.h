// schedule.h -- what `kernel.with_schedule` asks for: named instructions that run one after the other.

#pragma once
#include "trace/tracer.h"

typedef struct Schedule Schedule;
typedef struct ScheduleEdge ScheduleEdge;
struct Builder;

// The edges in `list`, pairs (later, earlier or a list of them), after those of `before`, which may be NULL. False after
// raising.
bool schedule_read(Tracer *t, Value list, const Schedule *before, Span span, const Schedule **out);

// Adds the edges to the traced kernel. False after reporting names that no instruction has, or an edge that cannot be.
bool schedule_apply(struct Builder *builder, const Schedule *schedule);
