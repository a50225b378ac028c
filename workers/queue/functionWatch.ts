/** Whether somebody answers a function now, and when that changes. */
import type { WorkerClient } from '../../sdk/typescript/src/worker.ts'

export interface Functions {
  /** Id of the worker that answers it, `''` if that is not known; `undefined`: nobody does. */
  find(namespace: string | undefined, functionId: string): string | undefined
  /** Told when somebody answers a function from now on; without a namespace: of one of them. Returns how to stop it. */
  follow(told: (namespace: string | undefined, functionId: string) => void): () => void
}

/** For a process beside the engine: functions are called in vain, and what has come is heard of. */
export function functionsFromOutside(client: WorkerClient): Functions {
  const id = 'iii-queue::on-functions-change'
  const followers = new Set<(namespace: undefined, functionId: string) => void>()
  client.registerFunction<{ added?: unknown } | null>(
    id,
    input => {
      const added = Array.isArray(input?.added) ? input.added : []
      for (const name of added) for (const tell of followers) tell(undefined, String(name))
    },
    { description: 'Told when functions come or go', metadata: { internal: true } },
  )
  client.registerTrigger({ type: 'engine::functions-available', function_id: id })
  return {
    find: () => '',
    follow(told) {
      followers.add(told)
      return () => void followers.delete(told)
    },
  }
}
