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
  /** Takes a call out; `unanswered`: its answer may still come and must not be taken for that of another call. */
  remove(invocation: Invocation, unanswered: boolean): void
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
 *     id = generation (11 bits, from 1) │ slot (20 bits)
 *
 * Below 2^31, where the runtime keeps numbers as integers. A slot that is used again gets the next generation. Slots
 * of calls that were not answered rest until so many others have come after them that a late answer is unlikely.
 */
const SLOT_BITS = 20
const SLOT_MASK = 2 ** SLOT_BITS - 1

/** Calls one worker, or one thread, can have to execute at once. */
export const MOST_SLOTS = 2 ** SLOT_BITS

/** Slots that rest at the same time. */
const RESTING = 65_536

/** Calls that came over a trunk, by the id the other thread's slot table has given them: that one is never searched. */
export interface MadeBySlot {
  get(id: CallId): Invocation | undefined
  set(id: CallId, invocation: Invocation): void
  remove(id: CallId, invocation: Invocation): void
}

export function createMadeBySlot(): MadeBySlot {
  const slots: (Invocation | undefined)[] = []
  const slotOf = (id: CallId): number => (id as number) & SLOT_MASK
  return {
    get(id) {
      const made = slots[slotOf(id)]
      return made?.callerInvocationId === id ? made : undefined
    },
    set(id, invocation) {
      slots[slotOf(id)] = invocation
    },
    remove(id, invocation) {
      const slot = slotOf(id)
      if (slots[slot] === invocation) slots[slot] = undefined
    },
  }
}

export function createSlotTable(): CallTable {
  const slots: (Invocation | undefined)[] = []
  /** The id each slot has or had last. */
  const ids: number[] = []
  /** Slots to be used again, the one used last first; only `freeCount` of them count. */
  const free: number[] = []
  let freeCount = 0
  let resting: number[] = []
  let restingFrom = 0
  let size = 0

  function* values(): Iterable<Invocation> {
    for (const invocation of slots) if (invocation !== undefined) yield invocation
  }

  function newSlot(): number {
    const slot = slots.length
    if (slot < MOST_SLOTS) {
      ids.push(slot)
      slots.push(undefined)
      return slot
    }
    if (restingFrom === resting.length) {
      throw new RangeError(`A worker executes at most ${MOST_SLOTS} calls at once.`)
    }
    return wakeOldest()
  }

  function wakeOldest(): number {
    const slot = resting[restingFrom++]!
    if (restingFrom > RESTING) {
      resting = resting.slice(restingFrom)
      restingFrom = 0
    }
    return slot
  }

  return {
    size: () => size,
    get(id) {
      const invocation = slots[(id as number) & SLOT_MASK]
      return invocation !== undefined && invocation.calleeInvocationId === id ? invocation : undefined
    },
    enter(invocation) {
      const slot = freeCount > 0 ? free[--freeCount]! : newSlot()
      // Beyond 31 bits it becomes negative and begins again with the first generation.
      let id = (ids[slot]! + MOST_SLOTS) | 0
      if (id < 0) id = MOST_SLOTS | slot
      ids[slot] = id
      slots[slot] = invocation
      invocation.calleeInvocationId = id
      size++
    },
    remove({ calleeInvocationId }, unanswered) {
      const slot = (calleeInvocationId as number) & SLOT_MASK
      slots[slot] = undefined
      size--
      let reusable = slot
      if (unanswered) {
        resting.push(slot)
        if (resting.length - restingFrom <= RESTING) return
        reusable = wakeOldest()
      }
      free[freeCount++] = reusable
    },
    values,
  }
}
