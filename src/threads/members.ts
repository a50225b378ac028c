/**
 * The main thread's side of the other threads: takes their commands, and gives each what follows for it, in order.
 */
import type { Directory } from '../engine/directory/directory.ts'
import { allRoutes, type Effect, type PlacedEffect } from '../engine/effects.ts'
import type { HostState } from '../engine/registry.ts'
import { EVERYWHERE, type Place } from '../engine/routes.ts'
import type { Gateways } from './gateways.ts'
import { cutIntoNotes, type Item, packNote, readReport } from './notes.ts'

export interface Members {
  /** A thread begins. It is given all routes first. */
  add(place: Place, joining: Joining): void
  /** A thread is no more: its workers leave. */
  remove(place: Place): void
  /** A report of a thread has come. */
  reported(place: Place, bytes: Uint8Array): void
  /** Something happens on another thread. */
  push(placed: PlacedEffect): void
  /** Sends what was pushed. */
  flush(): void
}

export interface Joining {
  /** Hands it a note, behind everything sent there before. */
  readonly send: (note: Uint8Array) => void
  readonly hasGateways: boolean
}

interface Member extends Joining {
  version: number
  answered: number
  items: Item[]
}

export function createMembers(state: () => HostState, gateways: () => Gateways): Members {
  const members = new Map<Place, Member>()

  function flushOne(member: Member): void {
    if (member.items.length === 0) return
    const { items } = member
    member.items = []
    for (const part of cutIntoNotes(items)) {
      member.send(packNote({ note: 'items', version: ++member.version, items: part }))
    }
  }

  function flush(): void {
    for (const member of members.values()) flushOne(member)
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
      member.send(packNote({ note: 'snapshot', version, isFirst, isLast, routes: part, answered }))
    }
  }

  return {
    add(place, joining) {
      const member: Member = { ...joining, version: 0, answered: 0, items: [] }
      members.set(place, member)
      snapshot(state().directory, member)
    },

    remove(place) {
      members.delete(place)
      const { directory, registry } = state()
      const lost = [...directory.workers.values()].filter(worker => worker.place === place)
      const reason = 'its thread has ended'
      for (const { id } of lost) registry.submit({ command: 'leave', workerId: id, reason })
    },

    reported(place, bytes) {
      const member = members.get(place)
      if (member === undefined) return
      const report = readReport(bytes)
      if (report.note === 'resync') {
        snapshot(state().directory, member)
        return
      }
      for (const command of report.commands) {
        const answer = (): void => {
          member.answered++
          member.items.push('answered')
        }
        const verdict = gateways().admit(command, place, primary())
        if (verdict === 'pass') {
          state().registry.submit(command, answer)
        } else {
          for (const effect of verdict) member.items.push(effect)
          answer()
        }
      }
      flush()
    },

    push({ place, effect }: { place: Place; effect: Effect }) {
      if (place === EVERYWHERE) for (const member of members.values()) member.items.push(effect)
      else members.get(place)?.items.push(effect)
    },

    flush,
  }
}
