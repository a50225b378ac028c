import { expect, test } from 'bun:test'
import { asJsonText } from '../../../src/protocol/jsonText.ts'
import { createProgress } from '../../../workers/queue/progress.ts'

test('the progress of so many messages is kept, of those that spoke last', () => {
  const progress = createProgress(2)
  const said = { value: asJsonText('1'), atMs: 0 }
  for (const number of [1, 2, 1, 3]) progress.set(number, said)
  expect([1, 2, 3].map(progress.of)).toEqual([said, undefined, said])
  progress.forget(1)
  expect(progress.of(1)).toBeUndefined()
})
