/** However many messages there are, nothing is looked through or sorted: each question is a range of an index. */
import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { migrations } from '../../../src/storage/sqlite/migrations/all.ts'
import { queueStatements } from '../../../src/storage/sqlite/queue/statements.ts'

test('every statement of queues finds what it needs by an index, in order', () => {
  using db = new Database(':memory:')
  for (const step of migrations) step(db)
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

test('whether a group is there is known without reading a message', () => {
  using db = new Database(':memory:')
  for (const step of migrations) step(db)
  const { hasGroup, ...others } = queueStatements(db)
  const steps = db.query<{ opcode: string }, []>(`EXPLAIN ${hasGroup.toString()}`).all()
  expect(steps.map(({ opcode }) => opcode)).toContain('IdxRowid')
  expect(steps.map(({ opcode }) => opcode)).not.toContain('Column')
  for (const statement of [hasGroup, ...Object.values(others)]) statement.finalize()
})
