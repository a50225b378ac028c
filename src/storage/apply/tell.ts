import type { Answer, TellCommand } from '../command.ts'
import { storableJson } from '../text.ts'
import type { ApplyContext } from './context.ts'

export function tell({ collection, key, type, data }: TellCommand, context: ApplyContext): Answer {
  context.emit({
    revision: context.nextRevision(),
    atMs: context.nowMs,
    space: collection.space,
    name: collection.name,
    group: collection.group,
    key,
    event: 'told',
    reason: undefined,
    oldValue: undefined,
    newValue: storableJson(data),
    type,
  })
  return { oldValue: undefined, newValue: undefined, version: 0, errors: [] }
}
