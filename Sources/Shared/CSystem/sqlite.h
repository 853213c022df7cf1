// SQLite 3, and what of it is macros.
#ifndef REILETA_SQLITE_H
#define REILETA_SQLITE_H

#include <sqlite3.h>

static inline sqlite3_destructor_type reileta_sqlite_transient(void) { return SQLITE_TRANSIENT; }
static inline sqlite3_destructor_type reileta_sqlite_static(void) { return SQLITE_STATIC; }

#endif
