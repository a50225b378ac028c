/**
 * Queues, their lanes and messages, keys that publishers have used, and totals over all messages.
 *
 * The row id of a message is its number: new ones are appended, and a plain message has one index
 * entry, in `messages_ready`. All other indexes hold only what they are for (`docs/decisions/0018-queue.md`). `rank` is the
 * priority with its sign turned, so that one direction of the index is the order of the queue.
 */
export const sql = `
  CREATE TABLE queues (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    is_paused INTEGER NOT NULL,
    settings TEXT,
    bounds TEXT NOT NULL,
    ready INTEGER NOT NULL,
    timed INTEGER NOT NULL,
    behind INTEGER NOT NULL,
    dead INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE lanes (
    id INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    function_id TEXT,
    namespace TEXT,
    checksum INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX lanes_of_queue ON lanes (queue);

  CREATE TABLE messages (
    number INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    is_head INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    published_at_ms INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    due_at_ms INTEGER,
    dead_at_ms INTEGER,
    kept_until_ms INTEGER,
    receipt TEXT,
    "group" TEXT,
    traceparent TEXT,
    baggage TEXT,
    metadata TEXT,
    reports TEXT,
    data TEXT NOT NULL
  ) STRICT;
  CREATE INDEX messages_ready ON messages (lane, rank) WHERE is_head = 1 AND due_at_ms IS NULL;
  CREATE INDEX messages_due ON messages (lane, due_at_ms) WHERE is_head = 1 AND due_at_ms IS NOT NULL;
  CREATE INDEX messages_in_group ON messages (queue, "group") WHERE "group" IS NOT NULL AND dead_at_ms IS NULL;
  CREATE INDEX messages_by_receipt ON messages (receipt) WHERE receipt IS NOT NULL;
  CREATE INDEX messages_dead ON messages (queue, dead_at_ms) WHERE dead_at_ms IS NOT NULL;
  CREATE INDEX messages_kept ON messages (kept_until_ms) WHERE kept_until_ms IS NOT NULL;

  CREATE TABLE message_totals (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    last_number INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    commits INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE dedupes (
    queue INTEGER NOT NULL,
    key TEXT NOT NULL,
    receipt TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (queue, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX dedupes_until ON dedupes (until_ms);
`
