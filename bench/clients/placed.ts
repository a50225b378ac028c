/**
 * A connection on a chosen thread of the engine. Which thread takes a connection is not for a client to say; so it looks
 * where it is, and connects again until it is where it should be.
 */
export interface Unplaced {
  /** The thread it is on; absent if the engine does not say. */
  thread(): Promise<number | undefined>
  close(): void
}

/** More than it ever takes: with two threads every second try is right. */
const MOST_TRIES = 200

/** `thread` undefined: wherever it is. */
export async function connectOn<Connection extends Unplaced>(
  thread: number | undefined,
  open: () => Promise<Connection>,
): Promise<Connection> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const connection = await open()
    if (thread === undefined || (await connection.thread()) === thread) return connection
    connection.close()
  }
  throw new Error(`none of ${MOST_TRIES} connections was on thread ${thread}`)
}

/** What `engine::workers::info` says of a worker. */
export function threadIn(info: unknown): number | undefined {
  const { worker } = (info ?? {}) as { worker?: { thread?: number | null } }
  return worker?.thread ?? undefined
}
