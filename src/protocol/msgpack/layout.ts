/**
 * How frames lie in msgpack: `[kind, field, field, …]`. The table here is the layout; `docs/protocol/msgpack.md` says
 * it in words, and a test holds the two together.
 *
 * Frames of calls have a fixed form, written and read by hand (`writeCall.ts`, `callHead.ts`):
 *
 *     call    [1, call id or nil, function id, extras or nil, payload]
 *     result  [2, call id, extras or nil, payload or nil]
 *     failure [3, call id, extras or nil, payload]
 *     cancel  [4, call id]
 *
 * All others are the kind and the fields of the frame in the order of `layouts`. They grow at the end: a receiver
 * ignores elements it does not know and takes missing ones as nil.
 */
import type { Frame } from '../frames.ts'

/** Name of the WebSocket sub-protocol. */
export const SUBPROTOCOL = 'iii.msgpack.v1'
export const PROTOCOL_VERSION = 1

/** Kinds of the frames with a form of their own. */
export const HELLO = 0
export const CALL = 1
export const RESULT = 2
export const FAILURE = 3
export const CANCEL = 4
export const CREDIT = 5
/** Whose calls follow in this record. Only between the threads of a process; workers skip it like any unknown kind. */
export const SPEAKER = 40

/** One payload for many functions (`fanOut.ts`). Only between the threads of a process, too. */
export const FAN_OUT = 41

/**
 * `[42, worker id]`: this worker's calls have filled their target; hold it back. `[43, worker id]`: let it go on. Only
 * between the threads of a process, too.
 */
export const HOLD_BACK = 42
export const LET_GO = 43

/** What a payload is written in: the type of the ext that holds it. */
export const CODEC_JSON = 1
export const CODEC_MSGPACK = 2
export const CODEC_RAW = 3
/** JSON text that this process has checked already. Only between its own threads; never on a socket. */
export const CODEC_CHECKED = 4
export type Codec = typeof CODEC_JSON | typeof CODEC_MSGPACK | typeof CODEC_RAW | typeof CODEC_CHECKED

/** Whether workers may send it. */
export const isCodec = (type: number): type is Codec => type >= CODEC_JSON && type <= CODEC_RAW

/**
 * How a field is written.
 *  - `text`: str, must be there. `text?`: str or nil. `text=`: the same, nil meaning the empty text.
 *  - `payload`: ext, nil meaning JSON null. `payload?`: ext or nil.
 *  - `error?`: a payload that holds `{code, message, stacktrace?}`, or nil.
 */
export type FieldForm = 'text' | 'text?' | 'text=' | 'payload' | 'payload?' | 'error?'

/** Types of the frames that `layouts` describes. */
export type ListedType = Exclude<Frame['type'], 'invokefunction' | 'invocationresult' | 'cancelinvocation'>

type FieldsOf<Type extends ListedType> = Exclude<keyof Extract<Frame, { type: Type }>, 'type'>

type Layouts = {
  readonly [Type in ListedType]: {
    readonly kind: number
    readonly fields: readonly (readonly [FieldsOf<Type>, FieldForm])[]
  }
}

export const layouts = {
  ping: { kind: 6, fields: [] },
  pong: { kind: 7, fields: [] },
  registerfunction: {
    kind: 16,
    fields: [
      ['id', 'text'],
      ['description', 'text?'],
      ['requestFormat', 'payload?'],
      ['responseFormat', 'payload?'],
      ['metadata', 'payload?'],
      ['invocation', 'payload?'],
    ],
  },
  unregisterfunction: { kind: 17, fields: [['id', 'text']] },
  registertriggertype: {
    kind: 18,
    fields: [
      ['id', 'text'],
      ['description', 'text='],
      ['triggerRequestFormat', 'payload?'],
      ['callRequestFormat', 'payload?'],
      ['namespace', 'text?'],
    ],
  },
  unregistertriggertype: {
    kind: 19,
    fields: [
      ['id', 'text'],
      ['namespace', 'text?'],
    ],
  },
  registertrigger: {
    kind: 20,
    fields: [
      ['id', 'text'],
      ['triggerType', 'text'],
      ['functionId', 'text'],
      ['config', 'payload'],
      ['metadata', 'payload?'],
      ['namespace', 'text?'],
      ['triggerNamespace', 'text?'],
    ],
  },
  triggerregistrationresult: {
    kind: 21,
    fields: [
      ['id', 'text'],
      ['triggerType', 'text'],
      ['functionId', 'text'],
      ['error', 'error?'],
    ],
  },
  unregistertrigger: {
    kind: 22,
    fields: [
      ['id', 'text'],
      ['triggerType', 'text?'],
    ],
  },
  reattach: {
    kind: 23,
    fields: [
      ['previousWorkerId', 'text'],
      ['reattachToken', 'text?'],
    ],
  },
  registerservice: {
    kind: 24,
    fields: [
      ['id', 'text'],
      ['name', 'text='],
      ['description', 'text?'],
    ],
  },
  workerregistered: {
    kind: 25,
    fields: [
      ['workerId', 'text'],
      ['reattachToken', 'text='],
    ],
  },
  registrationrejected: {
    kind: 26,
    fields: [
      ['code', 'text'],
      ['namespace', 'text'],
      ['workerName', 'text?'],
      ['functionId', 'text?'],
      ['ownerWorkerId', 'text'],
    ],
  },
  error: { kind: 27, fields: [['error', 'error?']] },
} as const satisfies Layouts

/** Name of a field on the JSON wire and in the documentation: `triggerType` → `trigger_type`. */
export const wireName = (field: string): string =>
  field.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
