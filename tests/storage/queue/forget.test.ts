/** Names of queues and lanes that hold nothing and say nothing do not stay for ever. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { limits } from '../../../src/protocol/limits.ts'
import { openFolder } from '../../../src/storage/folder/open.ts'
import { verifyFolder } from '../../../src/storage/folder/verify.ts'
import type { QueueCommand } from '../../../src/storage/queue/command.ts'
import { createFolders } from '../folders.ts'
import { setStage } from '../stage.ts'
import { laneOf, type Stage, setQueueStage } from './stage.ts'
import { queueTables } from './tables.ts'

const { queueNamesKept, messagesLooked } = limits
const set = (kept: number): void => void Object.assign(limits, { queueNamesKept: kept })

beforeEach(() => set(10))
afterEach(() => void Object.assign(limits, { queueNamesKept, messagesLooked }))

const names = ({ tables }: Stage): string[] => tables.queues(undefined, 1000).map(({ name }) => name)

/** So many queues, each with one message that is done. */
function pass(stage: Stage, count: number, prefix = 'reply'): void {
  for (let number = 0; number < count; number++)
    stage.finish(stage.publish('x', { queue: `${prefix}-${number}` }))
}

describe.each(queueTables)('queues in %s', (_, open) => {
  test('that are empty are forgotten when there are many, and it is told', () => {
    using opened = open()
    const stage = setQueueStage(opened.tables)
    pass(stage, 200)
    expect(names(stage).length).toBeLessThan(20)
    expect(stage.toldQueues.length).toBeGreaterThan(180)
    expect(stage.toldQueues[0]).toMatchObject({ event: 'dropped' })
    stage.publish('again', { queue: 'reply-3' })
    expect(stage.ready('reply-3')).toEqual(['again'])
  })

  test('that hold or say something stay', () => {
    using opened = open()
    const stage = setQueueStage(opened.tables)
    const saying: readonly QueueCommand[] = [
      { command: 'pause', queue: 'paused' },
      { command: 'configure', queue: 'bounded', bounds: { messages: 5 } },
      { command: 'configure', queue: 'set', settings: '1' as never },
    ]
    for (const command of saying) stage.run(command)
    stage.publish('x', { queue: 'waiting', dueAtMs: 9000 })
    stage.fail(stage.publish('x', { queue: 'dead' }), 'never')
    stage.finish(stage.publish('x', { queue: 'deduped', dedupe: { key: 'k', windowMs: 1e6 } }))
    stage.run({ command: 'configure', queue: 'said', bounds: { messages: undefined } })
    pass(stage, 100)
    const kept = ['bounded', 'dead', 'deduped', 'paused', 'set', 'waiting']
    expect(names(stage).filter(name => !name.startsWith('reply'))).toEqual(kept)
    expect(opened.tables.dedupe('deduped', 'k')).toBeDefined()
  })

  test('that were forgotten in a transaction that is undone are there', () => {
    using opened = open()
    const stage = setQueueStage(opened.tables)
    pass(stage, 10)
    for (let number = 0; number < 12; number++)
      stage.finish(stage.publish('x', { queue: 'q', functionId: `f${number}` }))
    const all = () => [opened.tables.queues(undefined, 100), opened.tables.lanes('q')]
    const before = all()
    opened.undone(() => {
      pass(stage, 50, 'other')
      for (let number = 0; number < 50; number++)
        stage.finish(stage.publish('x', { queue: 'q', functionId: `g${number}` }))
      expect(all()).not.toEqual(before)
    })
    expect(all()).toEqual(before)
    stage.publish('again', { queue: 'q', functionId: 'f0' })
    expect(opened.tables.ready(laneOf('q', 'f0'), undefined, 9)).toHaveLength(1)
  })
})

describe.each(queueTables)('lanes of a queue in %s', (_, open) => {
  test('that are empty are forgotten when there are many; those that hold something stay', () => {
    using opened = open()
    const stage = setQueueStage(opened.tables)
    const { tables } = opened
    stage.publish('x', { functionId: 'ready' })
    stage.publish('x', { functionId: 'timed', dueAtMs: 9000 })
    const dead = stage.publish('dead', { functionId: 'dead' })
    stage.fail(dead, 'never')
    stage.publish('head', { group: 'g', functionId: 'ready' })
    const behind = stage.publish('behind', { group: 'g', functionId: 'behind' })
    for (let number = 0; number < 200; number++)
      stage.finish(stage.publish('x', { functionId: `f${number}`, group: number % 2 ? 'own' : undefined }))
    const kept = tables.lanes('q').map(({ functionId }) => functionId!)
    expect(kept.length).toBeLessThan(25)
    expect(kept.filter(name => !name.startsWith('f'))).toEqual(['ready', 'timed', 'dead', 'behind'])
    expect(tables.get(dead)).toMatchObject({ functionId: 'dead' })
    expect(tables.get(behind)).toMatchObject({ functionId: 'behind' })
  })

  test('stay where too many messages would have to be looked through', () => {
    using opened = open()
    const stage = setQueueStage(opened.tables)
    Object.assign(limits, { messagesLooked: 1 })
    for (let number = 0; number < 3; number++) stage.fail(stage.publish('dead'), 'never')
    for (let number = 0; number < 30; number++) stage.finish(stage.publish('x', { functionId: `f${number}` }))
    expect(opened.tables.lanes('q')).toHaveLength(31)
  })
})

test('what was forgotten is so after a kill, and nothing else', async () => {
  using folders = createFolders()
  const folder = folders.newFolder()
  const store = openFolder(folder)
  const stage = setStage({ store })
  const queues = setQueueStage(store.tables.queues)
  /** Each in a turn of its own. */
  async function run(command: QueueCommand): Promise<number> {
    const submitted = stage.partition.submit([command])
    stage.endTurn()
    await submitted
    return store.session.totals.messages.lastNumber
  }
  for (let round = 0; round < 60; round++) {
    const queue = round % 2 === 0 ? `reply-${round}` : 'q'
    const message = { command: 'enqueue', queue, functionId: `f${round}`, data: '1' as never } as const
    await run({ command: 'finish', number: await run(message) })
  }
  await run({ command: 'enqueue', queue: 'left', data: '1' as never })
  const seen = (tables: typeof queues.tables) =>
    tables.queues(undefined, 100).map(row => [row, tables.lanes(row.name)])
  const is = seen(queues.tables)
  expect(is.length).toBeLessThan(20)
  const killed = openFolder(folders.copyOf(folder))
  expect(seen(killed.tables.queues)).toEqual(is)
  await killed.close()
  await stage.partition.close()
  expect((await verifyFolder(folder)).problems).toEqual([])
})
