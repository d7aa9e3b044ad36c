#pragma once
#include <sqlite3.h>

// SQLITE_TRANSIENT is a cast that Swift does not import.
static inline int kg_bind_text(sqlite3_stmt *s, int at, const char *text, int size) {
  return sqlite3_bind_text(s, at, text, size, SQLITE_TRANSIENT);
}
