/**
 * Many deadlines, one timer.
 *
 * A timer per call costs a heap entry and 0.1 µs; here a deadline is a node in the doubly linked ring of the slot
 * it falls into, so adding and removing it is a handful of pointer writes. Deadlines are coarse: they expire up to
 * one `resolution` late (and what the timer itself is late), never early. Without any, the timer stops after its
 * next turn.
 *
 *     slot   0     1     2    …   511
 *            │     │     │
 *            ○     ○     ○          ← a node expires when its slot comes by and its time has come;
 *            │           │            one that lies further than a whole turn away stays for the next
 *            ○           ○
 *
 * A turn first moves all nodes that are due into a ring of their own and only then tells of them, one by one: so
 * whoever is told may set and clear any node, also one that is due in the same turn.
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

/** A power of two. */
const SLOTS = 512
const LAST_SLOT = SLOTS - 1

/** The fixed point of a ring; it never expires. */
interface Ring extends DeadlineNode {
  deadline: 0
}

function createRing(): Ring {
  const ring: Ring = { deadline: 0, earlier: undefined, later: undefined }
  ring.earlier = ring
  ring.later = ring
  return ring
}

function append(ring: Ring, node: DeadlineNode): void {
  node.later = ring
  node.earlier = ring.earlier
  ring.earlier!.later = node
  ring.earlier = node
}

function unlink(node: DeadlineNode): void {
  node.earlier!.later = node.later
  node.later!.earlier = node.earlier
  node.earlier = undefined
  node.later = undefined
}

export function createDeadlines<Node extends DeadlineNode>(
  clock: Clock,
  resolutionMs: number,
  expired: (node: Node) => void,
): Deadlines<Node> {
  const slots = Array.from({ length: SLOTS }, createRing)
  /** Slots are numbered from here: small numbers, which the runtime keeps as integers. */
  const from = Math.floor(clock.now() / resolutionMs) * resolutionMs
  const due = createRing()
  let count = 0
  /** Number of the last slot whose time has come. */
  let visited = 0
  let cancelTimer: (() => void) | undefined

  /** Wakes at the border of two slots: from any other moment a turn would find a node up to two slots late. */
  function arm(): void {
    if (cancelTimer !== undefined || count === 0) return
    cancelTimer = clock.after(resolutionMs - (clock.now() % resolutionMs), turn)
  }

  function turn(): void {
    cancelTimer = undefined
    collectDue(clock.now())
    try {
      while (due.later !== due) {
        const node = due.later as Node
        remove(node)
        expired(node)
      }
    } finally {
      arm()
    }
  }

  function collectDue(now: number): void {
    const current = Math.floor((now - from) / resolutionMs)
    const last = Math.min(current, visited + SLOTS)
    for (let number = visited + 1; number <= last; number++) {
      const slot = slots[number & LAST_SLOT]!
      for (let node = slot.later!; node !== slot; ) {
        const next = node.later!
        if (node.deadline <= now) {
          unlink(node)
          append(due, node)
        }
        node = next
      }
    }
    visited = Math.max(visited, current)
  }

  function remove(node: DeadlineNode): void {
    unlink(node)
    node.deadline = 0
    count--
  }

  return {
    set(node, afterMs, now = clock.now()) {
      if (node.deadline !== 0) remove(node)
      if (count === 0) visited = Math.floor((now - from) / resolutionMs)
      node.deadline = now + afterMs
      const number = Math.max(Math.ceil((node.deadline - from) / resolutionMs), visited + 1)
      append(slots[number & LAST_SLOT]!, node)
      count++
      arm()
    },
    clear(node) {
      if (node.deadline !== 0) remove(node)
    },
    size: () => count,
    stop() {
      cancelTimer?.()
      cancelTimer = undefined
    },
  }
}
