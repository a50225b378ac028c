/** Whether somebody answers a function now, and when that changes. */

export interface Functions {
  /** Id of the worker that answers it; `undefined`: nobody does. */
  find(namespace: string | undefined, functionId: string): string | undefined
  /** Told when somebody answers a function from now on. Returns how to stop it. */
  follow(told: (namespace: string, functionId: string) => void): () => void
}
