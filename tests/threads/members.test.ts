/** What a thread knows of the directory, and what it does when an order of the main thread is missing. */
import { describe, expect, test } from 'bun:test'
import type { Command } from '../../src/engine/directory/command.ts'
import { createEngine, createThreadEngine, type Engine, type HostEngine } from '../../src/engine/engine.ts'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { createTurn } from '../../src/server/turn.ts'
import { createGateways } from '../../src/threads/gateways.ts'
import { createMemberRegistry, type MemberRegistry } from '../../src/threads/memberRegistry.ts'
import { createMembers, type Members } from '../../src/threads/members.ts'
import {
  createRecordingLink,
  createRecordingLog,
  createSeededIds,
  createVirtualClock,
  type RecordingLink,
  type RecordingLog,
} from '../support/fakes.ts'

const PLACE = 1

interface Pair {
  readonly main: HostEngine
  readonly shard: Engine
  readonly registry: MemberRegistry
  readonly log: RecordingLog
  /** Orders on their way to the shard; a test may take some out. */
  readonly orders: Uint8Array[]
  /** Lets commands of the shard arrive. */
  reports(): void
  /** Lets orders arrive. */
  obeys(): void
  connect(): { id: string; link: RecordingLink }
}

/** A main thread and a shard, with the ways between them in the hands of the test. */
function createPair(): Pair {
  const clock = createVirtualClock()
  const log = createRecordingLog()
  const randomId = createSeededIds()
  const turn = createTurn()
  const orders: Uint8Array[] = []
  let reported: Uint8Array[] = []
  const members: Members = createMembers(
    () => main.state,
    () => gateways,
  )
  const main = createEngine({ clock, log, randomId, elsewhere: members })
  const gateways = createGateways(main.state.directory, new Set())
  const registry = createMemberRegistry(note => void reported.push(note), turn)
  const shard = createThreadEngine({ clock, log, randomId, place: PLACE, registry })
  members.add(PLACE, { send: note => void orders.push(note), hasGateways: false })
  const pair: Pair = {
    main,
    shard,
    registry,
    log,
    orders,
    reports() {
      turn.end()
      const notes = reported
      reported = []
      for (const note of notes) members.reported(PLACE, note)
    },
    obeys() {
      for (const order of orders.splice(0)) registry.ordered(shard.state, order)
    },
    connect() {
      const link = createRecordingLink()
      const { workerId: id } = shard.connect(link, { builtIn: true, ipAddress: undefined })
      pair.reports()
      pair.obeys()
      link.take()
      return { id, link }
    },
  }
  pair.obeys()
  return pair
}

function registration(workerId: string, id: string): Command {
  const rest = { description: undefined, requestFormat: undefined, responseFormat: undefined }
  const definition = { id, namespace: 'default', ...rest, metadata: undefined, invocation: undefined }
  return { command: 'registerFunction', workerId, definition }
}

const routesOf = ({ shard }: Pair): string[] => shard.state.routes.all().map(({ functionId }) => functionId)

describe('a thread', () => {
  test('hears of commands in the order in which it gave them, and has what they changed by then', () => {
    const pair = createPair()
    const { id } = pair.connect()
    const heard: string[] = []
    for (const name of ['a', 'b', 'c']) {
      pair.registry.submit(registration(id, name), () => heard.push(`${name}: ${routesOf(pair)}`))
    }
    pair.reports()
    expect(heard).toEqual([])
    pair.obeys()
    expect(heard).toEqual(['a: a', 'b: a,b', 'c: a,b,c'])
    expect([pair.registry.unanswered(), pair.registry.resyncs()]).toEqual([0, 0])
  })

  test('that begins is given all routes there are', () => {
    const pair = createPair()
    const link = createRecordingLink()
    const { workerId } = pair.main.connect(link, { builtIn: true, ipAddress: undefined })
    pair.main.state.registry.submit(registration(workerId, 'early'))
    pair.obeys()
    expect(routesOf(pair)).toEqual(['early'])
  })
})

describe('an order that is missing', () => {
  test('is noticed with the next one and made good by all routes; every command is answered once', () => {
    const pair = createPair()
    const { id } = pair.connect()
    const heard: string[] = []
    const give = (name: string): void => {
      pair.registry.submit(registration(id, name), () => heard.push(`${name}: ${routesOf(pair)}`))
      pair.reports()
    }
    give('a')
    pair.orders.splice(0)
    give('b')
    give('c')
    pair.obeys()
    expect(pair.registry.resyncs()).toBe(1)
    // Whose the answers are cannot be told before the snapshot has come.
    expect(heard).toEqual([])
    pair.reports()
    pair.obeys()
    expect(heard.map(line => line.split(':')[0]!)).toEqual(['a', 'b', 'c'])
    expect(heard.map(line => line.split(': ')[1]!.split(',').sort().join())).toEqual([
      'a,b,c',
      'a,b,c',
      'a,b,c',
    ])
    expect(pair.registry.unanswered()).toBe(0)
    expect(pair.log.warnings()).toEqual([
      'an order of the main thread is missing; all routes are asked for again',
    ])
    give('d')
    pair.obeys()
    expect(heard.at(-1)).toContain('d')
    expect(pair.registry.resyncs()).toBe(1)
  })

  test('does not cost what else was ordered meanwhile', () => {
    const pair = createPair()
    const { id, link } = pair.connect()
    pair.registry.submit(registration(id, 'lost'))
    pair.reports()
    pair.orders.splice(0)
    // The next order shows that one is missing; a snapshot is asked for, and has not come.
    pair.connect()
    expect(pair.registry.resyncs()).toBe(1)
    // What follows is a frame, and no snapshot holds frames.
    pair.registry.submit({
      command: 'registerTriggerType',
      workerId: id,
      definition: {
        id: 'tick',
        namespace: 'default',
        description: '',
        triggerRequestFormat: undefined,
        callRequestFormat: undefined,
      },
    })
    pair.registry.submit({
      command: 'registerTrigger',
      binding: {
        id: 'T',
        triggerType: 'tick',
        functionId: 'lost',
        config: asJsonText('{}'),
        metadata: undefined,
        namespace: 'default',
        triggerNamespace: undefined,
        homeNamespace: 'default',
        ownerId: id,
      },
    })
    pair.reports()
    pair.obeys()
    pair.reports()
    pair.obeys()
    expect(link.take()).toMatchObject([{ type: 'registertrigger', id: 'T' }])
    expect(routesOf(pair)).toEqual(['lost'])
    expect(pair.registry.unanswered()).toBe(0)
  })

  test('and a second one after it are made good, too', () => {
    const pair = createPair()
    const { id } = pair.connect()
    let answered = 0
    for (let count = 0; count < 20; count++) {
      pair.registry.submit(registration(id, `f${count}`), () => answered++)
      pair.reports()
      if (count % 3 === 0) pair.orders.splice(0)
      pair.obeys()
    }
    for (let round = 0; round < 3; round++) {
      pair.registry.submit(registration(id, `last${round}`), () => answered++)
      pair.reports()
      pair.obeys()
    }
    pair.reports()
    pair.obeys()
    expect(answered).toBe(23)
    expect(routesOf(pair)).toHaveLength(23)
  })
})
