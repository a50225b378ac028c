/**
 * Files of a data folder that were cut off, or in which one bit is another. Whoever opens the folder and reads
 * everything finds what was written, or is told that it is damaged: never anything else.
 */
import { describe, expect, test } from 'bun:test'
import {
  cpSync,
  fdatasyncSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { openFolder } from '../../src/storage/folder/open.ts'
import { type CorruptData, StorageError } from '../../src/storage/storageError.ts'
import { setStage } from '../storage/stage.ts'
import { temporaryFolder } from '../storage/stores.ts'
import { createRandom } from '../support/random.ts'
import { createLoad } from './load.ts'
import { entriesIn, messagesIn, toldOf } from './partitionHost.ts'
import { createReference, type Held, type Told } from './reference.ts'

const CASES = Number(process.env.III_FAULT_ROUNDS ?? 200)
const PATIENT_MS = 60_000 + CASES * 500

const random = createRandom()

interface Content {
  readonly revision: number
  readonly entries: ReadonlyMap<string, Held>
  readonly messages: ReadonlyMap<string, string>
  readonly changes: readonly Told[]
}

/** Throws what the folder has against it. */
async function contentOf(folder: string): Promise<Content> {
  const store = openFolder(folder)
  try {
    const entries = new Map(entriesIn(store.tables))
    const messages = new Map(messagesIn(store.tables))
    const changes: Told[] = []
    for (let place = store.oldest(); place < store.revision(); ) {
      const portion = store.portion(place)
      changes.push(...portion.changes.map(toldOf))
      place = portion.revision
    }
    return { revision: store.revision(), entries, messages, changes }
  } finally {
    await store.close().catch(() => {})
  }
}

/** Every transaction waits for the disk. Leaves the folder as it is after a kill, or after a stop. */
async function fill(folder: string, isStopped: boolean): Promise<void> {
  const stage = setStage({ store: openFolder(`${folder}.open`, { sync: fdatasyncSync }) })
  const reference = createReference()
  const load = createLoad({ random, levels: ['disk'], reference })
  for (let turn = 0; turn < 60; turn++) {
    for (let count = random.between(1, 8); count > 0; count--) {
      const { commands } = load()
      reference.apply(commands)
      stage.partition.submit(commands).catch(() => {})
    }
    stage.endTurn()
    // What is settled next stands in the log of SQLite before what was settled first.
    if (turn === 40 || turn === 50) {
      const { settle, session } = stage.store as ReturnType<typeof openFolder>
      settle()
      if (turn === 40) session.connection.ask.checkpoint.get()
    }
  }
  if (isStopped) await stage.partition.close()
  cpSync(`${folder}.open`, folder, { recursive: true })
  if (!isStopped) await stage.partition.close()
}

/** Returns what was done, in words. */
function damage(folder: string): string {
  const names = readdirSync(folder).filter(name => name !== 'holder.json')
  const name = names[random.between(0, names.length)]!
  const file = join(folder, name)
  const bytes = readFileSync(file)
  if (random.between(0, 3) === 0) {
    const length = random.between(0, bytes.length)
    truncateSync(file, length)
    return `${name} was cut off at ${length} of ${bytes.length} bytes`
  }
  const [place, bit] = [random.between(0, bytes.length), random.between(0, 8)]
  bytes[place]! ^= 1 << bit
  writeFileSync(file, bytes)
  return `bit ${bit} of byte ${place} of ${name} (${bytes.length} bytes) was flipped`
}

describe('damage is noticed', () => {
  test.each([
    ['a process that was killed', false],
    ['a process that has stopped', true],
  ])(
    'in the folder of %s',
    async (_, isStopped) => {
      using temporary = temporaryFolder()
      const whole = join(temporary.folder, 'whole')
      await fill(whole, isStopped)
      const untouched = join(temporary.folder, 'untouched')
      cpSync(whole, untouched, { recursive: true })
      const written = await contentOf(untouched)
      expect(written.entries.size).toBeGreaterThan(50)
      expect(written.messages.size).toBeGreaterThan(10)
      const outcomes: Record<string, number> = {}
      for (let number = 0; number < CASES; number++) {
        const folder = join(temporary.folder, 'damaged')
        mkdirSync(folder)
        cpSync(whole, folder, { recursive: true })
        const what = damage(folder)
        let outcome = 'as written'
        try {
          const found = await contentOf(folder)
          if (!Bun.deepEquals(found, written)) outcome = 'something else'
        } catch (error) {
          outcome = error instanceof StorageError ? (error as CorruptData).code : `no code: ${error}`
        }
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
        const isRight = /^(as written|data_folder_(corrupt|newer|unusable)|CORRUPT_DATA)$/.test(outcome)
        if (!isRight) throw new Error(`seed ${random.seed}, case ${number}: ${what}; found: ${outcome}`)
        Bun.spawnSync(['rm', '-r', folder])
      }
      console.log(`damaged files: seed ${random.seed}, ${JSON.stringify(outcomes)}`)
    },
    PATIENT_MS,
  )
})
