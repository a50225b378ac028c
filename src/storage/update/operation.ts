/**
 * Operations of `state::update` and `stream::update`, as they stand on the wire. A string path is one literal key of the
 * first level; an array is a list of keys from the root.
 */
import type { JsonText } from '../../protocol/jsonText.ts'

export type Path = string | readonly string[]

export type UpdateOperation =
  | { readonly type: 'set'; readonly path: string; readonly value: JsonText | undefined }
  | { readonly type: 'merge'; readonly path: Path | undefined; readonly value: JsonText }
  /** `by`: a signed 64-bit integer. */
  | { readonly type: 'increment' | 'decrement'; readonly path: string; readonly by: bigint }
  | { readonly type: 'append'; readonly path: Path | undefined; readonly value: JsonText }
  | { readonly type: 'remove'; readonly path: string }
