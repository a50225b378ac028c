/** However many messages there are, nothing is looked through or sorted: each question is a range of an index. */
import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { migrations } from '../../../src/storage/sqlite/migrations/all.ts'
import { queueStatements } from '../../../src/storage/sqlite/queue/statements.ts'

test('every statement of queues finds what it needs by an index, in order', () => {
  using db = new Database(':memory:')
  for (const sql of migrations) db.run(sql)
  const statements = queueStatements(db)
  const bad: string[] = []
  for (const [name, statement] of Object.entries(statements)) {
    const plan = db.query<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${statement.toString()}`).all()
    for (const { detail } of plan) {
      if (/^SCAN|TEMP B-TREE/.test(detail)) bad.push(`${name}: ${detail}`)
    }
    statement.finalize()
  }
  expect(bad).toEqual([])
})
