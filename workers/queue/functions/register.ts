/** How the functions of the worker are registered: their inputs are read by fields, their refusals are errors that were meant. */
import { HandlerError } from '../../../sdk/typescript/src/errors.ts'
import { type BuiltInClient, type CallContext, RawJson } from '../../../sdk/typescript/src/worker.ts'
import { toJsonText } from '../../../src/protocol/jsonText.ts'
import { StorageError } from '../../../src/storage/storageError.ts'
import { type Fields, type Read, type Refuse, readMembers, refusing, shape } from '../../fields.ts'
import { createUnderWay } from '../../underWay.ts'

export interface FunctionDefinition<Of extends Fields> {
  readonly id: string
  readonly description: string
  readonly fields: Of
  /** Fields that are not refused and say nothing to it. */
  readonly ignored?: readonly string[]
  /** Code of what goes wrong and has none of its own. */
  readonly failure: string
  readonly run: (input: Read<Of>, context: CallContext, refuse: Refuse) => unknown
  readonly isInternal?: boolean
  /** `_caller_worker_id` is among the fields: the input is parsed for that. */
  readonly needsCaller?: boolean
}

export type Register = <Of extends Fields>(definition: FunctionDefinition<Of>) => void

function meant(thrown: unknown, code: string): HandlerError {
  if (thrown instanceof HandlerError) return thrown
  if (thrown instanceof StorageError) return new HandlerError(thrown.code, thrown.message, thrown.details)
  return new HandlerError(code, thrown instanceof Error ? thrown.message : String(thrown))
}

/** Functions that are under way may end: `idle`. */
export function createRegister(client: BuiltInClient): { register: Register; idle(): Promise<void> } {
  const { track, idle } = createUnderWay()

  function register<Of extends Fields>(definition: FunctionDefinition<Of>): void {
    const { id, description, fields, ignored, failure, run, isInternal, needsCaller = false } = definition
    // The others are of the reference engine, which ignores what it does not know.
    const { format, read } = shape(fields, { isExact: id.startsWith('queue::'), ignored: ignored ?? [] })
    const refuse = refusing(id)
    const failed = (error: unknown): never => {
      throw meant(error, failure)
    }
    client.registerFunction(
      id,
      (input, context) => {
        try {
          const text = input instanceof RawJson ? input.text : toJsonText(input)
          const answer = run(read(readMembers(text, refuse), refuse), context, refuse)
          return answer instanceof Promise ? track(answer, failed) : answer
        } catch (error) {
          return failed(error)
        }
      },
      {
        description,
        request_format: format,
        rawInput: !needsCaller,
        ...(isInternal === true ? { metadata: { internal: true } } : {}),
      },
    )
  }

  return { register, idle }
}

/** Beside `messages`, each of which says all of this itself. */
export function refuseBeside(
  input: Readonly<Record<string, unknown>>,
  meant: readonly string[],
  refuse: Refuse,
): void {
  for (const [name, value] of Object.entries(input))
    if (value !== undefined && value !== false && !meant.includes(name))
      refuse(`field \`${name}\` does not go with \`messages\`: write it in each of them`)
}
