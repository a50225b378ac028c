/** The end of a turn, at which everything that waits for it is sent. */
import { expect, test } from 'bun:test'
import { createTurn } from '../../src/server/turn.ts'

const FAULT = new Error('a test asked for this')
const fails = (): void => {
  throw FAULT
}

test('a flush that throws does not cost the others theirs, and is told of', () => {
  const told: unknown[] = []
  const turn = createTurn(error => told.push(error))
  const ran: string[] = []
  turn.atEnd(() => ran.push('before'))
  turn.atEnd(fails)
  turn.atEnd(() => ran.push('behind'))
  turn.end()
  expect([ran, told]).toEqual([['before', 'behind'], [FAULT]])
})

test('where nobody is told of it, it is thrown when all have run', () => {
  const turn = createTurn()
  const ran: string[] = []
  turn.atEnd(fails)
  turn.atEnd(() => ran.push('behind'))
  expect(() => turn.end()).toThrow(FAULT)
  expect(ran).toEqual(['behind'])
  turn.atEnd(() => ran.push('next turn'))
  turn.end()
  expect(ran).toEqual(['behind', 'next turn'])
})
