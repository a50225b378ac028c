/** Who talks to the state in a run: callers, one who is told of changes, one who follows the feed. */

import type { Command } from '../../../src/storage/command.ts'
import type { Told } from '../../faults/reference.ts'
import { operationOf, toldOf } from '../../faults/stateCalls.ts'
import {
  answerTo,
  type Message,
  type Puppet,
  registerFunction,
  registerTrigger,
  type World,
} from '../../support/world.ts'
import type { Verdict } from './truth.ts'

export interface Heard {
  readonly id: string
  readonly error: { readonly code: string } | undefined
  readonly result: unknown
}

export const answersIn = (messages: readonly Message[]): Heard[] =>
  messages
    .filter(({ type }) => type === 'invocationresult')
    .map(({ invocation_id, error, result }) => ({
      id: invocation_id as string,
      error: error as Heard['error'],
      result,
    }))

/** Function and input of a call that asks for these commands. */
export function callOf(commands: readonly Command[]): readonly [string, object] {
  const operations = commands.map(operationOf)
  if (operations.length > 1) return ['state::transact', { operations }]
  const { op, ...input } = operations[0]!
  return [op as string, input]
}

/** What an answer should be, as far as it says it: `state::delete` answers with the value before alone. */
export function complaintAbout(
  { error, result }: Heard,
  verdict: Verdict,
  commands: readonly Command[],
): string | undefined {
  if ('code' in verdict) {
    return error?.code === verdict.code
      ? undefined
      : `${error?.code ?? JSON.stringify(result)}, not ${verdict.code}`
  }
  const expected = verdict.answers.map(({ oldValue, newValue, version }) => ({
    old_value: JSON.parse(oldValue ?? 'null') as unknown,
    new_value: JSON.parse(newValue ?? 'null') as unknown,
    version,
  }))
  const isDelete = commands.length === 1 && commands[0]!.command === 'remove'
  const single = isDelete ? expected[0]!.old_value : expected[0]
  const found = commands.length > 1 ? (result as { results: unknown } | undefined)?.results : (result ?? null)
  const wanted = commands.length > 1 ? expected : single
  if (error === undefined && Bun.deepEquals(found, wanted)) return undefined
  return `${JSON.stringify(error ?? found)}, not ${JSON.stringify(wanted)}`
}

/** One whose function is called with every change; told of each once, in order. */
export interface Listener {
  readonly puppet: Puppet
  /** Where answers are waited for: one event at a time. */
  readonly isQueued: boolean
  expects(changes: readonly Told[]): void
  /** What it was told that it should not have been, or was not told that it should. */
  complaint(): string | undefined
  answer(): void
  /** Whoever tells it is gone, with all that it has not told. */
  isForgotten(): void
  isIdle(): boolean
}

const withoutRevision = ({ revision: _, ...told }: Told): Omit<Told, 'revision'> => told

export function createListener(world: World, name: string, isQueued: boolean): Listener {
  const puppet = world.join({ name })
  const open: Message[] = []
  /** Of whoever is gone. */
  const late: Message[] = []
  let expected: Told[] = []
  puppet.says(registerFunction(`${name}::changed`))
  const config = isQueued ? { concurrency: 1 } : {}
  puppet.says(registerTrigger(`trigger of ${name}`, 'state', `${name}::changed`, { config }))

  return {
    puppet,
    isQueued,
    expects(changes) {
      expected.push(...changes)
    },
    complaint() {
      const calls = puppet.hears().filter(({ type }) => type === 'invokefunction')
      if (isQueued) open.push(...calls)
      for (const { data } of calls) {
        const told = withoutRevision(toldOf(data as never))
        const [next, ...rest] = expected
        if (next === undefined || !Bun.deepEquals(told, withoutRevision(next))) {
          return `${name} was told ${JSON.stringify(told)}, not ${JSON.stringify(next)}`
        }
        expected = rest
      }
      if (open.length > 1) return `${name} was told two things at once`
      const isWaiting = isQueued && open.length > 0
      if (expected.length > 0 && !isWaiting) return `${name} was not told ${JSON.stringify(expected[0])}`
      return undefined
    },
    answer() {
      const call = late.shift() ?? open.shift()
      if (call !== undefined) puppet.says(answerTo(call, { result: null }))
    },
    isForgotten() {
      late.push(...open.splice(0))
      expected = []
    },
    isIdle: () => open.length === 0 && expected.length === 0,
  }
}
