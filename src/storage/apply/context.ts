/** What a command may look at and do while it is applied. It sends nothing and knows no time but `nowMs`. */
import type { EntryChange, Publication } from '../change.ts'
import type { MessageChange, QueueChange } from '../queue/message.ts'
import type { CorruptData } from '../storageError.ts'
import type { Tables } from '../tables.ts'

export interface ApplyContext {
  /** Wall clock, whole milliseconds. */
  readonly nowMs: number
  readonly tables: Tables
  nextRevision(): number
  emit(change: EntryChange): void
  publish(publication: Publication): void
  tellMessage(change: MessageChange): void
  tellQueue(change: QueueChange): void
  /** Something of a queue expires then. Wall clock, milliseconds. */
  expires(atMs: number): void
  /** Something was written that is no change of an entry; `characters` of values. */
  wrote(characters: number): void
  /** Of what is stepped over. */
  noticeDamage(damage: CorruptData): void
}
