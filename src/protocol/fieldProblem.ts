import type { ProblemReason } from './frames.ts'

/** Thrown inside a decoder for a field that does not fit; the decoder makes a `FrameProblem` of it. */
export class FieldProblem extends Error {
  readonly reason: ProblemReason
  readonly detail: string

  constructor(reason: ProblemReason, detail: string) {
    super(detail)
    this.reason = reason
    this.detail = detail
  }
}
