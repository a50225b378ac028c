import type { Answer, PublishCommand } from '../command.ts'
import type { ApplyContext } from './context.ts'

export function publish({ topic, data }: PublishCommand, context: ApplyContext): Answer {
  context.publish({ topic, data })
  return { oldValue: undefined, newValue: undefined, version: 0, errors: [] }
}
