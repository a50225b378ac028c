/** From the words of `iii trigger …` to the call they mean. Pure. */
import { asJsonText, JSON_EMPTY_OBJECT, type JsonText, toJsonText } from '../../protocol/jsonText.ts'
import { usageError } from '../commandError.ts'
import { isPlainObject, parseExact } from '../exactJson.ts'

/** The options as the command line has them. */
export interface TriggerFlags {
  readonly functionId?: string
  readonly payload?: string
  readonly json?: string
  readonly file?: string
  readonly address?: string
  readonly port?: number
  readonly timeoutMs?: number
  readonly namespace?: string
  readonly void?: boolean
  readonly enqueue?: string
  readonly help?: boolean
}

/** Where the whole payload is read from; `key=value` words come on top of it. */
export type PayloadSource =
  | { readonly from: 'text'; readonly text: string; readonly option: string }
  | { readonly from: 'input'; readonly option: string }
  | { readonly from: 'file'; readonly path: string; readonly option: string }

export interface TriggerWords {
  readonly functionId: string | undefined
  readonly pairs: readonly string[]
  readonly source: PayloadSource | undefined
}

/** Sorts the words out. `iii trigger fn k=v` and `iii trigger --function-id fn k=v` are the same. */
export function readWords(words: readonly string[], flags: TriggerFlags): TriggerWords {
  const [first, ...rest] = words
  const firstIsPair = first?.includes('=') === true
  if (firstIsPair && flags.functionId === undefined && !flags.help) {
    throw usageError(
      `no function is named: '${first}' is an argument`,
      `put the id of a function before it: FUNCTION_ID ${words.join(' ')}`,
    )
  }
  const named = firstIsPair ? undefined : first
  if (named !== undefined && flags.functionId !== undefined && named !== flags.functionId) {
    throw usageError(`two functions are named: '${named}' and '${flags.functionId}'`, 'name one')
  }
  const functionId = named ?? flags.functionId
  if (functionId?.trim() === '')
    throw usageError('the function id is blank', 'name a function, as hello::greet')
  if (flags.void && flags.enqueue !== undefined) {
    throw usageError('--void and --enqueue exclude each other', 'choose one')
  }
  return { functionId, pairs: firstIsPair ? words : rest, source: payloadSource(flags) }
}

function payloadSource({ payload, json, file }: TriggerFlags): PayloadSource | undefined {
  const sources: PayloadSource[] = []
  for (const [option, text] of [['--payload', payload] as const, ['--json', json] as const]) {
    if (text === '-') sources.push({ from: 'input', option })
    else if (text !== undefined) sources.push({ from: 'text', text, option })
  }
  if (file !== undefined) sources.push({ from: 'file', path: file, option: '--file' })
  if (sources.length > 1) {
    throw usageError(
      `${sources.map(source => source.option).join(' and ')} each give the whole payload`,
      'use one',
    )
  }
  return sources[0]
}

/** `whole` is the text that `source` led to. */
export function buildPayload(
  whole: string | undefined,
  pairs: readonly string[],
  option = '--json',
): JsonText {
  if (whole === undefined && pairs.length === 0) return JSON_EMPTY_OBJECT
  const base = whole === undefined ? {} : parseWhole(whole, option)
  if (pairs.length === 0) return asJsonText(whole!.trim())
  if (!isPlainObject(base)) {
    throw usageError(
      `${option} must be a JSON object when key=value words are given as well`,
      'leave the words out, or give an object',
    )
  }
  // A map, because assigning a key called `__proto__` to an object would lose it.
  const members = new Map(Object.entries(base))
  for (const pair of pairs) {
    const [key, value] = splitPair(pair)
    members.set(key, parseValue(value))
  }
  return toJsonText(Object.fromEntries(members))
}

function parseWhole(text: string, option: string): unknown {
  try {
    return parseExact(text)
  } catch (error) {
    throw usageError(
      `${option} is not valid JSON: ${(error as Error).message}`,
      'quote it for the shell: \'{"a": 1}\'',
    )
  }
}

function splitPair(pair: string): [key: string, value: string] {
  const equals = pair.indexOf('=')
  if (equals > 0) return [pair.slice(0, equals), pair.slice(equals + 1)]
  throw usageError(
    `'${pair}' is not key=value`,
    'write arguments as key=value, or the whole payload with --json',
  )
}

/** `10` is a number, `true` a boolean, `{"a":1}` an object; what is not JSON is a string. */
function parseValue(text: string): unknown {
  try {
    return parseExact(text)
  } catch {
    return text
  }
}
