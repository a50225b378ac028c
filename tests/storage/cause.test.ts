import { expect, test } from 'bun:test'
import { putOf, setStage } from './stage.ts'

test('changes of a transaction say what it came from, those of others do not', async () => {
  const { partition, endTurn, committals } = setStage()
  const cause = { traceparent: '00-1-2-01', baggage: 'iii-depth=2' }
  const submitted = [
    partition.submit([putOf('a')]),
    partition.submit([putOf('b'), putOf('c')], { cause }),
    partition.submit([putOf('d')]),
  ]
  endTurn()
  await Promise.all(submitted)
  expect(committals[0]!.changes.map(({ key, cause: from }) => [key, from])).toEqual([
    ['a', undefined],
    ['b', cause],
    ['c', cause],
    ['d', undefined],
  ])
})
