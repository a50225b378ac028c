/**
 * A call that goes through a queue: what its provider is asked, and what its caller hears
 * (`docs/protocol/json.md#calls-through-a-queue`).
 */
import type { ErrorBody, InvokeFrame } from '../protocol/frames.ts'
import { asJsonText, type JsonText, quote } from '../protocol/jsonText.ts'
import { encodeBaggageValue, forwardedBaggage, forwardedTraceparent } from '../protocol/traceContext.ts'
import { DEFAULT_NAMESPACE } from './directory/records.ts'
import { enqueueFailed, NO_QUEUE_PROVIDER } from './refusals.ts'

const ENQUEUE_FUNCTION = 'engine::queue::enqueue'
const FUNCTION_MEMBER = 'iii.function.id='

/** The caller's baggage with the target named in it, also when the target is a built-in. */
function baggageNaming(functionId: string, baggage: string | undefined): string {
  const others = (forwardedBaggage(functionId, '', baggage) ?? '')
    .split(',')
    .filter(member => member !== '' && !member.startsWith(FUNCTION_MEMBER))
  return [...others, FUNCTION_MEMBER + encodeBaggageValue(functionId)].join(',')
}

/** The call of the queue's provider that stands for an `enqueue` call. Answered under the caller's own id. */
export function enqueueRequest(asked: InvokeFrame, receiptId: string): InvokeFrame {
  const traceparent = asked.traceparent === undefined ? undefined : forwardedTraceparent(asked.traceparent)
  const baggage = baggageNaming(asked.functionId, asked.baggage)
  const isElsewhere = asked.namespace !== undefined && asked.namespace !== DEFAULT_NAMESPACE
  const namespace = isElsewhere ? `,"namespace":${quote(asked.namespace!)}` : ''
  const metadata = asked.metadata === undefined ? '' : `,"metadata":${asked.metadata}`
  const data = asJsonText(
    `{"queue":${quote(asked.queue ?? '')},"function_id":${quote(asked.functionId)},"data":${asked.data}` +
      `,"messageReceiptId":"${receiptId}","traceparent":${traceparent === undefined ? 'null' : quote(traceparent)}` +
      `,"baggage":${quote(baggage)}${namespace}${metadata}}`,
  )
  return {
    ...asked,
    functionId: ENQUEUE_FUNCTION,
    data,
    namespace: undefined,
    action: 'plain',
    queue: undefined,
    metadata: undefined,
    traceparent,
    baggage,
  }
}

/** The provider's own error, or the engine's about it, as the caller of the `enqueue` call gets it. */
export function enqueueFailure(error: JsonText): JsonText {
  const { code, message } = JSON.parse(error) as ErrorBody
  return enqueueFailed(`${code}: ${message}`)
}

export function noQueueProvider(underlying: JsonText): JsonText {
  const { message } = JSON.parse(underlying) as ErrorBody
  return enqueueFailed(`${NO_QUEUE_PROVIDER} (underlying: ${message})`)
}
