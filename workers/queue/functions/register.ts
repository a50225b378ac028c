/** How the functions of the worker are registered: their inputs are read by fields, their refusals are errors that were meant. */
import { HandlerError } from '../../../sdk/typescript/src/errors.ts'
import { type BuiltInClient, type CallContext, RawJson } from '../../../sdk/typescript/src/worker.ts'
import { toJsonText } from '../../../src/protocol/jsonText.ts'
import { StorageError } from '../../../src/storage/storageError.ts'
import { type Fields, type Read, type Refuse, readMembers, refusing, shape } from '../../fields.ts'

export interface FunctionDefinition<Of extends Fields> {
  readonly id: string
  readonly description: string
  readonly fields: Of
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
  let underWay = 0
  let waiters: (() => void)[] = []

  function ended(): void {
    if (--underWay > 0) return
    const told = waiters
    waiters = []
    for (const tell of told) tell()
  }

  function register<Of extends Fields>(definition: FunctionDefinition<Of>): void {
    const { id, description, fields, failure, run, isInternal, needsCaller = false } = definition
    const { format, read } = shape(fields)
    const refuse = refusing(id)
    client.registerFunction(
      id,
      (input, context) => {
        try {
          const text = input instanceof RawJson ? input.text : toJsonText(input)
          const answer = run(read(readMembers(text, refuse), refuse), context, refuse)
          if (!(answer instanceof Promise)) return answer
          underWay++
          return answer.then(
            answered => {
              ended()
              return answered
            },
            error => {
              ended()
              throw meant(error, failure)
            },
          )
        } catch (error) {
          throw meant(error, failure)
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

  return {
    register,
    idle: () => (underWay === 0 ? Promise.resolve() : new Promise(resolve => waiters.push(resolve))),
  }
}
