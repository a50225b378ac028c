/** What callers ask for: a function, inputs that are taken in turn, and what every good answer holds. */
import { REQUEST, RESULT } from './wire.ts'

export interface Work {
  readonly functionId: string
  /** JSON. */
  readonly inputs: readonly string[]
  /** A part of every good answer, JSON. */
  readonly expects: string
}

export const SCOPE = 'bench'
/** Keys that are written and read in turn. */
export const KEYS = 10_000
/** Values of the scope that is listed. */
export const LISTED = 100
/** Entries of one page of a list. */
export const PAGE = 100

export const keyOf = (number: number): string => `order:${String(number).padStart(7, '0')}`

const inputsOf = (count: number, inputOf: (key: string) => string): string[] =>
  Array.from({ length: count }, (_, number) => inputOf(keyOf(number)))

const set = (scope: string, more = '') =>
  inputsOf(KEYS, key => `{"scope":"${scope}","key":"${key}","value":${REQUEST}${more}}`)

const works = {
  'state-set': () => ({ functionId: 'state::set', inputs: set(SCOPE), expects: '"version":' }),
  'state-set-os': () => ({
    functionId: 'state::set',
    inputs: set(SCOPE, ',"durability":"os"'),
    expects: '"version":',
  }),
  'state-get': () => ({
    functionId: 'state::get',
    inputs: inputsOf(KEYS, key => `{"scope":"${SCOPE}","key":"${key}"}`),
    expects: REQUEST,
  }),
  'state-update': () => ({
    functionId: 'state::update',
    inputs: inputsOf(
      KEYS,
      key => `{"scope":"counts","key":"${key}","ops":[{"type":"increment","path":"visits","by":1}]}`,
    ),
    expects: '"new_value":{"visits":',
  }),
  'state-list': () => ({
    functionId: 'state::list',
    inputs: ['{"scope":"listed"}'],
    expects: Array.from({ length: LISTED }, () => REQUEST).join(','),
  }),
  'fill-listed': () => ({
    functionId: 'state::set',
    inputs: set('listed').slice(0, LISTED),
    expects: '"version":',
  }),
} satisfies Record<string, () => Work>

export type WorkName = keyof typeof works

/** Without a name: calls of an answering worker. */
export function workOf(name: WorkName | undefined, functionId: string): Work {
  return name === undefined ? { functionId, inputs: [REQUEST], expects: RESULT } : works[name]()
}
