/** Everything that is ever asked of a database about queues. Each statement is prepared once. */
import type { Database, Statement } from 'bun:sqlite'

type Parameter = string | number | null

export interface QueueRow {
  readonly id: number
  readonly name: string
  readonly waiting: number
  readonly dead: number
  readonly checksum: number
}

export interface MessageRow {
  readonly number: number
  readonly queue: number
  readonly rank: number
  readonly due_at_ms: number | null
  readonly dead_at_ms: number | null
  readonly is_head: number
  readonly failures: number
  readonly published_at_ms: number
  readonly checksum: number
  readonly receipt: string | null
  readonly group: string | null
  readonly function_id: string | null
  readonly namespace: string | null
  readonly traceparent: string | null
  readonly baggage: string | null
  readonly reports: string | null
  readonly data: string
}

export interface DedupeRow {
  readonly receipt: string
  readonly until_ms: number
  readonly checksum: number
}

const MESSAGE = `number, queue, rank, due_at_ms, dead_at_ms, is_head, failures, published_at_ms, checksum,
  receipt, "group", function_id, namespace, traceparent, baggage, reports, data`

export function queueStatements(db: Database) {
  const ask = <Row = never>(sql: string): Statement<Row, Parameter[]> => db.prepare<Row, Parameter[]>(sql)
  return {
    queue: ask<QueueRow>('SELECT * FROM queues WHERE name = ?1'),
    queueOfId: ask<QueueRow>('SELECT * FROM queues WHERE id = ?1'),
    lastQueue: ask<{ id: number | null }>('SELECT max(id) AS id FROM queues'),
    addQueue: ask('INSERT INTO queues VALUES (?1, ?2, 0, 0, ?3)'),
    keepCounts: ask('UPDATE queues SET waiting = ?2, dead = ?3, checksum = ?4 WHERE id = ?1'),

    lastNumber: ask<{ last: number; checksum: number }>(
      'SELECT last, checksum FROM message_numbers WHERE id = 1',
    ),
    keepLastNumber: ask('REPLACE INTO message_numbers VALUES (1, ?1, ?2)'),

    message: ask<MessageRow>(`SELECT ${MESSAGE} FROM messages WHERE number = ?1`),
    messageByReceipt: ask<MessageRow>(`SELECT ${MESSAGE} FROM messages WHERE receipt = ?1`),
    addMessage: ask(
      `INSERT INTO messages (${MESSAGE})
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)`,
    ),
    changeMessage: ask(
      `UPDATE messages SET due_at_ms = ?2, dead_at_ms = ?3, is_head = ?4, failures = ?5, checksum = ?6, reports = ?7
       WHERE number = ?1`,
    ),
    removeMessage: ask('DELETE FROM messages WHERE number = ?1'),
    readyMessages: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_ready
       WHERE queue = ?1 AND is_head = 1 AND due_at_ms IS NULL ORDER BY rank, number LIMIT ?2`,
    ),
    // Two looks are one range of the index each, where `(rank, number) > (?, ?)` would go through a whole rank.
    readyOfRank: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_ready
       WHERE queue = ?1 AND is_head = 1 AND due_at_ms IS NULL AND rank = ?2 AND number > ?3
       ORDER BY number LIMIT ?4`,
    ),
    readyAfterRank: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_ready
       WHERE queue = ?1 AND is_head = 1 AND due_at_ms IS NULL AND rank > ?2 ORDER BY rank, number LIMIT ?3`,
    ),
    dueMessages: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_due
       WHERE queue = ?1 AND is_head = 1 AND due_at_ms IS NOT NULL AND due_at_ms <= ?2
         AND due_at_ms >= ?3 AND (due_at_ms > ?3 OR number > ?4)
       ORDER BY due_at_ms, number LIMIT ?5`,
    ),
    nextDue: ask<{ at: number | null }>(
      `SELECT min(due_at_ms) AS at FROM messages INDEXED BY messages_due
       WHERE queue = ?1 AND is_head = 1 AND due_at_ms IS NOT NULL AND due_at_ms > ?2`,
    ),
    oldestOfGroup: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_in_group
       WHERE queue = ?1 AND "group" = ?2 AND dead_at_ms IS NULL ORDER BY number LIMIT 1`,
    ),
    deadMessages: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_dead
       WHERE queue = ?1 AND dead_at_ms IS NOT NULL AND (dead_at_ms < ?2 OR (dead_at_ms = ?2 AND number < ?3))
         AND dead_at_ms <= ?2
       ORDER BY dead_at_ms DESC, number DESC LIMIT ?4`,
    ),
    oldestDead: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_dead
       WHERE queue = ?1 AND dead_at_ms IS NOT NULL ORDER BY dead_at_ms, number LIMIT ?2`,
    ),

    dedupe: ask<DedupeRow>('SELECT receipt, until_ms, checksum FROM dedupes WHERE queue = ?1 AND key = ?2'),
    keepDedupe: ask(
      `INSERT INTO dedupes (queue, key, receipt, until_ms, checksum) VALUES (?1, ?2, ?3, ?4, ?5)
       ON CONFLICT (queue, key) DO UPDATE SET receipt = ?3, until_ms = ?4, checksum = ?5`,
    ),
    forgetDedupes: ask(
      `DELETE FROM dedupes WHERE id IN (SELECT id FROM dedupes INDEXED BY dedupes_until WHERE until_ms <= ?1 ORDER BY until_ms LIMIT ?2)`,
    ),
  }
}
