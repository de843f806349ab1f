// apart.h -- what order the elements that a loop touches leave it: what the C writer may tell compilers, which know nothing of it.
//
// A launch sees to it that an array which is written shares no memory with another, or is the same array under two names. Only arrays of one
// element type can be that.

#pragma once
#include "schema/schema.h"

typedef struct SchemaApart SchemaApart;

// Of a checked function, in the file's arena.
SchemaApart *schema_look_apart(const SchemaFile *file, const SchemaFunction *function);

// Whether every two accesses that could meet, one of them writing, are at one element, its own of each thread: the order of threads
// does not matter then, whichever arrays are the same. False too where no two arrays could meet, which compilers see for themselves.
bool schema_threads_are_even(SchemaApart *apart);

// The same of the turns of a `for` loop.
bool schema_turns_are_even(SchemaApart *apart, const SchemaNode *loop);

// Whether loops run faster when it is known that no written array is another one.
bool schema_pays_apart(SchemaApart *apart);
