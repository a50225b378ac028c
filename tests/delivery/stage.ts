/** Deliveries of a client that calls nobody: a test answers. */
import type {
  AnswerReceiver,
  Binding,
  BuiltInClient,
  TellOptions,
  TextCall,
} from '../../sdk/typescript/src/worker.ts'
import { createDeliveries, type DeliveryOptions } from '../../src/delivery/deliveries.ts'
import type { Target } from '../../src/protocol/frames.ts'
import { type JsonText, toJsonText } from '../../src/protocol/jsonText.ts'
import { createRecordingLog, createVirtualClock } from '../support/fakes.ts'

export interface Call extends TextCall {
  readonly value: unknown
  isCancelled(): boolean
  answer(outcome?: { result?: unknown; error?: { code: string; message: string } }): void
}

export function createStage(limits: Parameters<typeof createDeliveries>[1]['limits'] = {}) {
  const calls: Call[] = []
  const told: { targets: readonly Target[]; data: JsonText; more: TellOptions }[] = []
  let isOpen = true
  const client = {
    call(call: TextCall, receiver: AnswerReceiver) {
      let isCancelled = false
      calls.push({
        ...call,
        isCancelled: () => isCancelled,
        value: JSON.parse(call.data),
        answer: ({ result, error } = {}) =>
          receiver(error, result === undefined ? undefined : toJsonText(result)),
      })
      return () => {
        isCancelled = true
      }
    },
    tellAll(targets: readonly Target[], data: JsonText, more: TellOptions) {
      if (isOpen) told.push({ targets, data, more })
      return isOpen
    },
  } as unknown as BuiltInClient
  const log = createRecordingLog()
  const deliveries = createDeliveries(client, { clock: createVirtualClock(), log, limits })
  const add = (id: string, options?: DeliveryOptions) => deliveries.add(binding(id), options)
  return {
    calls,
    told,
    log,
    deliveries,
    add,
    close: () => (isOpen = false),
    /** Takes out the calls since the last look. */
    taken: () => calls.splice(0),
  }
}

const binding = (id: string): Binding => ({
  id,
  trigger_type: 'type',
  function_id: `f::${id}`,
  config: toJsonText({}),
  metadata: toJsonText({ of: id }),
  namespace: 'team',
})
