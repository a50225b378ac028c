/**
 * The calls a connection executes, by the id it was sent. Where JSON is spoken ids are UUIDs, and the caller's own is
 * kept if it is free; where msgpack is spoken they are integers, and then finding a call is an array access.
 */
import type { CallId } from '../protocol/frames.ts'
import type { Invocation } from './invocations.ts'

export interface CallTable {
  size(): number
  get(id: CallId): Invocation | undefined
  /** Gives a call the id its callee will answer with, and enters it. */
  enter(invocation: Invocation): void
  remove(invocation: Invocation): void
  values(): Iterable<Invocation>
}

/** `newId` is asked when the id a caller chose is taken: two callers may choose the same. */
export function createUuidTable(newId: () => string): CallTable {
  const calls = new Map<CallId, Invocation>()
  return {
    size: () => calls.size,
    get: id => calls.get(id),
    enter(invocation) {
      let id: CallId = invocation.callerInvocationId
      while (typeof id === 'number' || calls.has(id)) id = newId()
      invocation.calleeInvocationId = id
      calls.set(id, invocation)
    },
    remove: invocation => void calls.delete(invocation.calleeInvocationId),
    values: () => calls.values(),
  }
}

/**
 *     id = generation (12 bits, from 1) │ slot (20 bits)
 *
 * A slot that is used again gets the next generation, so that a late answer to its earlier call finds nothing.
 */
const SLOT_BITS = 20
const SLOT_MASK = 2 ** SLOT_BITS - 1
const GENERATIONS = 2 ** 12

/** Calls one worker can have to execute at once. */
const MOST_SLOTS = 2 ** SLOT_BITS

export function createSlotTable(): CallTable {
  const slots: (Invocation | undefined)[] = []
  const generations: number[] = []
  const free: number[] = []
  let size = 0

  function* values(): Iterable<Invocation> {
    for (const invocation of slots) if (invocation !== undefined) yield invocation
  }

  return {
    size: () => size,
    get(id) {
      const invocation = slots[(id as number) & SLOT_MASK]
      return invocation !== undefined && invocation.calleeInvocationId === id ? invocation : undefined
    },
    enter(invocation) {
      const slot = free.length > 0 ? free.pop()! : slots.length
      if (slot >= MOST_SLOTS) throw new RangeError(`A worker executes at most ${MOST_SLOTS} calls at once.`)
      const generation = ((generations[slot] ?? 0) + 1) % GENERATIONS || 1
      generations[slot] = generation
      slots[slot] = invocation
      invocation.calleeInvocationId = generation * MOST_SLOTS + slot
      size++
    },
    remove({ calleeInvocationId }) {
      const slot = (calleeInvocationId as number) & SLOT_MASK
      slots[slot] = undefined
      free.push(slot)
      size--
    },
    values,
  }
}
