/**
 * Every message of the worker protocol as a table: what stands on the wire, what the frame says. Written from
 * `docs/protocol/json.md#from-the-worker`, not from the code.
 */
import type { FrameType } from '../../src/protocol/frames.ts'

/** `lenient`: other engines need it; we take its absence for the empty value. */
type Need = 'required' | 'lenient' | 'optional'

export interface Field {
  /** Name on the wire and in the frame. */
  readonly wire: string
  readonly frame: string
  readonly need: Need
  /** JSON text of a value, and what the frame then holds. */
  readonly text: string
  readonly value: unknown
  /** What the frame holds when the field is absent. */
  readonly empty?: unknown
  /** JSON texts that make the whole message undecodable. */
  readonly wrong: readonly string[]
}

export interface Message {
  readonly type: FrameType
  readonly fields: readonly Field[]
  /** Frame fields that come from no field of the message. */
  readonly fixed?: Readonly<Record<string, unknown>>
}

const NO_STRING = ['1', 'true', '{}', '["a"]']

function text(wire: string, frame: string, need: Need, empty?: unknown): Field {
  return { wire, frame, need, empty, text: `"${wire} \\u00e9\\n"`, value: `${wire} é\n`, wrong: NO_STRING }
}

/** Any JSON; the frame holds it as text, character by character. */
function json(wire: string, frame: string, need: Need, empty?: unknown): Field {
  const value = '{"big":9007199254740993,"one":1.0,"b":"\\u00fc","a":[null]}'
  return { wire, frame, need, empty, text: value, value, wrong: [] }
}

function uuid(wire: string, frame: string, need: Need): Field {
  return {
    wire,
    frame,
    need,
    text: '"C2A4A5A6-0000-4000-8000-0000000000AA"',
    value: 'c2a4a5a6-0000-4000-8000-0000000000aa',
    wrong: [...NO_STRING, '""', '"x"', '"c2a4a5a6-0000-4000-8000-0000000000a"'],
  }
}

const errorText = '{"code":"boom","message":"no","stacktrace":"at x"}'
const errorBody: Field = {
  wire: 'error',
  frame: 'error',
  need: 'optional',
  text: errorText,
  value: JSON.parse(errorText),
  wrong: [],
}

const trace = [text('traceparent', 'traceparent', 'optional'), text('baggage', 'baggage', 'optional')]

export const messages: readonly Message[] = [
  {
    type: 'invokefunction',
    fields: [
      uuid('invocation_id', 'invocationId', 'optional'),
      text('function_id', 'functionId', 'required'),
      json('data', 'data', 'lenient', 'null'),
      ...trace,
      json('metadata', 'metadata', 'optional'),
      text('namespace', 'namespace', 'optional'),
      {
        wire: 'action',
        frame: 'action',
        need: 'optional',
        empty: 'plain',
        text: '{"type":"void"}',
        value: 'void',
        wrong: [
          '"void"',
          '1',
          '{}',
          '{"type":"other"}',
          '{"type":"enqueue"}',
          '{"type":"enqueue","queue":1}',
          '[]',
        ],
      },
      { wire: 'timeout_ms', frame: 'timeoutMs', need: 'optional', text: '1500', value: 1500, wrong: [] },
    ],
    fixed: { queue: undefined },
  },
  {
    type: 'invocationresult',
    fields: [
      uuid('invocation_id', 'invocationId', 'required'),
      text('function_id', 'functionId', 'lenient', ''),
      json('result', 'result', 'optional'),
      { ...errorBody, value: errorText },
      ...trace,
    ],
  },
  { type: 'cancelinvocation', fields: [uuid('invocation_id', 'invocationId', 'required')] },
  {
    type: 'registerfunction',
    fields: [
      text('id', 'id', 'required'),
      text('description', 'description', 'optional'),
      json('request_format', 'requestFormat', 'optional'),
      json('response_format', 'responseFormat', 'optional'),
      json('metadata', 'metadata', 'optional'),
      {
        wire: 'invocation',
        frame: 'invocation',
        need: 'optional',
        text: '{"url":"https://example.com","timeout_ms":30000}',
        value: '{"url":"https://example.com","timeout_ms":30000}',
        wrong: ['"https://example.com"', '{}', '{"url":1}', '[]'],
      },
    ],
  },
  { type: 'unregisterfunction', fields: [text('id', 'id', 'required')] },
  {
    type: 'registertriggertype',
    fields: [
      text('id', 'id', 'required'),
      text('description', 'description', 'lenient', ''),
      json('trigger_request_format', 'triggerRequestFormat', 'optional'),
      json('call_request_format', 'callRequestFormat', 'optional'),
      text('namespace', 'namespace', 'optional'),
    ],
  },
  {
    type: 'unregistertriggertype',
    fields: [text('id', 'id', 'required'), text('namespace', 'namespace', 'optional')],
  },
  {
    type: 'registertrigger',
    fields: [
      text('id', 'id', 'required'),
      text('trigger_type', 'triggerType', 'required'),
      text('function_id', 'functionId', 'required'),
      json('config', 'config', 'lenient', 'null'),
      json('metadata', 'metadata', 'optional'),
      text('namespace', 'namespace', 'optional'),
      text('trigger_namespace', 'triggerNamespace', 'optional'),
    ],
  },
  {
    type: 'triggerregistrationresult',
    fields: [
      text('id', 'id', 'required'),
      text('trigger_type', 'triggerType', 'required'),
      text('function_id', 'functionId', 'required'),
      errorBody,
    ],
  },
  {
    type: 'unregistertrigger',
    fields: [text('id', 'id', 'required'), text('trigger_type', 'triggerType', 'optional')],
  },
  {
    type: 'reattach',
    fields: [
      text('previous_worker_id', 'previousWorkerId', 'required'),
      text('reattach_token', 'reattachToken', 'optional'),
    ],
  },
  {
    type: 'registerservice',
    fields: [
      text('id', 'id', 'required'),
      text('name', 'name', 'lenient', ''),
      text('description', 'description', 'optional'),
    ],
  },
  {
    type: 'workerregistered',
    fields: [
      text('worker_id', 'workerId', 'required'),
      text('reattach_token', 'reattachToken', 'lenient', ''),
    ],
  },
  {
    type: 'registrationrejected',
    fields: [
      {
        ...text('code', 'code', 'required'),
        text: '"WORKER_NAMESPACE_CONFLICT"',
        value: 'WORKER_NAMESPACE_CONFLICT',
      },
      text('namespace', 'namespace', 'required'),
      text('worker_name', 'workerName', 'optional'),
      text('function_id', 'functionId', 'optional'),
      text('owner_worker_id', 'ownerWorkerId', 'required'),
    ],
  },
  { type: 'ping', fields: [] },
  { type: 'pong', fields: [] },
  { type: 'error', fields: [errorBody] },
]

/** JSON text of a message made of these members, `type` where it is given. */
export function textOf(members: readonly (readonly [string, string])[], comma = ',', colon = ':'): string {
  return `{${members.map(([name, value]) => `"${name}"${colon}${value}`).join(comma)}}`
}

/** All members of a message, in the order of its table. */
export function membersOf({ type, fields }: Message): [string, string][] {
  return [['type', `"${type}"`], ...fields.map(({ wire, text }): [string, string] => [wire, text])]
}

/** The frame of a message that has the fields for which `has` says so. */
export function frameOf(
  { type, fields, fixed }: Message,
  has: (field: Field) => boolean = () => true,
): Record<string, unknown> {
  const frame: Record<string, unknown> = { type, ...fixed }
  for (const field of fields) frame[field.frame] = has(field) ? field.value : field.empty
  return frame
}
