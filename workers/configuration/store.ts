/**
 * Entries in a folder: `<id>.yaml` for people, and beside it, in `.history`, a record of what they need not see.
 *
 *     .history/<id>.b.json ──▶ <id>.yaml
 *        written, synced         renamed, synced: from here on it is done
 *
 * Records are written to two places in turn, so that the one in force is never touched. An end at any moment leaves either
 * everything old or everything new (`placeInForce`).
 */
import { join } from 'node:path'
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { Log } from '../../src/log/log.ts'
import { limits } from '../../src/protocol/limits.ts'
import { isId } from './decide.ts'
import type { Kept } from './entry.ts'
import type { Files, ReadFile } from './files.ts'
import {
  type Fingerprint,
  fingerprint,
  type Place,
  placeInForce,
  type Record,
  readRecord,
  writeRecord,
} from './record.ts'

export interface StoreParts {
  readonly files: Files
  /** Absolute path; made with the first entry. */
  readonly directory: string
  readonly log: Log
}

/** What stands on the disk for an id. */
export interface OnDisk {
  readonly record: Record | undefined
  readonly file: ReadFile | undefined
}

export interface Change {
  readonly kept: Kept
  /** The file as it will be; `undefined`: none. */
  readonly text: string | undefined
  /** The file as it was when the change was decided; `undefined`: there was none. */
  readonly from: ReadFile | undefined
  /** The file is not the one the engine has written last, and is copied before it is replaced. */
  readonly isForeign: boolean
}

export interface Store {
  /** Ids with a file, and those with nothing but a record. Rejects when the folder cannot be read. */
  ids(): Promise<{ readonly files: readonly string[]; readonly records: readonly string[] }>
  load(id: string): Promise<OnDisk>
  readFile(id: string): Promise<ReadFile | undefined>
  /**
   * Resolves with `written` when the disk has the change; with `unconfirmed` when it is in the file and the disk does not
   * say whether it has it; with `changed` when nothing was written because the file is not as it was any more. Rejects
   * with `ADAPTER_ERROR`; then nothing has changed.
   */
  write(change: Change): Promise<'written' | 'unconfirmed' | 'changed'>
  /** Notes what belongs to a file that somebody else has written. */
  adopt(kept: Kept, file: ReadFile | undefined): Promise<void>
  /** Removes the record of what was deleted; its revisions may come again. */
  drop(id: string): Promise<void>
  pathOf(id: string): string
  watch(changed: (id: string | undefined) => void): () => void
}

const RECORDS = '.history'
const FILE = /^(.*)\.yaml$/
const RECORD = /^(.*)\.[ab]\.json$/
/** For the engine's user only: values may be secrets. */
const MODE = 0o600

export function adapterError(what: string, error: unknown): HandlerError {
  const reason = error instanceof Error ? error.message : String(error)
  return new HandlerError('ADAPTER_ERROR', `${what}: ${reason}`)
}

function idsIn(names: readonly string[] | undefined, form: RegExp): string[] {
  const ids = (names ?? []).map(name => form.exec(name)?.[1])
  return ids.filter((id): id is string => id !== undefined && isId(id)).sort()
}

export function createStore({ files, directory, log }: StoreParts): Store {
  const records = join(directory, RECORDS)
  const pathOf = (id: string): string => join(directory, `${id}.yaml`)
  const recordOf = (id: string, place: Place): string => join(records, `${id}.${place}.json`)
  const replacedOf = (id: string): string => join(records, `${id}.replaced.yaml`)
  const draftOf = (id: string): string => join(records, `${id}.draft`)
  let hasFolder = false
  /** Where the records in force are. */
  const inForce = new Map<string, Place>()

  async function makeFolders(): Promise<void> {
    if (hasFolder) return
    await files.makeFolder(records)
    hasFolder = true
  }

  function readFile(id: string): Promise<ReadFile | undefined> {
    return files.read(pathOf(id), limits.configurationFileBytes)
  }

  async function readOne(id: string, path: string): Promise<Record | undefined> {
    const found = await files.read(path, limits.configurationRecordBytes)
    if (found === undefined) return undefined
    const record = readRecord(id, found.text)
    if (record === undefined)
      log.warn('a record of a configuration cannot be read and is not used', { file: path })
    return record
  }

  async function load(id: string): Promise<OnDisk> {
    const file = await readFile(id)
    const found = { a: await readOne(id, recordOf(id, 'a')), b: await readOne(id, recordOf(id, 'b')) }
    const place = placeInForce(found, fingerprint(file?.text))
    if (place === undefined) return { record: undefined, file }
    inForce.set(id, place)
    return { record: found[place], file }
  }

  function otherPlace(id: string): Place {
    return inForce.get(id) === 'a' ? 'b' : 'a'
  }

  async function writeRecordOf(kept: Kept, file: Fingerprint): Promise<void> {
    await files.write(recordOf(kept.id, otherPlace(kept.id)), writeRecord({ kept, file }), MODE)
    await files.syncFolder(records)
  }

  /** The record that was written last is the one in force. */
  function turn(id: string): void {
    inForce.set(id, otherPlace(id))
  }

  /** Takes back what was prepared. If that fails, the file does not belong to it anyway. */
  async function giveUp(id: string): Promise<void> {
    for (const path of [recordOf(id, otherPlace(id)), draftOf(id)]) await files.remove(path).catch(() => {})
  }

  /** Of what is deleted no values stay behind. */
  async function forget(id: string): Promise<void> {
    for (const path of [recordOf(id, otherPlace(id)), replacedOf(id)])
      await files.remove(path).catch(() => {})
  }

  async function put({ kept, text, from, isForeign }: Change): Promise<'written' | 'changed'> {
    const { id } = kept
    const path = pathOf(id)
    await makeFolders()
    await writeRecordOf(kept, fingerprint(text))
    if (isForeign && from !== undefined) {
      await files.write(replacedOf(id), from.text, MODE)
    }
    if (text !== undefined) await files.write(draftOf(id), text, from?.mode ?? MODE)
    // As late as possible: who writes between this look and the next line loses.
    if ((await readFile(id))?.text !== from?.text) {
      await giveUp(id)
      return 'changed'
    }
    if (text === undefined) await files.remove(path)
    else await files.rename(draftOf(id), path)
    return 'written'
  }

  return {
    pathOf,
    readFile,
    load,

    async ids() {
      const withFile = new Set(idsIn(await files.list(directory), FILE))
      const withRecord = new Set(idsIn(await files.list(records), RECORD))
      return { files: [...withFile], records: [...withRecord].filter(id => !withFile.has(id)) }
    },

    async write(change) {
      const { id } = change.kept
      let outcome: 'written' | 'unconfirmed' | 'changed'
      try {
        outcome = await put(change)
      } catch (error) {
        hasFolder = false
        await giveUp(id)
        throw adapterError(`configuration '${id}' could not be written, and is as it was`, error)
      }
      if (outcome === 'written') {
        try {
          await files.syncFolder(directory)
        } catch (error) {
          log.error('the disk has not confirmed a write of a configuration', { id, error })
          outcome = 'unconfirmed'
        }
        turn(id)
        if (change.text === undefined && !change.isForeign && outcome === 'written') await forget(id)
      }
      return outcome
    },

    async adopt(kept, file) {
      try {
        await makeFolders()
        await writeRecordOf(kept, fingerprint(file?.text))
        turn(kept.id)
      } catch (error) {
        throw adapterError(`what belongs to configuration '${kept.id}' could not be written`, error)
      }
    },

    async drop(id) {
      await forget(id)
      await files.remove(recordOf(id, inForce.get(id) ?? 'a')).catch(() => {})
      inForce.delete(id)
    },

    watch(changed) {
      return files.watch(
        directory,
        name => {
          const id = name === undefined ? undefined : FILE.exec(name)?.[1]
          if (name === undefined || (id !== undefined && isId(id))) changed(id)
        },
        error =>
          log.warn('the folder of configurations is not watched: edits by hand are seen at the next start', {
            directory,
            error,
          }),
      )
    },
  }
}
