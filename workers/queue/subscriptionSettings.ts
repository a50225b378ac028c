/** What has to be known of a subscription when its worker is away: how its messages get their places. */
import { fromJsonText, type JsonText, toJsonText } from '../../src/protocol/jsonText.ts'
import type { Subscription } from './topics.ts'

export type SubscriptionSettings = Pick<Subscription, 'ordering' | 'delayMs'>

const PLAIN: SubscriptionSettings = {
  ordering: { isFifo: false, groupField: undefined, priorityField: undefined, maxPriority: undefined },
  delayMs: 0,
}

export const settingsText = ({ ordering, delayMs }: SubscriptionSettings): JsonText =>
  toJsonText({ ...ordering, delayMs })

/** `settings`: as the function above has written them. */
export function subscriptionSettings(settings: JsonText | undefined): SubscriptionSettings {
  if (settings === undefined) return PLAIN
  const { delayMs, ...ordering } = fromJsonText(settings) as Subscription['ordering'] & {
    readonly delayMs: number
  }
  return { ordering: { ...PLAIN.ordering, ...ordering }, delayMs }
}
