import { asJsonText } from '../../../src/protocol/jsonText.ts'
import { applyOperations } from '../../../src/storage/update/apply.ts'
import { readOperations } from '../../../src/storage/update/read.ts'

/** Applies operations to the text of a value; `undefined`: there is none. */
export function updated(value: string | undefined, operations: string | readonly unknown[]) {
  const text = typeof operations === 'string' ? operations : JSON.stringify(operations)
  const { value: after, errors } = applyOperations(
    value === undefined ? undefined : asJsonText(value),
    readOperations(asJsonText(text)),
  )
  return { after: after as string, errors }
}

/** The codes of what failed. */
export function codes(value: string | undefined, operations: string | readonly unknown[]): string[] {
  return updated(value, operations).errors.map(({ code }) => code)
}
