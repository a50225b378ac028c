/** Why an operation was not applied: its code, and a sentence. */
export interface Failure {
  readonly code: string
  readonly message: string
}

export function failure(code: string, message: string): Failure {
  return { code, message }
}
