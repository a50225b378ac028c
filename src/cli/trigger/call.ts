/** The one call of `iii trigger`: plain, void, or through a queue. */
import type { CallAction, WorkerClient } from '../../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../clock/clock.ts'
import type { ErrorBody } from '../../protocol/frames.ts'
import { type JsonText, toJsonText } from '../../protocol/jsonText.ts'
import { limits } from '../../protocol/limits.ts'
import { parseExact } from '../exactJson.ts'
import { ask, type Outcome } from './connection.ts'

export interface Call {
  readonly functionId: string
  readonly data: JsonText
  readonly namespace: string
  readonly timeoutMs: number
  /** Absent: a plain call. */
  readonly action: CallAction | undefined
}

export async function makeCall(client: WorkerClient, call: Call, clock: Clock): Promise<Outcome> {
  const startedAt = clock.now()
  const answer = await (call.action === undefined
    ? callPlainly(client, call)
    : callWith(client, call, call.action))
  const { error, result } = answer
  if (error === undefined) return { kind: 'answered', result }
  return { kind: 'failed', error, afterMs: clock.now() - startedAt }
}

interface Answer {
  readonly error: ErrorBody | undefined
  readonly result: JsonText | undefined
}

function callPlainly(
  client: WorkerClient,
  { functionId, data, namespace, timeoutMs }: Call,
): Promise<Answer> {
  return ask(client, functionId, data, namespace, timeoutMs)
}

async function callWith(client: WorkerClient, call: Call, action: CallAction): Promise<Answer> {
  const { functionId, data, namespace, timeoutMs } = call
  const request = { function_id: functionId, payload: parseExact(data), namespace, action, timeoutMs }
  try {
    const receipt = await client.trigger(request)
    if (action.type === 'enqueue') return { error: undefined, result: toJsonText(receipt) }
  } catch (error) {
    const { code = 'UNKNOWN', detail, message } = error as { code?: string; detail?: string; message: string }
    return { error: { code, message: detail ?? message }, result: undefined }
  }
  // Nobody answers a void call. The answer to this one shows that the engine has read both.
  const { error } = await ask(
    client,
    'engine::functions::info',
    toJsonText({ function_id: functionId }),
    undefined,
    limits.commandInfoMs,
  )
  return { error: error?.code === 'CONNECTION_LOST' ? error : undefined, result: undefined }
}
