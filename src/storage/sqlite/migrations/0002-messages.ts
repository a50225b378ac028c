/**
 * Queues, their messages, and keys that publishers have used.
 *
 * The row id of a message is its number: new ones are appended, and a plain message has one index
 * entry, in `messages_ready`. All other indexes hold only what they are for (`docs/decisions/0018-queue.md`). `rank` is the
 * priority with its sign turned, so that one direction of the index is the order of the queue.
 */
export const sql = `
  CREATE TABLE queues (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    waiting INTEGER NOT NULL,
    dead INTEGER NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE messages (
    number INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    due_at_ms INTEGER,
    dead_at_ms INTEGER,
    is_head INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    published_at_ms INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    receipt TEXT,
    "group" TEXT,
    function_id TEXT,
    namespace TEXT,
    traceparent TEXT,
    baggage TEXT,
    reports TEXT,
    data TEXT NOT NULL
  ) STRICT;
  CREATE INDEX messages_ready ON messages (queue, rank) WHERE is_head = 1 AND due_at_ms IS NULL;
  CREATE INDEX messages_due ON messages (queue, due_at_ms) WHERE is_head = 1 AND due_at_ms IS NOT NULL;
  CREATE INDEX messages_in_group ON messages (queue, "group") WHERE "group" IS NOT NULL AND dead_at_ms IS NULL;
  CREATE INDEX messages_by_receipt ON messages (receipt) WHERE receipt IS NOT NULL;
  CREATE INDEX messages_dead ON messages (queue, dead_at_ms) WHERE dead_at_ms IS NOT NULL;

  CREATE TABLE message_numbers (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    last INTEGER NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE dedupes (
    id INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    key TEXT NOT NULL,
    receipt TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (queue, key)
  ) STRICT;
  CREATE INDEX dedupes_until ON dedupes (until_ms);
`
