/**
 * The main thread's side of the other threads: takes their commands, and gives each what follows for it, in order.
 *
 * A command is answered when what follows from it is in the rings of all threads: a thread that looks into its ring then
 * finds it (`docs/decisions/0010-routes.md`).
 */
import type { Command } from '../engine/directory/command.ts'
import type { Directory } from '../engine/directory/directory.ts'
import { allRoutes, type Effect, type PlacedEffect } from '../engine/effects.ts'
import type { HostState } from '../engine/registry.ts'
import { EVERYWHERE, type Place } from '../engine/routes.ts'
import type { Gateways } from './gateways.ts'
import { cutIntoNotes, type Item, type Order, packNote, readReport } from './notes.ts'

export interface Members {
  /** A thread begins. It is given all routes first. */
  add(place: Place, joining: Joining): void
  /** A thread is no more. Returns its workers, who are still in the directory. */
  remove(place: Place): readonly string[]
  /** Workers of a thread that is no more provide no trigger types: triggers wait for those that come after them. */
  park(workerIds: readonly string[]): void
  /** Workers of a thread that is no more leave. */
  dismiss(workerIds: readonly string[]): void
  /** A report of a thread has come. */
  reported(place: Place, bytes: Uint8Array): void
  /** Something happens on another thread. */
  push(placed: PlacedEffect): void
  /** Sends what was pushed. */
  flush(): void
}

export interface Joining {
  /** Hands it a note, behind everything sent there before. `entered`: it is in its ring, now or later. */
  readonly send: (note: Uint8Array, entered: () => void) => void
  readonly hasGateways: boolean
}

interface Member extends Joining {
  version: number
  answered: number
  items: Item[]
}

/** Answers that wait until notes which found no room are in their rings. */
interface HeldAnswers {
  readonly member: Member
  readonly count: number
  /** The number of the newest of these notes. */
  readonly behind: number
}

const answersIn = (items: readonly Item[]): number => items.filter(item => item === 'answered').length

export function createMembers(state: () => HostState, gateways: () => Gateways): Members {
  const members = new Map<Place, Member>()
  let notes = 0
  /** Notes that are not in their ring yet, oldest first. */
  const underWay = new Map<number, Member>()
  let held: HeldAnswers[] = []
  let isBatch = false
  let isReleasing = false

  function send(member: Member, order: Order): void {
    const note = packNote(order)
    const number = ++notes
    underWay.set(number, member)
    member.send(note, () => {
      underWay.delete(number)
      release()
    })
  }

  function flushOne(member: Member): void {
    if (member.items.length === 0) return
    const { items } = member
    member.items = []
    member.answered += answersIn(items)
    for (const part of cutIntoNotes(items)) {
      send(member, { note: 'items', version: ++member.version, items: part })
    }
  }

  /** What follows from commands goes to everybody before any of them is answered. */
  function flush(): void {
    if (isBatch) return
    const answering = [...members.values()].filter(({ items }) => items.includes('answered'))
    for (const member of members.values()) if (!answering.includes(member)) flushOne(member)
    const [member] = answering
    if (answering.length === 1 && underWay.size === 0) {
      flushOne(member!)
      return
    }
    for (const each of answering) {
      const count = answersIn(each.items)
      each.items = each.items.filter(item => item !== 'answered')
      flushOne(each)
      held.push({ member: each, count, behind: notes })
    }
    release()
  }

  /** Gives the answers for which nothing is to be waited any more. */
  function release(): void {
    if (isReleasing) return
    isReleasing = true
    while (held.length > 0) {
      const [oldest] = underWay.keys()
      const { member, count, behind } = held[0]!
      if (oldest !== undefined && oldest <= behind) break
      held.shift()
      for (let answer = 0; answer < count; answer++) member.items.push('answered')
      flushOne(member)
    }
    isReleasing = false
  }

  /** Notes go out when all of the work is done: one for each thread, however much it is. */
  function inOneBatch(work: () => void): void {
    isBatch = true
    try {
      work()
    } finally {
      isBatch = false
      flush()
    }
  }

  /** The thread whose gateways answer for all: the lowest one that has any. */
  function primary(): Place | undefined {
    const places = [...members].flatMap(([place, { hasGateways }]) => (hasGateways ? [place] : []))
    return places.length === 0 ? undefined : Math.min(...places)
  }

  function snapshot(directory: Directory, member: Member): void {
    // What else it is to do it is told all the same.
    flushOne(member)
    const routes = allRoutes(directory)
    const { answered } = member
    let sent = 0
    for (const part of cutIntoNotes(routes)) {
      const isFirst = sent === 0
      sent += part.length
      const isLast = sent === routes.length
      const version = ++member.version
      send(member, { note: 'snapshot', version, isFirst, isLast, routes: part, answered })
    }
  }

  function obey(command: Command, member: Member, place: Place): void {
    const answer = (): void => void member.items.push('answered')
    const verdict = gateways().admit(command, place, primary())
    if (verdict !== 'pass') {
      member.items.push(...verdict)
      answer()
      return
    }
    let isAnswered = false
    try {
      state().registry.submit(command, () => {
        isAnswered = true
        answer()
      })
    } catch (error) {
      // A fault of ours in one command; those behind it are carried out, and each has one answer.
      if (!isAnswered) answer()
      const stack = error instanceof Error ? error.stack : error
      state().log.error('internal error while carrying out a command', {
        command: command.command,
        error: stack,
      })
    }
  }

  return {
    add(place, joining) {
      const member: Member = { ...joining, version: 0, answered: 0, items: [] }
      members.set(place, member)
      snapshot(state().directory, member)
    },

    remove(place) {
      const gone = members.get(place)
      members.delete(place)
      // Nobody waits for what it will not get.
      for (const [number, member] of underWay) if (member === gone) underWay.delete(number)
      held = held.filter(({ member }) => member !== gone)
      release()
      const workers = [...state().directory.workers.values()]
      return workers.filter(worker => worker.place === place).map(({ id }) => id)
    },

    park(workerIds) {
      const { directory, registry } = state()
      const gone = new Set(workerIds)
      const records = [...directory.triggers.types.values()].flatMap(types => [...types.values()])
      inOneBatch(() => {
        for (const { id, namespace, layers } of records) {
          for (const { workerId } of layers.filter(layer => gone.has(layer.workerId)))
            registry.submit({ command: 'unregisterTriggerType', workerId, namespace, id })
        }
      })
    },

    dismiss(workerIds) {
      const { registry } = state()
      const reason = 'its thread has ended'
      inOneBatch(() => {
        for (const workerId of workerIds) registry.submit({ command: 'leave', workerId, reason })
      })
    },

    reported(place, bytes) {
      const member = members.get(place)
      if (member === undefined) return
      const report = readReport(bytes)
      if (report.note === 'resync') {
        snapshot(state().directory, member)
        return
      }
      inOneBatch(() => {
        for (const command of report.commands) obey(command, member, place)
      })
    },

    push({ place, effect }: { place: Place; effect: Effect }) {
      if (place === EVERYWHERE) for (const member of members.values()) member.items.push(effect)
      else members.get(place)?.items.push(effect)
    },

    flush,
  }
}
