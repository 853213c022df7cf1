// SQLite 3, and what of it is macros.
#ifndef REILETA_SQLITE_H
#define REILETA_SQLITE_H

#include <sqlite3.h>

static inline sqlite3_destructor_type reileta_sqlite_transient(void) { return SQLITE_TRANSIENT; }
// Without counting each allocation SQLite takes no lock for it. Before the first connection only.
static inline int reileta_sqlite_configure(void) { return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

static inline sqlite3_destructor_type reileta_sqlite_static(void) { return SQLITE_STATIC; }

#endif
