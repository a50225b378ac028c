/** Frames as tests send them. */
import type { RegisterFunctionFrame } from '../../src/protocol/frames.ts'

/** A registration that says nothing but the id. */
export function registrationFrame(id: string): RegisterFunctionFrame {
  return {
    type: 'registerfunction',
    id,
    description: undefined,
    requestFormat: undefined,
    responseFormat: undefined,
    metadata: undefined,
    invocation: undefined,
  }
}
