/** When are the examples there? Asked of the engine itself, as any worker can, and then over HTTP. */
import { registerWorker } from '../sdk/typescript/src/mod.ts'
import type { Try } from './examples.ts'

export interface Addresses {
  /** `ws://host:port` */
  workers: string
  /** `http://host:port`; `undefined`: there is no HTTP, so it is enough that the functions are there. */
  http: string | undefined
}

export interface Readiness {
  /** Gives up after this long. */
  withinMs: number
  /** Somebody has asked to stop. */
  cancelled(): boolean
}

const LOOK_MS = 50

interface FunctionList {
  functions: { function_id: string }[]
}

/**
 * Waits until the functions behind a request are registered and, where there is HTTP, it is answered with 2xx.
 *
 * @returns why it does not work, as a sentence; `undefined` when it does.
 */
export async function whyNotReady(
  request: Try,
  { workers, http }: Addresses,
  { withinMs, cancelled }: Readiness,
): Promise<string | undefined> {
  const giveUpAt = Date.now() + withinMs
  const name = `${request.method} ${request.path}`
  let reason = 'it was not asked'
  const client = registerWorker(workers, { workerName: `iii-cli:start: ${name}` })
  try {
    while (Date.now() < giveUpAt && !cancelled()) {
      reason =
        (await missingFunctions(client, request.needs)) ?? (http && (await refusal(request, http))) ?? ''
      if (reason === '') return undefined
      await Bun.sleep(LOOK_MS)
    }
    return `${name} did not work within ${withinMs / 1000} s: ${reason}.`
  } finally {
    await client.shutdown()
  }
}

type Client = ReturnType<typeof registerWorker>

/** A request before its functions are there would only fill the log with failures. */
async function missingFunctions(client: Client, needed: readonly string[]): Promise<string | undefined> {
  try {
    const list = await client.trigger<FunctionList>({ function_id: 'engine::functions::list', payload: {} })
    const there = new Set(list.functions.map(({ function_id }) => function_id))
    const missing = needed.filter(id => !there.has(id))
    return missing.length === 0 ? undefined : `no worker has registered ${missing.join(', ')}`
  } catch (error) {
    return `the engine does not answer (${error instanceof Error ? error.message : error})`
  }
}

async function refusal({ method, path, body }: Try, http: string): Promise<string | undefined> {
  try {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(http + path, { method, ...(body === undefined ? {} : { body, headers }) })
    return answer.ok ? undefined : `it is answered with ${answer.status} ${await answer.text()}`
  } catch (error) {
    return `nothing answers (${error instanceof Error ? error.message : error})`
  }
}
