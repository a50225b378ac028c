/**
 * The registry of a thread that does not hold the directory: commands go to the main thread, what follows comes back in
 * the same order. What this thread knows of the directory (its routes) has a version; a gap is healed by a snapshot.
 */
import type { Command } from '../engine/directory/command.ts'
import { type Effect, perform } from '../engine/effects.ts'
import type { Registry } from '../engine/registry.ts'
import type { EngineState } from '../engine/state.ts'
import type { Turn } from '../server/turn.ts'
import { cutIntoNotes, type Item, type Order, packNote, readOrder } from './notes.ts'

export interface MemberRegistry extends Registry {
  /** An order of the main thread has come. */
  ordered(engine: EngineState, bytes: Uint8Array): void
  /** Commands that were not answered yet. */
  unanswered(): number
  /** Gaps that were healed: zero unless something is at fault. */
  resyncs(): number
}

/** `send` hands a note to the main thread, behind everything that was sent there before. */
export function createMemberRegistry(send: (note: Uint8Array) => void, turn: Turn): MemberRegistry {
  let commands: Command[] = []
  const waiting: ((() => void) | undefined)[] = []
  /** Index of the oldest command without an answer, and how many were answered before `waiting[0]`. */
  let first = 0
  let forgotten = 0
  let version = 0
  let resyncs = 0
  let isResyncing = false
  /** Of a snapshot whose last part has not come, if there is one. */
  let parts: Effect[] | undefined

  function flush(): void {
    const given = commands
    commands = []
    for (const part of cutIntoNotes(given)) send(packNote({ note: 'commands', commands: part }))
  }

  function answered(): void {
    const then = waiting[first]
    waiting[first++] = undefined
    if (first === waiting.length || first >= 1024) {
      forgotten += first
      waiting.splice(0, first)
      first = 0
    }
    then?.()
  }

  /** While a snapshot is waited for, answers are left to it: whose they are cannot be told. */
  function apply(engine: EngineState, items: readonly Item[]): void {
    for (const item of items) {
      try {
        if (item !== 'answered') perform(engine, item)
        else if (!isResyncing) answered()
      } catch (error) {
        // A fault of ours in one of them; the others are for other connections.
        engine.log.error('internal error while following an order of the main thread', {
          effect: item === 'answered' ? item : item.effect,
          error: error instanceof Error ? error.stack : error,
        })
      }
    }
  }

  function heal(engine: EngineState, order: Extract<Order, { note: 'snapshot' }>): void {
    if (order.isFirst) parts = []
    // What is left of a snapshot with a part missing: another one is on its way.
    if (parts === undefined) return
    parts.push(...order.routes)
    if (!order.isLast) return
    const routes = parts
    parts = undefined
    isResyncing = false
    engine.routes.replace([])
    for (const route of routes) perform(engine, route)
    while (forgotten + first < order.answered) answered()
  }

  return {
    submit(command, then) {
      waiting.push(then)
      commands.push(command)
      if (commands.length === 1) turn.atEnd(flush)
    },

    ordered(engine, bytes) {
      const order = readOrder(bytes)
      const beginsAnew = order.note === 'snapshot' && order.isFirst
      if (order.version !== version + 1 && !beginsAnew) {
        resyncs++
        isResyncing = true
        parts = undefined
        engine.log.error('an order of the main thread is missing; all routes are asked for again', {
          expected: version + 1,
          came: order.version,
        })
        send(packNote({ note: 'resync' }))
      }
      version = order.version
      if (order.note === 'items') apply(engine, order.items)
      else heal(engine, order)
    },

    unanswered: () => waiting.length - first,
    resyncs: () => resyncs,
  }
}
