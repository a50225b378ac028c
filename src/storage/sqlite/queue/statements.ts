/** Everything that is ever asked of a database about queues. Each statement is prepared once. */
import type { Database, Statement } from 'bun:sqlite'

type Parameter = string | number | null

export interface StoredQueueRow {
  readonly id: number
  readonly name: string
  readonly is_paused: number
  readonly settings: string | null
  readonly bounds: string
  readonly ready: number
  readonly timed: number
  readonly behind: number
  readonly dead: number
  readonly bytes: number
  readonly checksum: number
}

export interface LaneRow {
  readonly id: number
  readonly queue: number
  readonly function_id: string | null
  readonly namespace: string | null
  readonly checksum: number
}

export interface MessageRow {
  readonly number: number
  readonly queue: number
  readonly lane: number
  readonly rank: number
  readonly is_head: number
  readonly failures: number
  readonly published_at_ms: number
  readonly checksum: number
  readonly due_at_ms: number | null
  readonly dead_at_ms: number | null
  readonly kept_until_ms: number | null
  readonly receipt: string | null
  readonly group: string | null
  readonly traceparent: string | null
  readonly baggage: string | null
  readonly metadata: string | null
  readonly reports: string | null
  readonly data: string
}

interface MessageTotalsRow {
  readonly last_number: number
  readonly last_id: number
  readonly commits: number
  readonly messages: number
  readonly digest: number
  readonly checksum: number
}

export interface DedupeRow {
  readonly receipt: string
  readonly until_ms: number
  readonly checksum: number
}

const QUEUE = 'id, name, is_paused, settings, bounds, ready, timed, behind, dead, bytes, checksum'
const LANE = 'id, queue, function_id, namespace, checksum'
const MESSAGE = `number, queue, lane, rank, is_head, failures, published_at_ms, checksum, due_at_ms, dead_at_ms, kept_until_ms,
  receipt, "group", traceparent, baggage, metadata, reports, data`

/**
 * `+?1`: a look in the order of an index that compares a column with a bare `?1` is planned anew by SQLite each time another value is
 * bound, which takes ten times as long as the look itself.
 */
export function queueStatements(db: Database) {
  const ask = <Row = never>(sql: string): Statement<Row, Parameter[]> => db.prepare<Row, Parameter[]>(sql)
  return {
    queue: ask<StoredQueueRow>(`SELECT ${QUEUE} FROM queues WHERE name = ?1`),
    queueOfLane: ask<StoredQueueRow>(
      `SELECT ${QUEUE} FROM queues WHERE id = (SELECT queue FROM lanes WHERE id = ?1)`,
    ),
    queuesFrom: ask<StoredQueueRow>(`SELECT ${QUEUE} FROM queues WHERE name >= +?1 ORDER BY name LIMIT ?2`),
    queuesAfter: ask<StoredQueueRow>(`SELECT ${QUEUE} FROM queues WHERE name > +?1 ORDER BY name LIMIT ?2`),
    // Through all of them, once for each start.
    countQueues: ask<{ count: number }>('SELECT count(*) AS count FROM queues WHERE name >= +?1'),
    keepQueue: ask(`REPLACE INTO queues (${QUEUE}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)`),
    keepCounts: ask(
      'UPDATE queues SET ready = ?2, timed = ?3, behind = ?4, dead = ?5, bytes = ?6, checksum = ?7 WHERE id = ?1',
    ),
    dropQueue: ask('DELETE FROM queues WHERE id = ?1'),
    lanesOfQueue: ask<LaneRow>(`SELECT ${LANE} FROM lanes WHERE queue = +?1 ORDER BY id`),
    keepLane: ask(`REPLACE INTO lanes (${LANE}) VALUES (?1, ?2, ?3, ?4, ?5)`),
    dropLanes: ask('DELETE FROM lanes WHERE queue = ?1'),
    dropLane: ask('DELETE FROM lanes WHERE id = ?1'),
    // The last two look through what the queue has of them.
    messageOfLane: ask<{ number: number }>(
      `SELECT number FROM messages INDEXED BY messages_ready
         WHERE lane = +?1 AND is_head = 1 AND due_at_ms IS NULL
       UNION ALL SELECT number FROM messages INDEXED BY messages_due
         WHERE lane = +?1 AND is_head = 1 AND due_at_ms IS NOT NULL
       UNION ALL SELECT number FROM messages INDEXED BY messages_dead
         WHERE queue = +?2 AND dead_at_ms IS NOT NULL AND lane = +?1
       UNION ALL SELECT number FROM messages INDEXED BY messages_in_group
         WHERE queue = +?2 AND "group" IS NOT NULL AND dead_at_ms IS NULL AND lane = +?1
       LIMIT 1`,
    ),

    messageTotals: ask<MessageTotalsRow>('SELECT * FROM message_totals WHERE id = 1'),
    keepMessageTotals: ask('REPLACE INTO message_totals VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)'),

    message: ask<MessageRow>(`SELECT ${MESSAGE} FROM messages WHERE number = ?1`),
    messageByReceipt: ask<MessageRow>(`SELECT ${MESSAGE} FROM messages WHERE receipt = ?1`),
    messagesAfter: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages WHERE number > +?1 ORDER BY number LIMIT ?2`,
    ),
    addMessage: ask(
      `INSERT INTO messages (${MESSAGE})
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)`,
    ),
    changeMessage: ask(
      `UPDATE messages SET due_at_ms = ?2, dead_at_ms = ?3, is_head = ?4, failures = ?5, checksum = ?6, reports = ?7,
         kept_until_ms = ?8
       WHERE number = ?1`,
    ),
    // Half as many values to bind for what most messages have.
    addPlainMessage: ask(
      `INSERT INTO messages
         (number, queue, lane, rank, is_head, failures, published_at_ms, checksum, receipt, traceparent, baggage, data)
       VALUES (?1, ?2, ?3, ?4, 1, 0, ?5, ?6, ?7, ?8, ?9, ?10)`,
    ),
    retryMessage: ask(
      'UPDATE messages SET due_at_ms = ?2, failures = ?3, reports = ?4, checksum = ?5 WHERE number = ?1',
    ),
    promoteMessage: ask('UPDATE messages SET is_head = ?2, checksum = ?3 WHERE number = ?1'),
    removeMessage: ask('DELETE FROM messages WHERE number = ?1 AND checksum = ?2'),
    readyMessages: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_ready
       WHERE lane = +?1 AND is_head = 1 AND due_at_ms IS NULL ORDER BY rank, number LIMIT ?2`,
    ),
    // Two looks are one range of the index each, where `(rank, number) > (?, ?)` would go through a whole rank.
    readyOfRank: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_ready
       WHERE lane = +?1 AND is_head = 1 AND due_at_ms IS NULL AND rank = +?2 AND number > +?3
       ORDER BY number LIMIT ?4`,
    ),
    readyAfterRank: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_ready
       WHERE lane = +?1 AND is_head = 1 AND due_at_ms IS NULL AND rank > +?2 ORDER BY rank, number LIMIT ?3`,
    ),
    numbersOfRank: ask<{ number: number }>(
      `SELECT number FROM messages INDEXED BY messages_ready
       WHERE lane = +?1 AND is_head = 1 AND due_at_ms IS NULL AND rank = +?2 AND number > +?3
       ORDER BY number LIMIT ?4`,
    ),
    nextRank: ask<{ rank: number | null }>(
      `SELECT min(rank) AS rank FROM messages INDEXED BY messages_ready
       WHERE lane = +?1 AND is_head = 1 AND due_at_ms IS NULL AND rank > +?2`,
    ),
    dueMessages: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_due
       WHERE lane = +?1 AND is_head = 1 AND due_at_ms IS NOT NULL AND due_at_ms <= +?2
         AND due_at_ms >= +?3 AND (due_at_ms > +?3 OR number > +?4)
       ORDER BY due_at_ms, number LIMIT ?5`,
    ),
    nextDue: ask<{ at: number | null }>(
      `SELECT min(due_at_ms) AS at FROM messages INDEXED BY messages_due
       WHERE lane = +?1 AND is_head = 1 AND due_at_ms IS NOT NULL AND due_at_ms > +?2`,
    ),
    hasGroup: ask<{ number: number }>(
      `SELECT number FROM messages INDEXED BY messages_in_group
       WHERE queue = ?1 AND "group" = ?2 AND dead_at_ms IS NULL LIMIT 1`,
    ),
    oldestOfGroup: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_in_group
       WHERE queue = +?1 AND "group" = +?2 AND dead_at_ms IS NULL ORDER BY number LIMIT 1`,
    ),
    groupedFrom: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_in_group
       WHERE queue = +?1 AND "group" > +?2 AND dead_at_ms IS NULL ORDER BY "group", number LIMIT ?3`,
    ),
    groupedFirst: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_in_group
       WHERE queue = +?1 AND "group" IS NOT NULL AND dead_at_ms IS NULL ORDER BY "group", number LIMIT ?2`,
    ),
    groupAfter: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_in_group
       WHERE queue = +?1 AND "group" = +?2 AND dead_at_ms IS NULL AND number > +?3 ORDER BY number LIMIT ?4`,
    ),
    deadMessages: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_dead
       WHERE queue = +?1 AND dead_at_ms IS NOT NULL AND (dead_at_ms < +?2 OR (dead_at_ms = +?2 AND number < +?3))
         AND dead_at_ms <= +?2
       ORDER BY dead_at_ms DESC, number DESC LIMIT ?4`,
    ),
    deadPlaces: ask<{ deadAtMs: number; number: number }>(
      `SELECT dead_at_ms AS deadAtMs, number FROM messages INDEXED BY messages_dead
       WHERE queue = +?1 AND dead_at_ms IS NOT NULL ORDER BY dead_at_ms DESC, number DESC LIMIT ?2`,
    ),
    oldestDead: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_dead
       WHERE queue = +?1 AND dead_at_ms IS NOT NULL ORDER BY dead_at_ms, number LIMIT ?2`,
    ),

    readyLeadsTo: ask<{ number: number }>(
      `SELECT number FROM messages INDEXED BY messages_ready
       WHERE lane = ?1 AND rank = ?2 AND number = ?3 AND is_head = 1 AND due_at_ms IS NULL`,
    ),
    dueLeadsTo: ask<{ number: number }>(
      `SELECT number FROM messages INDEXED BY messages_due
       WHERE lane = ?1 AND due_at_ms = ?2 AND number = ?3 AND is_head = 1 AND due_at_ms IS NOT NULL`,
    ),
    deadLeadsTo: ask<{ number: number }>(
      `SELECT number FROM messages INDEXED BY messages_dead
       WHERE queue = ?1 AND dead_at_ms = ?2 AND number = ?3 AND dead_at_ms IS NOT NULL`,
    ),
    groupLeadsTo: ask<{ number: number }>(
      `SELECT number FROM messages INDEXED BY messages_in_group
       WHERE queue = ?1 AND "group" = ?2 AND number = ?3 AND dead_at_ms IS NULL`,
    ),
    receiptLeadsTo: ask<{ number: number }>(
      'SELECT number FROM messages INDEXED BY messages_by_receipt WHERE receipt = ?1 AND number = ?2',
    ),
    keptLeadsTo: ask<{ number: number }>(
      'SELECT number FROM messages INDEXED BY messages_kept WHERE kept_until_ms = ?1 AND number = ?2',
    ),

    dedupe: ask<DedupeRow>('SELECT receipt, until_ms, checksum FROM dedupes WHERE queue = ?1 AND key = ?2'),
    keepDedupe: ask(
      'REPLACE INTO dedupes (queue, key, receipt, until_ms, checksum) VALUES (?1, ?2, ?3, ?4, ?5)',
    ),
    hasDedupe: ask<{ key: string }>('SELECT key FROM dedupes WHERE queue = +?1 LIMIT 1'),
    nextDedupe: ask<{ at: number | null }>(
      'SELECT min(until_ms) AS at FROM dedupes INDEXED BY dedupes_until',
    ),
    nextKept: ask<{ at: number | null }>(
      'SELECT min(kept_until_ms) AS at FROM messages INDEXED BY messages_kept WHERE kept_until_ms IS NOT NULL',
    ),
    keptBefore: ask<MessageRow>(
      `SELECT ${MESSAGE} FROM messages INDEXED BY messages_kept WHERE kept_until_ms <= +?1 ORDER BY kept_until_ms LIMIT ?2`,
    ),
    forgetDedupes: ask(
      `DELETE FROM dedupes WHERE (queue, key) IN
         (SELECT queue, key FROM dedupes INDEXED BY dedupes_until WHERE until_ms <= ?1 ORDER BY until_ms LIMIT ?2)`,
    ),
  }
}
