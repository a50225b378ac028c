/**
 * The way to the directory. On the thread that holds it a command is carried out at once; on the others it is sent
 * there, and what follows from it comes back in the same order.
 */
import type { Change } from './directory/changes.ts'
import { type Command, decide } from './directory/command.ts'
import type { Directory } from './directory/directory.ts'
import { effectOf, type PlacedEffect, perform } from './effects.ts'
import { EVERYWHERE, type Place } from './routes.ts'
import type { EngineState } from './state.ts'

export interface Registry {
  /** Gives a command; `then` runs when what follows from it on this thread has happened. */
  submit(command: Command, then?: () => void): void
}

/** The thread that holds the directory is this one. */
export const MAIN: Place = 0

/** What only the thread with the directory has. */
export interface HostState extends EngineState {
  readonly directory: Directory
  /** Told of every change of the directory, after it was carried out. */
  readonly watchers: Set<(change: Change) => void>
  /** Ownerless bindings whose provider has not answered yet. */
  readonly ownerless: Map<string, (error: { code: string; message: string } | undefined) => void>
  /** Carries changes out. */
  carryOut(changes: readonly Change[]): void
}

/** Where effects for other threads go. */
export interface Elsewhere {
  push(placed: PlacedEffect): void
  /** Sends what was pushed. What this thread sends afterwards comes behind it. */
  flush(): void
}

/**
 * Returns the function that carries changes out. What one change causes (a refused worker leaves, a full link is cut
 * while it is sent to) changes the directory again; those changes wait for their turn, so that every worker is told
 * of things in the order in which they happened.
 */
export function createCarryOut(
  engine: HostState,
  elsewhere: Elsewhere | undefined,
): (changes: readonly Change[], then?: () => void) => void {
  let waiting: { readonly changes: readonly Change[]; readonly then: (() => void) | undefined }[] = []
  let running = false

  function carryOut(changes: readonly Change[]): void {
    for (const change of changes) carryOutOne(engine, change, elsewhere)
    elsewhere?.flush()
    if (engine.watchers.size === 0) return
    for (const change of changes) for (const watcher of engine.watchers) watcher(change)
  }

  return (changes, then) => {
    if (changes.length === 0 && !running) {
      then?.()
      return
    }
    waiting.push({ changes, then })
    if (running) return
    running = true
    try {
      for (let i = 0; i < waiting.length; i++) {
        carryOut(waiting[i]!.changes)
        waiting[i]!.then?.()
      }
    } finally {
      waiting = []
      running = false
    }
  }
}

function carryOutOne(engine: HostState, change: Change, elsewhere: Elsewhere | undefined): void {
  if (change.change === 'note') {
    if (!engine.stopping) engine.log[change.level](change.message, change.fields)
    return
  }
  if (change.change === 'ownerlessAnswered') {
    engine.ownerless.get(change.id)?.(change.error)
    return
  }
  const placed = effectOf(engine.directory, change)
  if (placed === undefined) return
  if (placed.place === MAIN || placed.place === EVERYWHERE) perform(engine, placed.effect)
  if (placed.place !== MAIN) elsewhere?.push(placed)
}

/** The registry of the thread that holds the directory. */
export function createRegistry(
  directory: Directory,
  carryOut: (changes: readonly Change[], then?: () => void) => void,
): Registry {
  return { submit: (command, then) => carryOut(decide(directory, command), then) }
}
