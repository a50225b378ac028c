/**
 * Many deadlines, one timer.
 *
 * A timer per call costs a heap entry and 0.1 µs; here a deadline is a node in the doubly linked list of the slot
 * it falls into, so adding and removing it is a handful of pointer writes. Deadlines are coarse: they expire up to
 * one `resolution` late. While there are none, no timer runs.
 *
 *     slot   0     1     2    …   511
 *            │     │     │
 *            ○     ○     ○          ← a node expires when its slot comes by and its time has come;
 *            │           │            one that lies further than a whole turn away stays for the next
 *            ○           ○
 */
import type { Clock } from './clock.ts'

/** What a deadline hangs on; the owner embeds these fields in its own record. */
export interface DeadlineNode {
  /** Milliseconds since 1970; 0 = no deadline is set. */
  deadline: number
  earlier: DeadlineNode | undefined
  later: DeadlineNode | undefined
}

export interface Deadlines<Node extends DeadlineNode> {
  /** Sets or moves a deadline. `now` spares a look at the clock where the caller has just had one. */
  set(node: Node, afterMs: number, now?: number): void
  clear(node: Node): void
  size(): number
  /** Stops the timer; nodes stay where they are. */
  stop(): void
}

const SLOTS = 512

interface Slot extends DeadlineNode {
  deadline: 0
}

export function createDeadlines<Node extends DeadlineNode>(
  clock: Clock,
  resolutionMs: number,
  expired: (node: Node) => void,
): Deadlines<Node> {
  const slots: Slot[] = Array.from({ length: SLOTS }, () => {
    const slot: Slot = { deadline: 0, earlier: undefined, later: undefined }
    slot.earlier = slot
    slot.later = slot
    return slot
  })
  let count = 0
  let visited = 0
  let cancelTimer: (() => void) | undefined

  const slotNumber = (time: number): number => Math.ceil(time / resolutionMs)

  function arm(): void {
    if (cancelTimer !== undefined || count === 0) return
    cancelTimer = clock.after(resolutionMs, turn)
  }

  function turn(): void {
    cancelTimer = undefined
    const now = clock.now()
    const current = Math.floor(now / resolutionMs)
    const last = Math.min(current, visited + SLOTS)
    for (let number = visited + 1; number <= last; number++) expireSlot(slots[number % SLOTS]!, now)
    visited = Math.max(visited, current)
    arm()
  }

  function expireSlot(slot: Slot, now: number): void {
    let node = slot.later!
    while (node !== slot) {
      const next = node.later!
      if (node.deadline <= now) {
        unlink(node)
        expired(node as Node)
      }
      // `expired` may have removed the neighbour; then start the slot again.
      node = next.later === undefined ? slot.later! : next
    }
  }

  function unlink(node: DeadlineNode): void {
    node.earlier!.later = node.later
    node.later!.earlier = node.earlier
    node.earlier = undefined
    node.later = undefined
    node.deadline = 0
    count--
  }

  return {
    set(node, afterMs, now = clock.now()) {
      if (node.deadline !== 0) unlink(node)
      if (count === 0) visited = Math.floor(now / resolutionMs)
      node.deadline = now + afterMs
      const slot = slots[Math.max(slotNumber(node.deadline), visited + 1) % SLOTS]!
      node.later = slot
      node.earlier = slot.earlier
      slot.earlier!.later = node
      slot.earlier = node
      count++
      arm()
    },
    clear(node) {
      if (node.deadline !== 0) unlink(node)
    },
    size: () => count,
    stop() {
      cancelTimer?.()
      cancelTimer = undefined
    },
  }
}
