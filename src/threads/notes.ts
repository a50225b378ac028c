/**
 * What threads tell each other besides frames: commands for the directory, and what follows from them. Rare and of many
 * shapes, so a general encoder writes them.
 */
import { Packr } from 'msgpackr'
import type { Command } from '../engine/directory/command.ts'
import type { Effect } from '../engine/effects.ts'

/** Something for a thread to do, or `'answered'`: the oldest command it has given was carried out. */
export type Item = Effect | 'answered'

/** To the main thread. */
export type Report =
  | { readonly note: 'commands'; readonly commands: readonly Command[] }
  /** A version is missing: everything is needed again. */
  | { readonly note: 'resync' }

/** From the main thread. `version` counts the orders to one thread, so that a gap is noticed. */
export type Order =
  | { readonly note: 'items'; readonly version: number; readonly items: readonly Item[] }
  | {
      readonly note: 'snapshot'
      readonly version: number
      readonly routes: readonly Effect[]
      /** Commands of this thread that were carried out since its start. */
      readonly answered: number
    }

const packr = new Packr({ useRecords: false })

export const packNote = (note: Report | Order): Uint8Array => packr.pack(note)

export const readReport = (bytes: Uint8Array): Report => packr.unpack(bytes) as Report
export const readOrder = (bytes: Uint8Array): Order => packr.unpack(bytes) as Order
