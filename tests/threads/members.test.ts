/** What a thread knows of the directory, and what it does when an order of the main thread is missing. */
import { describe, expect, test } from 'bun:test'
import type { Change } from '../../src/engine/directory/changes.ts'
import type { Command } from '../../src/engine/directory/command.ts'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { type Order, readOrder } from '../../src/threads/notes.ts'
import { createRecordingLink } from '../support/fakes.ts'
import { createPair, type Pair, PLACE, registration, routesOf } from './pair.ts'

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

describe('commands that come together', () => {
  const OTHER = PLACE + 1

  /** Another thread, whose ring has room when the test says so. */
  function createOther({ members }: Pair): { notes: Order[]; enter(): void } {
    const entering: (() => void)[] = []
    const notes: Order[] = []
    const send = (note: Uint8Array, entered: () => void): void => {
      notes.push(readOrder(note))
      entering.push(entered)
    }
    members.add(OTHER, { send, hasGateways: false })
    return { notes, enter: () => entering.shift()!() }
  }

  /** Names of the functions whose registration has been answered. */
  function register({ registry }: Pair, id: string, names: readonly string[]): string[] {
    const heard: string[] = []
    for (const name of names) registry.submit(registration(id, name), () => heard.push(name))
    return heard
  }

  test('cost each thread one note', () => {
    const pair = createPair()
    const { id } = pair.connect()
    const other = createOther(pair)
    other.enter()
    const heard = register(pair, id, ['a', 'b', 'c'])
    pair.reports()
    other.enter()
    expect(other.notes.length).toBe(2)
    expect(pair.obeys().length).toBeLessThanOrEqual(2)
    expect(heard).toEqual(['a', 'b', 'c'])
  })

  test('are answered when what follows from them is in every ring, in their order', () => {
    const pair = createPair()
    const { id } = pair.connect()
    const other = createOther(pair)
    const heard = register(pair, id, ['a', 'b'])
    pair.exchange()
    // It knows of its functions, and so does nobody else.
    expect([routesOf(pair), heard]).toEqual([['a', 'b'], []])
    pair.registry.submit(registration(id, 'c'), () => heard.push('c'))
    pair.reports()
    // The snapshot, and then the first of the two notes behind it.
    other.enter()
    other.enter()
    pair.obeys()
    expect(heard).toEqual(['a', 'b'])
    other.enter()
    pair.obeys()
    expect(heard).toEqual(['a', 'b', 'c'])
    expect(pair.registry.resyncs()).toBe(0)
  })

  test('are answered when the thread whose ring is full is no more', () => {
    const pair = createPair()
    const { id } = pair.connect()
    createOther(pair)
    const heard = register(pair, id, ['a'])
    pair.reports()
    pair.members.remove(OTHER)
    pair.obeys()
    expect(heard).toEqual(['a'])
  })

  test('cost only themselves when one fails: each has its answer', () => {
    const pair = createPair()
    const { id } = pair.connect()
    const watcher = (change: Change): void => {
      if (change.change === 'functionChanged' && change.functionId === 'b')
        throw new Error('a test asked for this')
    }
    pair.main.state.watchers.add(watcher)
    const heard = register(pair, id, ['a', 'b', 'c'])
    pair.exchange()
    expect(heard).toEqual(['a', 'b', 'c'])
    expect(routesOf(pair)).toEqual(['a', 'b', 'c'])
    expect(pair.log.warnings()).toEqual(['internal error while carrying out a command'])
  })

  test('cost only one effect when one cannot be followed', () => {
    const pair = createPair()
    const first = pair.connect()
    const second = pair.connect()
    const types = [first, second].map(
      ({ id }): Command => ({
        command: 'refuseTrigger',
        workerId: id,
        id: 'T',
        triggerType: 't',
        functionId: 'f',
        reason: 'a test asked for this',
        error: { code: 'X', message: 'no' },
      }),
    )
    first.link.send = () => {
      throw new Error('a test asked for this')
    }
    for (const type of types) pair.registry.submit(type)
    pair.exchange()
    expect(second.link.take()).toMatchObject([{ type: 'triggerregistrationresult' }])
    expect(pair.registry.unanswered()).toBe(0)
    expect(pair.log.warnings()).toContain('internal error while following an order of the main thread')
  })

  test('are answered once when everything had to be asked for again meanwhile', () => {
    const pair = createPair()
    const { id } = pair.connect()
    const other = createOther(pair)
    const heard = register(pair, id, ['a', 'b'])
    pair.reports()
    pair.orders.splice(0)
    pair.registry.submit(registration(id, 'c'), () => heard.push('c'))
    pair.exchange()
    expect(pair.registry.resyncs()).toBe(1)
    pair.exchange()
    expect([heard, pair.registry.unanswered()]).toEqual([[], 3])
    for (const _ of [...other.notes]) other.enter()
    pair.obeys()
    expect([heard, pair.registry.unanswered()]).toEqual([['a', 'b', 'c'], 0])
  })
})

describe('what is too much for one note', () => {
  const MANY = 40
  /** 300 kB each when packed. */
  const large = (id: string, index: number): Command => {
    const command = registration(id, `f${index}`)
    if (command.command !== 'registerFunction') throw new Error('not a registration')
    const namespace = '漢'.repeat(100_000)
    return { ...command, definition: { ...command.definition, namespace } }
  }
  const largest = (notes: readonly Uint8Array[]): number => Math.max(...notes.map(note => note.length))

  test('is cut: commands, what follows from them, and the routes of a thread that begins', () => {
    const pair = createPair({ ...limits, nameLength: 200_000 })
    const { id } = pair.connect()
    const heard: number[] = []
    for (let index = 0; index < MANY; index++) {
      pair.registry.submit(large(id, index), () => heard.push(routesOf(pair).length))
    }
    expect(largest(pair.reports())).toBeLessThanOrEqual(limits.noteBytes)
    expect(largest(pair.obeys())).toBeLessThanOrEqual(limits.noteBytes)
    expect(heard).toHaveLength(MANY)
    expect(routesOf(pair)).toHaveLength(MANY)

    const snapshot: Uint8Array[] = []
    pair.members.add(PLACE + 1, { send: note => void snapshot.push(note), hasGateways: false })
    expect(snapshot.length).toBeGreaterThan(1)
    expect(largest(snapshot)).toBeLessThanOrEqual(limits.noteBytes)
  })

  test('counts when all of it has come: a snapshot with a part missing is asked for again', () => {
    const pair = createPair({ ...limits, nameLength: 200_000 })
    const { id } = pair.connect()
    for (let index = 0; index < MANY; index++) pair.registry.submit(large(id, index))
    pair.reports()
    pair.orders.splice(0)
    pair.registry.submit(registration(id, 'shows the gap'))
    pair.exchange()
    pair.reports()
    pair.orders.splice(3, 1)
    pair.obeys()
    expect(pair.registry.resyncs()).toBe(2)
    expect(pair.registry.unanswered()).toBeGreaterThan(0)
    pair.exchange()
    expect(routesOf(pair)).toHaveLength(MANY + 1)
    expect(pair.registry.unanswered()).toBe(0)
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
    pair.exchange()
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
    pair.exchange()
    pair.exchange()
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
      pair.exchange()
    }
    pair.exchange()
    expect(answered).toBe(23)
    expect(routesOf(pair)).toHaveLength(23)
  })
})
