/** Reads what an engine says, which may be of another version and lack anything. What is not there is shown as `-`. */
import { cleanText } from '../log/clean.ts'
import { isPlainObject } from './exactJson.ts'

export const UNKNOWN = '-'

export function memberOf(value: unknown, name: string): unknown {
  return isPlainObject(value) ? value[name] : undefined
}

export function numberIn(value: unknown, name: string): number | undefined {
  const member = memberOf(value, name)
  return typeof member === 'number' ? member : undefined
}

export function textIn(value: unknown, name: string): string {
  const member = memberOf(value, name)
  return typeof member === 'string' || typeof member === 'number' ? cleanText(String(member)) : UNKNOWN
}

export function listIn(value: unknown, name: string): readonly unknown[] {
  const list = memberOf(value, name)
  return Array.isArray(list) ? list : []
}

export const orUnknown = (value: number | undefined, write: (value: number) => string): string =>
  value === undefined ? UNKNOWN : write(value)

/** `2d 3h`, `3h 12m`, `12m 5s`, `5s` */
export function duration(ms: number): string {
  const units = [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ] as const
  let left = Math.floor(ms / 1000)
  const parts: string[] = []
  for (const [unit, seconds] of units) {
    const count = Math.floor(left / seconds)
    left -= count * seconds
    if (count > 0 || parts.length > 0) parts.push(`${count}${unit}`)
  }
  return parts.length === 0 ? '0s' : parts.slice(0, 2).join(' ')
}
