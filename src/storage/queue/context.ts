/** What a command of a queue may look at and do. It sends nothing and knows no time but `nowMs`. */
import type { MessageChange, QueueChange } from './message.ts'
import type { QueueTables } from './tables.ts'

export interface QueueContext {
  /** Wall clock, whole milliseconds. */
  readonly nowMs: number
  readonly tables: QueueTables
  /** Told when the transaction is committed. */
  emit(change: MessageChange): void
  tell(change: QueueChange): void
  /** Something of what was written is to be forgotten at this time of the wall clock. */
  expires(atMs: number): void
}
