/**
 * What is wrong with a whole msgpack message or connection. Frames in one message are joined without separators, so
 * after such a fault nothing that follows can be trusted: the connection is closed with the code and the reason. (A
 * frame that is well-formed and only says something impossible is a `FrameProblem`: it is dropped, the rest goes on.)
 */
export type FaultReason =
  | 'truncated'
  | 'invalid_byte'
  | 'not_a_frame'
  | 'unknown_codec'
  | 'too_many_frames'
  | 'hello_expected'
  | 'invalid_hello'
  | 'no_common_version'
  | 'text_message'

export interface Fault {
  readonly reason: FaultReason
  /** One readable sentence. At most 123 bytes of it fit into a close frame. */
  readonly detail: string
}

const PROTOCOL_ERROR = 1002
const UNSUPPORTED_DATA = 1003
const POLICY_VIOLATION = 1008

/** Close code of the WebSocket. */
export const closeCodes: Readonly<Record<FaultReason, number>> = {
  truncated: PROTOCOL_ERROR,
  invalid_byte: PROTOCOL_ERROR,
  not_a_frame: PROTOCOL_ERROR,
  unknown_codec: PROTOCOL_ERROR,
  too_many_frames: POLICY_VIOLATION,
  hello_expected: PROTOCOL_ERROR,
  invalid_hello: PROTOCOL_ERROR,
  no_common_version: PROTOCOL_ERROR,
  text_message: UNSUPPORTED_DATA,
}

/** Bytes of a reason in a close frame (RFC 6455, 5.5). */
const REASON_BYTES = 123

/** The reason as it goes into the close frame: `<reason>: <detail>`, cut to what fits. All of it is ASCII. */
export function closeReason({ reason, detail }: Fault): string {
  return `${reason}: ${detail}`.slice(0, REASON_BYTES)
}
