/** Writes made up by chance: over a few hundred keys, alone and several together, some of them conditional. */
import { asJsonText } from '../../src/protocol/jsonText.ts'
import type { Collection, Command } from '../../src/storage/command.ts'
import type { Level } from '../../src/storage/partition.ts'
import type { Random } from '../support/random.ts'
import { placeOf, type Reference } from './reference.ts'

export interface Transaction {
  readonly commands: readonly Command[]
  readonly level: Level
}

export interface LoadOptions {
  readonly random: Random
  readonly levels: readonly Level[]
  /** Knows what is there when the write is made; conditions are right or wrong by it. */
  readonly reference: Reference
  /** What the functions of the state can do: items of streams are written in transactions only. */
  readonly isState?: boolean
}

const COLLECTIONS: readonly Collection[] = [
  { space: 'state', name: 'orders', group: '' },
  { space: 'state', name: 'users', group: '' },
  { space: 'state', name: 'ünïcode \u{1f600}', group: '' },
  { space: 'stream', name: 'chat', group: 'room' },
]
const COUNTERS: Collection = { space: 'state', name: 'counters', group: '' }
const KEYS = 80

/** Each write says its number, so that a value that nobody has written is known at once. */
export function createLoad({ random, levels, reference, isState = false }: LoadOptions): () => Transaction {
  const { between } = random
  const pick = <Item>(items: readonly Item[]): Item => items[between(0, items.length)]!
  const chance = (percent: number): boolean => between(0, 100) < percent
  let made = 0

  function textOf(): ReturnType<typeof asJsonText> {
    const length = chance(4) ? between(2_000, 20_000) : between(0, 150)
    return asJsonText(`{"write":${made},"seed":${random.seed},"text":"${'x'.repeat(length)}"}`)
  }

  /** One that is there already, now and then; most are cancelled some time. */
  function messageCommand(): Command {
    const known = [...reference.messages.keys()]
    const receipt =
      known.length > 0 && chance(known.length > 40 ? 70 : 25) ? pick(known) : `m-${random.seed}-${made}`
    if (reference.messages.has(receipt) && chance(95)) return { command: 'cancel', receipt }
    const group = chance(50) ? `group ${between(0, 5)}` : undefined
    const functionId = chance(50) ? pick(['f', 'g']) : undefined
    return {
      command: 'enqueue',
      queue: pick(['orders', 'mails']),
      receipt,
      functionId,
      group,
      data: textOf(),
    }
  }

  function commandOf(isAlone: boolean): Command {
    made++
    if (!isState && chance(25)) return messageCommand()
    const collection = pick(isState && isAlone ? COLLECTIONS.slice(0, 3) : COLLECTIONS)
    const key = `key ${between(0, KEYS)}`
    const version = reference.entries.get(placeOf(collection, key))?.version ?? 0
    const ifVersion = chance(80) ? undefined : chance(70) ? version : version + 1
    const dice = between(0, 100)
    if (dice < 55) {
      const isQuiet = !isState && chance(20)
      return { command: 'put', collection, key, value: textOf(), ifVersion, expiresAtMs: undefined, isQuiet }
    }
    if (dice < 70) {
      const tellsMissing = isState ? collection.space === 'state' : chance(50)
      return { command: 'remove', collection, key, ifVersion, tellsMissing }
    }
    if (dice < 75 && !isState) return { command: 'tell', collection, key, type: 'event', data: textOf() }
    const [counter, by] = [`counter ${between(0, 10)}`, BigInt(between(1, 100))]
    return {
      command: 'update',
      collection: COUNTERS,
      key: counter,
      ifVersion: undefined,
      operations: [{ type: 'increment', path: 'n', by }],
      expiresAtMs: undefined,
      maxValueBytes: undefined,
    }
  }

  return () => {
    const count = chance(80) ? 1 : between(2, 6)
    const commands = Array.from({ length: count }, () => commandOf(count === 1))
    return { commands, level: pick(levels) }
  }
}
