/** A partition for tests: time and turns move when the test says so. */

import { asJsonText } from '../../src/protocol/jsonText.ts'
import type { Collection, Command, PutCommand, UpdateCommand } from '../../src/storage/command.ts'
import { createPartition, type PartitionOptions } from '../../src/storage/createPartition.ts'
import { createMemoryStore } from '../../src/storage/memory/store.ts'
import type { Committal, Partition } from '../../src/storage/partition.ts'
import type { StorageError } from '../../src/storage/storageError.ts'
import type { Store } from '../../src/storage/store.ts'
import {
  createRecordingLog,
  createVirtualClock,
  type RecordingLog,
  type VirtualClock,
} from '../support/fakes.ts'

export const scope = (name: string): Collection => ({ space: 'state', name, group: '' })

export function putOf(key: string, value = '1', more: Partial<PutCommand> = {}): PutCommand {
  return {
    command: 'put',
    collection: scope('s'),
    key,
    value: asJsonText(value),
    ifVersion: undefined,
    expiresAtMs: undefined,
    ...more,
  }
}

export const removalOf = (key: string, ifVersion?: number, tellsMissing = false): Command => ({
  command: 'remove',
  collection: scope('s'),
  key,
  ifVersion,
  tellsMissing,
})

export const updateOf = (key: string, value: string, more: Partial<UpdateCommand> = {}): UpdateCommand => ({
  command: 'update',
  collection: scope('s'),
  key,
  ifVersion: undefined,
  operations: [{ type: 'set', path: '', value: asJsonText(value) }],
  expiresAtMs: undefined,
  maxValueBytes: undefined,
  ...more,
})

/** Code of what a promise is rejected with. */
export const refusalCode = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'nothing',
    (error: StorageError) => error.code ?? String(error),
  )

export interface Stage {
  readonly partition: Partition
  readonly store: Store
  readonly clock: VirtualClock
  readonly log: RecordingLog
  readonly committals: Committal[]
  /** Ends the turn: what was submitted is committed. */
  endTurn(): void
}

export function setStage({ store = createMemoryStore(), ...options }: Partial<PartitionOptions> = {}): Stage {
  const clock = createVirtualClock()
  const log = createRecordingLog()
  const committals: Committal[] = []
  let tasks: (() => void)[] = []
  const partition = createPartition({
    store,
    clock,
    wallClock: clock.now,
    atTurnEnd: task => void tasks.push(task),
    log,
    ...options,
  })
  partition.follow(committal => void committals.push(committal))
  return {
    partition,
    store,
    clock,
    log,
    committals,
    endTurn() {
      const due = tasks
      tasks = []
      for (const task of due) task()
    },
  }
}
