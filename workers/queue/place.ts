/** Which group and priority a message has, by what its queue says about the members of its data. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { membersOf, typeOfJson } from '../../src/protocol/json/split.ts'
import type { JsonText } from '../../src/protocol/jsonText.ts'
import { memberText } from './core/keys.ts'
import type { Ordering } from './tuning.ts'

export interface MessagePlace {
  readonly group: string | undefined
  readonly priority: number | undefined
}

const MOST_PRIORITY = 255
const PLAIN: MessagePlace = { group: undefined, priority: undefined }

/**
 * `given`: what the publisher says itself. Throws a `HandlerError` if a queue that needs a group cannot tell it. `shown`: name
 * of the queue in messages.
 */
export function placeOf(
  ordering: Ordering,
  data: JsonText,
  given: Partial<MessagePlace>,
  shown: string,
): MessagePlace {
  const { isFifo, groupField, priorityField } = ordering
  if (!isFifo && groupField === undefined && priorityField === undefined) {
    return given.group === undefined && given.priority === undefined
      ? PLAIN
      : { group: given.group, priority: capped(given.priority, ordering) }
  }
  const members = typeOfJson(data) === 'object' ? membersOf(data) : undefined
  return {
    group: given.group ?? groupOf(ordering, members, shown),
    priority: capped(given.priority ?? priorityOf(ordering, members), ordering),
  }
}

function groupOf(
  { isFifo, groupField }: Ordering,
  members: ReadonlyMap<string, JsonText> | undefined,
  shown: string,
): string | undefined {
  // All of them in one.
  if (groupField === undefined) return isFifo ? '' : undefined
  const value = members?.get(groupField)
  if (value !== undefined && value !== 'null') return memberText(value)
  if (!isFifo) return undefined
  const needs = `Queue '${shown}' requires field '${groupField}' in data, but it`
  throw new HandlerError(
    'message_group_missing',
    value === undefined ? `${needs} was not found` : `${needs} must not be null`,
  )
}

function priorityOf(
  { priorityField }: Ordering,
  members: ReadonlyMap<string, JsonText> | undefined,
): number | undefined {
  const value = priorityField === undefined ? undefined : members?.get(priorityField)
  if (value === undefined) return undefined
  const priority = Math.trunc(Number(memberText(value)))
  return Number.isNaN(priority) ? undefined : priority
}

/** Whoever has said it: higher ones are as the highest. */
function capped(priority: number | undefined, { maxPriority }: Ordering): number | undefined {
  return priority === undefined ? undefined : Math.max(0, Math.min(priority, maxPriority ?? MOST_PRIORITY))
}
