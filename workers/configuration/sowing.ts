/** Makes entries of what the configuration file says to built-in workers, where nothing is stored. */
import type { Log } from '../../src/log/log.ts'
import { decideRegister, type HistoryBounds, type Registering } from './decide.ts'
import type { Asker, Deed, Entry, Kept } from './entry.ts'
import { isSame } from './json.ts'
import { registeringOf, type Seed, type Seeds } from './seed.ts'

export interface SowingParts {
  readonly seeds: Seeds
  readonly find: (id: string) => Kept | undefined
  readonly stored: (id: string) => Entry | undefined
  readonly put: (entry: Entry) => void
  readonly register: (wanted: Registering, by: Asker) => Promise<unknown>
  readonly deed: (by: Asker) => Deed
  readonly history: HistoryBounds
  readonly pathOf: (id: string) => string
  readonly log: Log
}

export interface Sowing {
  /** All of them, after what is stored was read. Never rejects. */
  begin(): Promise<void>
  /** The entry was deleted: if it was that of a built-in worker, the file is in force again. */
  again(id: string): void
}

export function createSowing(parts: SowingParts): Sowing {
  const { seeds, find, stored, put, register, deed, history, pathOf, log } = parts

  /** In memory only: the file of an entry is written when somebody changes it. */
  function sow(seed: Seed): void {
    put(decideRegister(find(seed.id), registeringOf(seed), deed({ author: seed.id }), history).entry)
  }

  /** What somebody has stored goes before the configuration file. */
  async function keep(seed: Seed, entry: Entry): Promise<void> {
    const { id } = seed
    if (!isSame(entry.value, seed.value)) {
      log.info('settings that were stored are in force, and not those of the configuration file', {
        worker: id,
        file: pathOf(id),
        fix: `\`iii trigger configuration::delete id=${id}\` brings those of the configuration file back`,
      })
    }
    await register(registeringOf(seed), { author: id })
  }

  return {
    async begin() {
      for (const seed of seeds.values()) {
        const entry = stored(seed.id)
        if (entry === undefined) sow(seed)
        else {
          await keep(seed, entry).catch(error => {
            log.warn('the stored settings of a worker cannot be used', { worker: seed.id, error })
          })
        }
      }
    },
    again(id) {
      const seed = seeds.get(id)
      if (seed !== undefined) sow(seed)
    },
  }
}
