/** Asks the handlers of `stream:join` whether a client may subscribe. All of them are asked at once; one refusal is enough. */
import type { BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import { parseEvent } from '../../src/delivery/event.ts'
import type { Log } from '../../src/log/log.ts'
import { createBoundedTally, shortened } from '../../src/log/notices.ts'
import type { ErrorBody } from '../../src/protocol/frames.ts'
import { membersOf, typeOfJson } from '../../src/protocol/json/split.ts'
import { asJsonText, JSON_NULL, type JsonText, quote } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { JoinRequest } from './names.ts'
import type { StreamTrigger, Triggers } from './triggers.ts'

/** What handlers of join and leave are told. */
export function subscriptionText({ subscriptionId, stream, group, item, context }: JoinRequest): JsonText {
  const id = item === undefined ? JSON_NULL : quote(item)
  return asJsonText(
    `{"subscription_id":${quote(subscriptionId)},"stream_name":${quote(stream)},"group_id":${quote(group)},"id":${id},"context":${context}}`,
  )
}

interface Reply {
  readonly error: ErrorBody | undefined
  readonly result: JsonText | undefined
}

export interface AdmissionParts {
  readonly client: BuiltInClient
  readonly triggers: Triggers
  /** A handler that fails refuses. */
  readonly failClosed: boolean
  readonly timeoutMs: number
  readonly log: Log
}

export type Admission = (request: JoinRequest) => Promise<boolean>

export function createAdmission({ client, triggers, failClosed, timeoutMs, log }: AdmissionParts): Admission {
  const tally = createBoundedTally(limits.streamNotices)

  function call(functionId: string, trigger: StreamTrigger, data: JsonText): Promise<Reply> {
    const { namespace, metadata } = trigger.binding
    const { promise, resolve } = Promise.withResolvers<Reply>()
    const rest = { traceparent: undefined, baggage: undefined, timeoutMs: trigger.timeoutMs ?? timeoutMs }
    client.call({ functionId, data, namespace, metadata, ...rest }, (error, result) =>
      resolve({ error, result }),
    )
    return promise
  }

  function failed({ binding }: StreamTrigger, what: string, why: string): boolean {
    const count = tally(`${binding.function_id} ${what}`)
    if (count !== undefined) {
      const said = failClosed ? 'a client was refused' : 'a client was let in'
      log.warn(`${what} of a stream:join trigger failed: ${said}`, {
        function_id: shortened(binding.function_id),
        error: shortened(why, 400),
        count,
      })
    }
    return !failClosed
  }

  /** Whether this trigger lets a client in. */
  async function allows(trigger: StreamTrigger, data: JsonText): Promise<boolean> {
    const verdict = trigger.condition?.holds(parseEvent(data)) ?? 'run'
    if (verdict === 'skip') return true
    if (typeof verdict === 'object') return failed(trigger, 'the condition', verdict.error)
    if (trigger.conditionFunctionId !== undefined) {
      const { error, result } = await call(trigger.conditionFunctionId, trigger, data)
      if (error !== undefined)
        return failed(trigger, 'the condition function', `${error.code}: ${error.message}`)
      if (result === 'false') return true
    }
    const { error, result } = await call(trigger.binding.function_id, trigger, data)
    if (error !== undefined) return failed(trigger, 'the handler', `${error.code}: ${error.message}`)
    const says = result !== undefined && typeOfJson(result) === 'object' ? membersOf(result) : undefined
    return says?.get('unauthorized') !== 'true'
  }

  return async request => {
    const asked = triggers.about(request)
    if (asked.length === 0) return true
    const data = subscriptionText(request)
    const answers = await Promise.all(asked.map(trigger => allows(trigger, data)))
    return answers.every(allowed => allowed)
  }
}
