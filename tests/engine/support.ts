/** Questions that tests of the engine ask again and again. */
import { expect } from 'bun:test'
import { shards } from '../support/shape.ts'
import type { Message, Puppet, World } from '../support/world.ts'

/** The id under which a call is delivered that was made with this one: the same, unless it crosses threads. */
export const deliveredAs = (id: string): string => (shards === 0 ? id : expect.stringMatching(UUID))

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

let marks = 0

/**
 * Which of these workers a call goes to now; `nobody` when it is answered with `function_not_found`. What the workers
 * had heard before is forgotten.
 */
export function answererOf(
  world: World,
  functionId: string,
  workers: Readonly<Record<string, Puppet>>,
  namespace?: string,
): string {
  const caller = world.connect()
  // The id a call is delivered under is the engine's choice.
  const mark = `call ${++marks}`
  const id = caller.calls(functionId, { mark }, namespace === undefined ? {} : { namespace })
  const heard = Object.entries(workers).filter(([, worker]) =>
    worker.hears().some(({ data }) => (data as { mark?: string } | null)?.mark === mark),
  )
  const refusal = caller.hears().find(message => message.invocation_id === id)
  caller.leaves()
  if (refusal !== undefined) return codeOf(refusal) === 'function_not_found' ? 'nobody' : codeOf(refusal)
  return heard.map(([name]) => name).join(' and ')
}

export function codeOf(message: Message | undefined): string {
  return errorOf(message).code
}

export function errorOf(message: Message | undefined): { code: string; message: string } {
  return (message?.error ?? { code: 'no error', message: 'no error' }) as { code: string; message: string }
}

/** The messages without their payloads, as `type id`, for tests of their order. */
export function outline(messages: readonly Message[]): string[] {
  return messages.map(message => `${message.type} ${message.id ?? message.function_id ?? ''}`.trim())
}

/** What is left in the engine's tables, by name; nothing when all is over. */
export function leftovers(world: World): Record<string, number> {
  const { connections, directory, deadlines, ownerless } = world.engine.state
  // The timer of the deadlines ends with its next turn.
  world.clock.advance(100)
  const sizes = {
    connections: connections.size,
    workers: directory.workers.size,
    functions: directory.functions.inDefault.size,
    namespaces: directory.functions.byNamespace.size - 1,
    types: directory.triggers.types.size,
    bindings: directory.triggers.bindings.size,
    candidates: directory.triggers.candidates.size,
    ownerless: directory.triggers.ownerless.size + ownerless.size,
    calls: world.engine.callsInFlight(),
    deadlines: deadlines.size(),
    timers: world.clock.pending(),
  }
  return Object.fromEntries(Object.entries(sizes).filter(([, size]) => size !== 0))
}
