/**
 * What a thread still does when it fails: throws, rejects a promise that nobody awaits, or exits. A thread that is ended
 * from outside, because it has not answered, does nothing any more.
 */

/** Runs `act` as the last of this thread; more than once if need be. Returns what takes that back. */
export function asLastAct(act: () => void): () => void {
  function rejected(reason: unknown): void {
    act()
    // As it would be without this.
    throw reason
  }
  // The main thread ends a thread of whose error it hears, maybe before it has come to its `exit`.
  process.on('uncaughtExceptionMonitor', act)
  process.on('unhandledRejection', rejected)
  process.on('exit', act)
  return () => {
    process.off('uncaughtExceptionMonitor', act)
    process.off('unhandledRejection', rejected)
    process.off('exit', act)
  }
}
