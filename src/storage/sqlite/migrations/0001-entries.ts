/**
 * Entries, their collections, the latest changes, and totals over all of it.
 *
 * `created_at` is the revision of the write that created an entry: no two have the same, and it is the row id. So new
 * values are appended, lists are read in the order in which they lie, and a value of any size costs one look-up more
 * than its key (`docs/decisions/0012-durable-partition.md`).
 */
export const sql = `
  CREATE TABLE collections (
    id INTEGER PRIMARY KEY,
    space TEXT NOT NULL,
    name TEXT NOT NULL,
    "group" TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (space, name, "group")
  ) STRICT;

  CREATE TABLE entries (
    created_at INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    version INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    checksum INTEGER NOT NULL,
    UNIQUE (collection, key)
  ) STRICT;
  CREATE INDEX entries_in_order ON entries (collection, created_at);
  CREATE INDEX entries_expiring ON entries (expires_at_ms, created_at) WHERE expires_at_ms IS NOT NULL;

  CREATE TABLE changes (
    last_revision INTEGER PRIMARY KEY,
    first_revision INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    length INTEGER NOT NULL,
    changes TEXT NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE totals (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    oldest_change INTEGER NOT NULL,
    kept_changes INTEGER NOT NULL,
    kept_bytes INTEGER NOT NULL,
    relaxed INTEGER NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT;
`
