/** Commands of queues in transactions of the partition, over every store. */
import { describe, expect, test } from 'bun:test'
import { asJsonText } from '../../../src/protocol/jsonText.ts'
import type { Answer, Command } from '../../../src/storage/command.ts'
import { openFolder } from '../../../src/storage/folder/open.ts'
import { numberOfReceipt } from '../../../src/storage/queue/receipt.ts'
import { putOf, refusalCode, scope, setStage } from '../stage.ts'
import { stores, temporaryFolder } from '../stores.ts'
import { laneOf } from './stage.ts'

const publishing = (data: string, more = {}): Command => ({
  command: 'enqueue',
  queue: 'q',
  data: asJsonText(JSON.stringify(data)),
  ...more,
})

const messageNumber = (answer: Answer | undefined): number | undefined =>
  numberOfReceipt(answer?.queue?.receipt ?? '')

describe.each(stores)('a partition in %s', (_, open) => {
  test('commits a message with a value, or neither of them', async () => {
    await using opened = open()
    const { partition, endTurn, committals } = setStage({ store: opened.store })
    const both = partition.submit([putOf('a'), publishing('first')])
    const none = partition.submit([publishing('never'), putOf('b', '1', { ifVersion: 7 })])
    const alone = partition.submit([publishing('second')])
    endTurn()
    expect(await refusalCode(none)).toBe('VERSION_CONFLICT')
    expect((await both).answers[1]?.queue).toMatchObject({ count: 1, isDuplicate: false })
    expect((await alone).answers[0]?.queue?.receipt).toBeString()
    const { ready, counts, value } = await partition.read(tables => ({
      ready: tables.queues.ready(laneOf('q'), undefined, 10).map(({ data }) => data as string),
      counts: tables.queues.counts('q'),
      value: tables.get(scope('s'), 'a')?.value as string,
    }))
    expect(ready).toEqual(['"first"', '"second"'])
    expect(counts).toMatchObject({ waiting: 2, dead: 0 })
    expect(value).toBe('1')
    expect(committals[0]?.messages?.map(({ event, message }) => [event, message.data as string])).toEqual([
      ['placed', '"first"'],
      ['placed', '"second"'],
    ])
  })

  test('commits what only queues do, in one transaction for a turn, and no feed has a gap', async () => {
    await using opened = open()
    const { partition, endTurn } = setStage({ store: opened.store })
    void partition.submit([putOf('a')])
    endTurn()
    const before = partition.status()
    const published = ['a1', 'a2'].map(data => partition.submit([publishing(data, { group: 'a' })]))
    endTurn()
    await Promise.all(published)
    expect(partition.status()).toMatchObject({ commits: before.commits + 1, revision: before.revision })
    void partition.submit([putOf('b')])
    endTurn()
    const feed = await partition.since('state', before.revision - 1, 10)
    expect(feed).toMatchObject({ kind: 'changes', changes: [{ key: 'a' }, { key: 'b' }] })
  })

  test('forgets dedupe keys and dead messages by itself when their time has come', async () => {
    await using opened = open()
    const { partition, endTurn, clock } = setStage({ store: opened.store })
    const dedupe = { key: 'k', windowMs: 5000 }
    void partition.submit([{ command: 'configure', queue: 'q', bounds: { deadMs: 9000 } }])
    const published = partition.submit([publishing('a', { dedupe }), publishing('b')])
    endTurn()
    const [first] = (await published).answers
    const [message] = await partition.read(({ queues }) => queues.ready(laneOf('q'), undefined, 1))
    expect(messageNumber(first)).toBe(message!.number)
    void partition.submit([
      {
        command: 'fail',
        number: message!.number,
        report: { atMs: 0, code: 'X', message: 'x' },
        next: 'never',
      },
    ])
    endTurn()
    const kept = () =>
      partition.read(({ queues }) => [queues.dedupe('q', 'k') !== undefined, queues.counts('q').dead])
    for (const [ms, expected] of [
      [4999, [true, 1]],
      [1, [false, 1]],
      [3999, [false, 1]],
      [1, [false, 0]],
    ] as const) {
      clock.advance(ms)
      endTurn()
      expect(await kept()).toEqual([...expected])
    }
  })

  test('commits nothing for a message that is not there', async () => {
    await using opened = open()
    const { partition, endTurn } = setStage({ store: opened.store })
    const { commits } = partition.status()
    const finished = partition.submit([{ command: 'finish', number: 99 }])
    endTurn()
    expect((await finished).answers[0]?.queue).toEqual({ count: 0 })
    expect(partition.status().commits).toBe(commits)
  })
})

test('a data folder that is opened again has its messages', async () => {
  using temporary = temporaryFolder()
  const first = setStage({ store: openFolder(temporary.folder) })
  void first.partition.submit([publishing('a'), publishing('b')])
  first.endTurn()
  await first.partition.close()
  const second = setStage({ store: openFolder(temporary.folder) })
  const ready = await second.partition.read(({ queues }) => queues.ready(laneOf('q'), undefined, 10))
  expect(ready.map(({ data }) => data as string)).toEqual(['"a"', '"b"'])
  await second.partition.close()
})
