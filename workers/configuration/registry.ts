/**
 * All entries: what is in memory is what is on the disk, and changes only after it. Changes of one entry come one after
 * the other; each is decided, stored, and told of.
 *
 *     command ─┐
 *              ├─▶ queue of the id ─▶ file as it is ─▶ decide ─▶ schema ─▶ store ─▶ memory ─▶ event
 *     edit ────┘
 */
import type { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { Clock } from '../../src/clock/clock.ts'
import type { Cause } from '../../src/delivery/depth.ts'
import type { Log } from '../../src/log/log.ts'
import { limits } from '../../src/protocol/limits.ts'
import {
  type Decision,
  decideEdit,
  decideRegister,
  decideValue,
  type HistoryBounds,
  patched,
  type Registering,
  requireFit,
  requireFitSchema,
  requireId,
  requireRegistered,
  requireRevision,
  requireSchema,
  valueAt,
  withLostEdit,
} from './decide.ts'
import type { Documents } from './document.ts'
import { type Asker, type ConfigurationEvent, type Deed, type Entry, isEntry, type Kept } from './entry.ts'
import type { ReadFile } from './files.ts'
import type { Json } from './json.ts'
import { createJudge } from './judge.ts'
import type { Reading } from './reading.ts'
import { type Fingerprint, fingerprint } from './record.ts'
import type { Seeds } from './seed.ts'
import { type Bounds, createSlots } from './slots.ts'
import { createSowing } from './sowing.ts'
import { adapterError, type Store } from './store.ts'

export interface RegistryParts {
  readonly store: Store
  /** Loads the YAML library when it is needed first. */
  readonly documents: () => Promise<Documents>
  readonly reading: Reading
  readonly history: HistoryBounds
  /** Of all entries; changes beyond them are refused. */
  readonly bounds: Bounds
  /** Entries of built-in workers. */
  readonly seeds?: Seeds
  readonly clock: Clock
  readonly log: Log
  readonly tell: (event: ConfigurationEvent, cause: Cause | undefined) => void
}

export interface ValueChange {
  readonly id: string
  readonly value: Json
  /** Refused when the entry has another one. */
  readonly ifRevision: number | undefined
}

export interface Registry {
  /** Reads what is on the disk, and sows what is not. Never rejects: what cannot be read is logged. */
  load(): Promise<void>
  find(id: string): Entry | undefined
  entries(): readonly Entry[]
  /** It has a file: settings of a built-in worker may have none. */
  isStored(id: string): boolean
  register(wanted: Registering, ifRevision: number | undefined, by: Asker): Promise<Decision>
  set(change: ValueChange, by: Asker): Promise<Decision>
  patch(change: ValueChange, by: Asker): Promise<Decision>
  rollback(id: string, revision: number, ifRevision: number | undefined, by: Asker): Promise<Decision>
  /** `undefined`: there is none. */
  delete(id: string, ifRevision: number | undefined, by: Asker): Promise<Entry | undefined>
  /** The file of an entry, or any file, may have been edited. */
  lookAgain(id: string | undefined): Promise<void>
  /** Resolves when everything under way is done. */
  idle(): Promise<void>
}

/** An edit may come in between this often before a write gives up. */
const MOST_TRIES = 5

export function createRegistry(parts: RegistryParts): Registry {
  const { store, documents, reading, history, bounds, clock, log, tell, seeds = new Map() } = parts
  const slots = createSlots(bounds)
  const queues = new Map<string, Promise<unknown>>()
  const judge = createJudge({ documents, reading, pathOf: store.pathOf, log })
  const atMs = (): number => Math.floor(clock.now())

  function inOrder<Result>(id: string, task: () => Promise<Result>): Promise<Result> {
    const done = (queues.get(id) ?? Promise.resolve()).then(task)
    const settled = done.then(
      () => {},
      () => {},
    )
    queues.set(id, settled)
    void settled.then(() => {
      if (queues.get(id) === settled) queues.delete(id)
    })
    return done
  }

  function put(kept: Kept, file: Fingerprint): void {
    slots.put(kept, file)
    const id = slots.excess()
    if (id !== undefined) void inOrder(id, () => drop(id))
  }

  async function drop(id: string): Promise<void> {
    if (slots.find(id) !== undefined) return
    slots.drop(id)
    await store.drop(id)
  }

  async function readFile(id: string): Promise<ReadFile | undefined> {
    try {
      return await store.readFile(id)
    } catch (error) {
      throw adapterError(`the file of configuration '${id}' cannot be read`, error)
    }
  }

  /** The entry with what was written into its file and is about to lose. */
  async function withLost(
    id: string,
    base: Kept | undefined,
    file: ReadFile | undefined,
  ): Promise<Kept | undefined> {
    if (file === undefined) return base
    const result = (await documents()).read(id, file.text)
    if (!result.ok && result.isForeign && !isEntry(base)) {
      throw adapterError(
        `the file ${store.pathOf(id)} belongs to somebody else and is left alone`,
        `${result.message}. Move it, or choose another \`directory\``,
      )
    }
    return result.ok && isEntry(base) ? withLostEdit(base, result.edit.value, atMs(), history) : base
  }

  function tellOfLost(id: string, file: ReadFile | undefined): void {
    const what =
      file === undefined
        ? 'the file of a configuration was removed by hand; it is written again'
        : 'an edit of the file of a configuration was replaced by a write at the same time; its text is kept'
    log.warn(what, { id, file: store.pathOf(id) })
  }

  interface Asked {
    readonly id: string
    /** What the command is about is no whole value: an edit of the file comes first, and is not replaced. */
    readonly keepsEdit: boolean
    readonly by: Asker
    decide(before: Kept | undefined): Promise<Decision>
    /** Refuses what is wrong before anything is looked at. */
    check(before: Kept | undefined): void
  }

  async function change({ id, keepsEdit, by, decide, check }: Asked): Promise<Decision> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      if (keepsEdit) await look(id)
      const slot = slots.get(id)
      check(slot?.kept)
      const file = await readFile(id)
      const isForeign = fingerprint(file?.text) !== (slot?.file ?? null)
      const before = isForeign ? await withLost(id, slot?.kept, file) : slot?.kept
      const decision = await decide(before)
      if (decision.isSame && !isForeign) {
        tell(decision.event, by.cause)
        return decision
      }
      slots.requireRoom(decision.entry)
      const text = (await documents()).write(decision.entry, file?.text)
      const outcome = await store.write({ kept: decision.entry, text, from: file, isForeign })
      if (outcome === 'changed') continue
      if (isForeign) tellOfLost(id, file)
      put(decision.entry, fingerprint(text))
      tell(decision.event, by.cause)
      if (outcome === 'unconfirmed') throw unconfirmed(id)
      return decision
    }
    throw adapterError(`configuration '${id}' could not be written`, 'its file is being edited all the time')
  }

  function setValue(
    { id, ifRevision }: Omit<ValueChange, 'value'>,
    how: 'set' | 'patch' | 'rollback',
    by: Asker,
    valueFrom: (before: Entry) => Json,
  ): Promise<Decision> {
    return inOrder(id, () =>
      change({
        id,
        keepsEdit: how === 'patch',
        by,
        check(before) {
          const entry = requireRegistered(id, before)
          requireSchema(entry)
          requireRevision(entry, ifRevision)
        },
        async decide(kept) {
          const before = requireRegistered(id, kept)
          const value = valueFrom(before)
          requireFit('value', value, limits.configurationValueBytes)
          await reading.requireValid({ id, schema: requireSchema(before) }, value)
          return decideValue(before, value, how, deed(by), history)
        },
      }),
    )
  }

  const deed = ({ author }: Asker): Deed => ({ author, atMs: atMs() })

  async function remove(id: string, ifRevision: number | undefined, by: Asker): Promise<Entry | undefined> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const slot = slots.get(id)
      if (slot === undefined || !isEntry(slot.kept)) return undefined
      const entry = slot.kept
      requireRevision(entry, ifRevision)
      const from = await readFile(id)
      const isForeign = fingerprint(from?.text) !== slot.file
      if (isForeign && from !== undefined) {
        log.warn('the file of a configuration was edited and is deleted with it; its text is kept', { id })
      }
      const kept = { id, revision: entry.revision + 1 }
      const outcome = await store.write({ kept, text: undefined, from, isForeign })
      if (outcome === 'changed') continue
      gone(entry, kept, by.cause)
      log.info('a configuration was deleted', { id, author: by.author })
      if (outcome === 'unconfirmed') throw unconfirmed(id)
      return entry
    }
    throw adapterError(`configuration '${id}' could not be deleted`, 'its file is being edited all the time')
  }

  function gone(entry: Entry, kept: Kept, cause?: Cause): void {
    put(kept, null)
    tell({ type: 'configuration:deleted', entry, oldValue: entry.value, newValue: null }, cause)
    sowing.again(entry.id)
  }

  /** Takes over what somebody has written into a file, if it is right. */
  async function look(id: string): Promise<void> {
    const file = await readFile(id)
    const slot = slots.get(id)
    const found = fingerprint(file?.text)
    if (found === (slot?.file ?? null)) return
    if (file === undefined) {
      if (isEntry(slot?.kept)) await lookAtNothing(slot.kept)
      return
    }
    const edit = await judge(id, slot?.kept, file)
    if (edit === undefined) return
    const { entry, event } = decideEdit(id, slot?.kept, edit, atMs(), history)
    await adopt(entry, file)
    put(entry, found)
    log.info('a configuration was changed by an edit of its file', {
      id,
      file: store.pathOf(id),
      revision: entry.revision,
    })
    tell(event, undefined)
  }

  async function lookAtNothing(entry: Entry): Promise<void> {
    const kept = { id: entry.id, revision: entry.revision + 1 }
    await adopt(kept, undefined)
    log.warn('the file of a configuration was removed by hand, and the configuration with it', {
      id: entry.id,
    })
    gone(entry, kept)
  }

  /** An edit counts also where nothing can be noted beside it. */
  async function adopt(kept: Kept, file: ReadFile | undefined): Promise<void> {
    try {
      await store.adopt(kept, file)
    } catch (error) {
      log.warn('an edit is in force, and its revision and history could not be written', {
        id: kept.id,
        error,
      })
    }
  }

  async function loadOne(id: string): Promise<void> {
    try {
      const { record } = await store.load(id)
      if (record !== undefined) put(record.kept, record.file)
      await look(id)
    } catch (error) {
      log.error('a configuration cannot be read and is not there', { id, file: store.pathOf(id), error })
    }
  }

  async function idsOnDisk(): Promise<readonly string[]> {
    const { files, records } = await store.ids()
    if (files.length > bounds.entries) {
      log.warn('there are more configurations than are read', {
        count: files.length,
        read: bounds.entries,
      })
    }
    // What has a record and no file was deleted.
    return [...files.slice(0, bounds.entries), ...records]
  }

  const registry: Registry = {
    find: slots.find,
    entries: slots.entries,
    isStored: id => (slots.get(id)?.file ?? null) !== null,

    async load() {
      try {
        for (const id of await idsOnDisk()) await inOrder(id, () => loadOne(id))
      } catch (error) {
        log.error('the folder of configurations cannot be read', { error })
      }
      await sowing.begin()
    },

    async register(wanted, ifRevision, by) {
      const { id } = wanted
      requireId(id)
      requireFit('value', wanted.value, limits.configurationValueBytes)
      requireFitSchema(wanted.schema)
      requireFit('metadata', wanted.metadata, limits.configurationTextBytes)
      const check = (before: Kept | undefined): void => {
        if (isEntry(before)) requireRevision(before, ifRevision)
        else if (ifRevision !== undefined) requireRevision({ id, revision: 0 }, ifRevision)
      }
      return inOrder(id, () =>
        change({
          id,
          keepsEdit: wanted.value === undefined || wanted.keepsValue,
          by,
          check,
          async decide(before) {
            if (wanted.value !== undefined) await reading.requireValid(wanted, wanted.value)
            return decideRegister(before, wanted, deed(by), history)
          },
        }),
      )
    },

    set: (asked, by) => setValue(asked, 'set', by, () => asked.value),
    patch: (asked, by) => setValue(asked, 'patch', by, before => patched(before, asked.value)),
    rollback: (id, revision, ifRevision, by) =>
      setValue({ id, ifRevision }, 'rollback', by, before => valueAt(before, revision)),
    delete: (id, ifRevision, by) => inOrder(id, () => remove(id, ifRevision, by)),

    async lookAgain(id) {
      const ids = id === undefined ? new Set([...slots.ids(), ...(await idsOnDisk())]) : [id]
      for (const each of ids) {
        await inOrder(each, () => look(each)).catch(error => {
          log.warn('the file of a configuration cannot be read; the value before it stays', {
            id: each,
            error,
          })
        })
      }
    },

    async idle() {
      while (queues.size > 0) await Promise.all(queues.values())
    },
  }
  const sowing = createSowing({
    seeds,
    find: id => slots.get(id)?.kept,
    stored: slots.find,
    put: entry => put(entry, null),
    register: (wanted, by) => registry.register(wanted, undefined, by),
    deed,
    history,
    pathOf: store.pathOf,
    log,
  })
  return registry
}

function unconfirmed(id: string): HandlerError {
  return adapterError(
    `configuration '${id}' is written and in force`,
    'the disk has not confirmed it, so it may be lost with the power',
  )
}
