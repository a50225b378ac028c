/** What to say of a function that nobody registered: which one was probably meant, or whose it is. */
import type { WorkerClient } from '../../../sdk/typescript/src/worker.ts'
import { nearestId } from '../../log/nearest.ts'
import { startAdvice, unstartedBuiltIn } from '../../protocol/builtInIds.ts'
import { toJsonText } from '../../protocol/jsonText.ts'
import { limits } from '../../protocol/limits.ts'
import { messageOf } from '../commandError.ts'
import { isPlainObject, parseExact } from '../exactJson.ts'
import { ask } from './connection.ts'

/** Milliseconds for the list; without it there is no suggestion. */
const LIST_MS = 2000

/** A sentence, by what the engine says there is. `undefined`: nothing is near, or it does not answer. */
export async function suggestFunction(
  client: WorkerClient,
  functionId: string,
  namespace: string,
): Promise<string | undefined> {
  const input = toJsonText({ include_internal: true, limit: limits.suggestionNames })
  const { result } = await ask(client, 'engine::functions::list', input, undefined, LIST_MS)
  const list = result === undefined ? undefined : parseExact(result)
  if (!isPlainObject(list) || !Array.isArray(list.functions)) return undefined
  const ids = list.functions.flatMap(row =>
    isPlainObject(row) && row.namespace === namespace && typeof row.function_id === 'string'
      ? [row.function_id]
      : [],
  )
  const builtIn = namespace === 'default' ? unstartedBuiltIn(functionId, ids) : undefined
  if (builtIn !== undefined) return `${messageOf(startAdvice(functionId, builtIn))}.`
  const nearest = nearestId(functionId, ids)
  return nearest === undefined ? undefined : `did you mean '${messageOf(nearest)}'?`
}
