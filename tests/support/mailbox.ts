/** Things that arrive in some order, for tests that expect one of them. */
import { PATIENCE_MS } from './waiting.ts'

/** Part of what arrives (objects compare by the members that are named, at any depth), or a test of it. */
export type Wanted<Item> = Record<string, unknown> | ((item: Item) => boolean)

export interface Mailbox<Item> {
  put(item: Item): void
  /** Takes the first item that is wanted out, now or as soon as it arrives. Others stay. */
  take(wanted: Wanted<Item>, withinMs?: number): Promise<Item>
  /** Items that nobody took, in the order of their arrival. */
  waiting(): readonly Item[]
  /** Nothing will arrive any more: who waits, and who will, gets this error. */
  close(reason: Error): void
}

interface Waiter<Item> {
  accepts(item: Item): boolean
  resolve(item: Item): void
  reject(error: Error): void
}

export function createMailbox<Item>(name: string): Mailbox<Item> {
  const items: Item[] = []
  const waiters = new Set<Waiter<Item>>()
  let closed: Error | undefined

  const described = (wanted: Wanted<Item>): string =>
    typeof wanted === 'function' ? String(wanted) : JSON.stringify(wanted)
  const contents = (): string => items.map(item => JSON.stringify(item)?.slice(0, 300)).join('\n  ')

  return {
    put(item) {
      for (const waiter of waiters) {
        if (!waiter.accepts(item)) continue
        waiters.delete(waiter)
        waiter.resolve(item)
        return
      }
      items.push(item)
    },
    take(wanted, withinMs = PATIENCE_MS) {
      const accepts = (item: Item): boolean =>
        typeof wanted === 'function' ? wanted(item) : hasPart(item, wanted)
      const index = items.findIndex(accepts)
      if (index !== -1) return Promise.resolve(items.splice(index, 1)[0]!)
      if (closed !== undefined) return Promise.reject(closed)
      const { promise, resolve, reject } = Promise.withResolvers<Item>()
      const waiter = { accepts, resolve, reject }
      waiters.add(waiter)
      const timer = setTimeout(() => {
        waiters.delete(waiter)
        reject(
          new Error(`${name}: not within ${withinMs} ms: ${described(wanted)}; there was\n  ${contents()}`),
        )
      }, withinMs)
      return promise.finally(() => clearTimeout(timer))
    },
    waiting: () => items,
    close(reason) {
      closed ??= reason
      for (const waiter of waiters) waiter.reject(reason)
      waiters.clear()
    },
  }
}

function hasPart(whole: unknown, part: unknown): boolean {
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return Bun.deepEquals(whole, part)
  if (typeof whole !== 'object' || whole === null) return false
  return Object.entries(part).every(([key, value]) => hasPart((whole as Record<string, unknown>)[key], value))
}
