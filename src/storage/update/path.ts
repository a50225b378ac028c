/** Where an operation works: its path, checked. */
import { limits } from '../../protocol/limits.ts'
import { type Failure, failure } from './failure.ts'
import type { Path, UpdateOperation } from './operation.ts'

type Name = UpdateOperation['type']

/** Names that reach into the prototype of an object where somebody reads the value carelessly. */
const SINKS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

export function isSink(key: string): boolean {
  return SINKS.has(key)
}

/** Keys from the root; none for the root itself. A string is one key, whatever it holds. */
export function segmentsOf(path: Path | undefined): readonly string[] {
  if (path === undefined || path === '') return []
  return typeof path === 'string' ? [path] : path
}

export function checkPath(name: Name, segments: readonly string[]): Failure | undefined {
  if (segments.length > limits.updatePathDepth) {
    const most = limits.updatePathDepth
    return failure(`${name}.path.too_deep`, `Path depth ${segments.length} exceeds maximum of ${most}`)
  }
  for (const segment of segments) {
    if (segment === '') return failure(`${name}.path.empty_segment`, 'Path contains an empty segment')
    // A character takes three bytes at most.
    const bytes = segment.length * 3 > limits.updateSegmentBytes ? Buffer.byteLength(segment) : 0
    if (bytes > limits.updateSegmentBytes) {
      const most = limits.updateSegmentBytes
      return failure(
        `${name}.path.segment_too_long`,
        `Path segment of ${bytes} bytes exceeds maximum of ${most}`,
      )
    }
    if (isSink(segment)) {
      return failure(
        `${name}.path.proto_polluted`,
        `Path segment '${segment}' is not allowed (prototype pollution).`,
      )
    }
  }
  return undefined
}

/** As it stands in messages: the root has a name, `append` writes brackets. */
export function shown(name: Name, segments: readonly string[]): string {
  if (segments.length === 0) return 'root'
  return name === 'append' ? `[${segments.join(', ')}]` : segments.join('.')
}

export function notAnObject(name: Name, segments: readonly string[], type: string): Failure {
  return failure(
    `${name}.target_not_object`,
    `Cannot ${name} at path '${shown(name, segments)}': target is ${type}, expected object.`,
  )
}

/** A value may not become so deep that no message can carry it. */
export function checkDepth(name: Name, depth: number): Failure | undefined {
  if (depth <= limits.valueDepth) return undefined
  const most = limits.valueDepth
  return failure(`${name}.too_deep`, `The value would be nested ${depth} levels deep, the maximum is ${most}`)
}
