/**
 * The pubsub worker: the function `publish` and the trigger type `subscribe`.
 *
 *     publish {topic, data} ──▶ topics.ts: who matches ──▶ groups: one member each ──▶ src/delivery
 *
 * Messages are kept nowhere: who is not there when one is published does not get it.
 */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { BuiltInClient, RawJson, TriggerProvider } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import { createDeliveries, type Deliveries } from '../../src/delivery/deliveries.ts'
import { depthOf, withDepth } from '../../src/delivery/depth.ts'
import type { Log } from '../../src/log/log.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { BuiltInWorker } from '../worker.ts'
import type { PubsubConfig } from './config.ts'
import { listFormat, listSubscriptions, SUBSCRIPTIONS } from './list.ts'
import { createPublishReader, PUBLISH } from './publish.ts'
import { createSubscriptions, type Subscriptions } from './subscriptions.ts'
import { parseSubscribeTrigger, subscribeTriggerType } from './trigger.ts'

export interface PubsubParts {
  readonly clock: Clock
  readonly log: Log
}

const publishFormat = {
  type: 'object',
  properties: {
    topic: { type: 'string', minLength: 1, maxLength: limits.topicLength },
    data: { description: 'what every subscriber is called with' },
    with_receipt: { type: 'boolean', description: 'the answer is {subscribers}: how many it was handed to' },
  },
  required: ['topic', 'data'],
}

export function createPubsubWorker(config: PubsubConfig, { clock, log }: PubsubParts): BuiltInWorker {
  return {
    name: 'iii-pubsub',
    description: 'Hands messages of a topic to all its subscribers',
    async start(client: BuiltInClient) {
      const deliveries = createDeliveries(client, {
        clock,
        log,
        limits: { deliveryDepth: config.depth_limit },
      })
      const subscriptions = createSubscriptions(deliveries, config.separators)
      const read = createPublishReader()

      client.registerFunction<RawJson>(
        PUBLISH,
        (input, { baggage }) => {
          const { topic, data, withReceipt } = read(input.text)
          const depth = depthOf(baggage)
          const subscribers = subscriptions.publish({
            topic,
            data,
            publishedAtMs: Math.floor(clock.now()),
            baggage: depth === 0 ? undefined : withDepth(undefined, depth),
          })
          return withReceipt ? { subscribers } : undefined
        },
        { description: 'Publishes a message to a topic', request_format: publishFormat, rawInput: true },
      )
      client.registerFunction(SUBSCRIPTIONS, input => listSubscriptions(subscriptions, input), {
        description: 'Lists subscriptions, with what was delivered and dropped',
        request_format: listFormat,
      })
      // A name of the file format; settings are read at start in this version.
      client.registerFunction('iii-pubsub::on-config-change', () => undefined, {
        description: 'Told when the configuration of the worker changes',
        metadata: { internal: true },
      })
      client.registerTriggerType(
        subscribeTriggerType,
        createProvider(subscriptions, config.separators, deliveries),
      )
      await client.ready()
      return {
        addresses: {},
        drain: () => deliveries.idle(),
        async stop() {},
      }
    },
  }
}

function createProvider(
  subscriptions: Subscriptions,
  separators: string,
  deliveries: Deliveries,
): TriggerProvider {
  return {
    bind(binding) {
      // A trigger that comes again replaces itself, also when its new form is refused.
      subscriptions.remove(binding.id)
      const trigger = parseSubscribeTrigger(binding.config, separators)
      if (subscriptions.size() >= limits.subscriptions)
        throw new HandlerError(
          'trigger_registration_failed',
          `there are ${limits.subscriptions} subscriptions, which is the most`,
        )
      subscriptions.add(binding, trigger)
      return deliveries.remark(binding, trigger.warnings)
    },
    unbind: binding => subscriptions.remove(binding.id),
  }
}
