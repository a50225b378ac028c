/**
 * JSON text → frame. Header fields are read, payloads are sliced; nothing else is parsed.
 *
 * The rules are those of `docs/protocol/json.md#how-messages-are-read`: unknown fields are ignored, `null` and absent
 * are the same for optional fields, a missing `data`, `config` or `description` counts as empty, and everything else
 * that does not fit drops the whole message. A dropped message comes back as a `FrameProblem`, which says how far it
 * was readable.
 */
import { asObject, readableError } from '../errorBody.ts'
import { FieldProblem } from '../fieldProblem.ts'
import type { CallAction, Frame, FrameProblem } from '../frames.ts'
import { asJsonText, JSON_NULL, type JsonText } from '../jsonText.ts'
import { parseUuid } from '../uuid.ts'
import { salvage } from './salvage.ts'
import { createObjectScanner, type ObjectScanner } from './scan.ts'

const NAMES = [
  'type',
  'invocation_id',
  'function_id',
  'data',
  'result',
  'error',
  'namespace',
  'action',
  'metadata',
  'traceparent',
  'baggage',
  'timeout_ms',
  'id',
  'description',
  'request_format',
  'response_format',
  'invocation',
  'trigger_type',
  'config',
  'trigger_namespace',
  'trigger_request_format',
  'call_request_format',
  'previous_worker_id',
  'reattach_token',
  'name',
  'worker_id',
  'code',
  'worker_name',
  'owner_worker_id',
] as const

const member = Object.fromEntries(NAMES.map((name, index) => [name, index])) as Record<
  (typeof NAMES)[number],
  number
>

const scanner: ObjectScanner = createObjectScanner(NAMES)

const QUOTE = 34
const LOWER_N = 110

function isPresent(field: number): boolean {
  return scanner.has(field) && scanner.firstCode(field) !== LOWER_N
}

function optionalString(field: number): string | undefined {
  if (!isPresent(field)) return undefined
  if (scanner.firstCode(field) !== QUOTE) throw wrongType(field, 'a string')
  return scanner.text(field)
}

function requiredString(field: number): string {
  const value = optionalString(field)
  if (value === undefined) throw new FieldProblem('missing_field', `field "${NAMES[field]}" is missing`)
  return value
}

function optionalJson(field: number): JsonText | undefined {
  return isPresent(field) ? asJsonText(scanner.slice(field)) : undefined
}

function json(field: number): JsonText {
  return scanner.has(field) ? asJsonText(scanner.slice(field)) : JSON_NULL
}

function wrongType(field: number, expected: string): FieldProblem {
  return new FieldProblem('wrong_type', `field "${NAMES[field]}" must be ${expected}`)
}

function optionalMilliseconds(field: number): number | undefined {
  if (!isPresent(field)) return undefined
  const value = Number(scanner.slice(field))
  return Number.isFinite(value) && value > 0 ? value : undefined
}

function optionalUuid(field: number): string | undefined {
  const text = optionalString(field)
  if (text === undefined) return undefined
  const id = parseUuid(text)
  if (id === undefined) throw new FieldProblem('invalid_uuid', `field "${NAMES[field]}" is not a UUID`)
  return id
}

function requiredUuid(field: number): string {
  const id = optionalUuid(field)
  if (id === undefined) throw new FieldProblem('missing_field', `field "${NAMES[field]}" is missing`)
  return id
}

function readAction(): { action: CallAction; queue: string | undefined } {
  if (!isPresent(member.action)) return { action: 'plain', queue: undefined }
  const action = asObject(JSON.parse(scanner.slice(member.action)))
  if (action?.type === 'void') return { action: 'void', queue: undefined }
  if (action?.type === 'enqueue' && typeof action.queue === 'string') {
    return { action: 'enqueue', queue: action.queue }
  }
  throw wrongType(member.action, '{"type":"void"} or {"type":"enqueue","queue":"…"}')
}

function readError(): JsonText | undefined {
  const text = optionalJson(member.error)
  return text === undefined ? undefined : readableError(text)
}

function readErrorBody(): { code: string; message: string; stacktrace?: string } | undefined {
  const text = readError()
  return text === undefined ? undefined : (JSON.parse(text) as { code: string; message: string })
}

function readInvoke(): Frame {
  const { action, queue } = readAction()
  return {
    type: 'invokefunction',
    invocationId: optionalUuid(member.invocation_id),
    functionId: requiredString(member.function_id),
    data: json(member.data),
    namespace: optionalString(member.namespace),
    action,
    queue,
    metadata: optionalJson(member.metadata),
    traceparent: optionalString(member.traceparent),
    baggage: optionalString(member.baggage),
    timeoutMs: optionalMilliseconds(member.timeout_ms),
    caller: undefined,
  }
}

function readResult(): Frame {
  return {
    type: 'invocationresult',
    invocationId: requiredUuid(member.invocation_id),
    functionId: optionalString(member.function_id) ?? '',
    result: optionalJson(member.result),
    error: readError(),
    traceparent: optionalString(member.traceparent),
    baggage: optionalString(member.baggage),
  }
}

function readInvocation(): JsonText | undefined {
  const text = optionalJson(member.invocation)
  if (text === undefined) return undefined
  const value = asObject(JSON.parse(text))
  if (typeof value?.url !== 'string') throw wrongType(member.invocation, 'an object with a string "url"')
  return text
}

function readRejectedCode(): 'WORKER_NAMESPACE_CONFLICT' | 'FUNCTION_NAMESPACE_CONFLICT' {
  return requiredString(member.code) === 'WORKER_NAMESPACE_CONFLICT'
    ? 'WORKER_NAMESPACE_CONFLICT'
    : 'FUNCTION_NAMESPACE_CONFLICT'
}

/** One reader per rarer message type; each gives the frame or throws a `FieldProblem`. */
const readers: Record<string, () => Frame> = {
  cancelinvocation: () => ({ type: 'cancelinvocation', invocationId: requiredUuid(member.invocation_id) }),
  registerfunction: () => ({
    type: 'registerfunction',
    id: requiredString(member.id),
    description: optionalString(member.description),
    requestFormat: optionalJson(member.request_format),
    responseFormat: optionalJson(member.response_format),
    metadata: optionalJson(member.metadata),
    invocation: readInvocation(),
  }),
  unregisterfunction: () => ({ type: 'unregisterfunction', id: requiredString(member.id) }),
  registertriggertype: () => ({
    type: 'registertriggertype',
    id: requiredString(member.id),
    description: optionalString(member.description) ?? '',
    triggerRequestFormat: optionalJson(member.trigger_request_format),
    callRequestFormat: optionalJson(member.call_request_format),
    namespace: optionalString(member.namespace),
  }),
  unregistertriggertype: () => ({
    type: 'unregistertriggertype',
    id: requiredString(member.id),
    namespace: optionalString(member.namespace),
  }),
  registertrigger: () => ({
    type: 'registertrigger',
    id: requiredString(member.id),
    triggerType: requiredString(member.trigger_type),
    functionId: requiredString(member.function_id),
    config: json(member.config),
    metadata: optionalJson(member.metadata),
    namespace: optionalString(member.namespace),
    triggerNamespace: optionalString(member.trigger_namespace),
  }),
  triggerregistrationresult: () => ({
    type: 'triggerregistrationresult',
    id: requiredString(member.id),
    triggerType: requiredString(member.trigger_type),
    functionId: requiredString(member.function_id),
    error: readErrorBody(),
  }),
  unregistertrigger: () => ({
    type: 'unregistertrigger',
    id: requiredString(member.id),
    triggerType: optionalString(member.trigger_type),
  }),
  reattach: () => ({
    type: 'reattach',
    previousWorkerId: requiredString(member.previous_worker_id),
    reattachToken: optionalString(member.reattach_token),
  }),
  registerservice: () => ({
    type: 'registerservice',
    id: requiredString(member.id),
    name: optionalString(member.name) ?? '',
    description: optionalString(member.description),
  }),
  workerregistered: () => ({
    type: 'workerregistered',
    workerId: requiredString(member.worker_id),
    reattachToken: optionalString(member.reattach_token) ?? '',
  }),
  registrationrejected: () => ({
    type: 'registrationrejected',
    code: readRejectedCode(),
    namespace: requiredString(member.namespace),
    workerName: optionalString(member.worker_name),
    functionId: optionalString(member.function_id),
    ownerWorkerId: requiredString(member.owner_worker_id),
  }),
  ping: () => ({ type: 'ping' }),
  pong: () => ({ type: 'pong' }),
  error: () => ({ type: 'error', error: readErrorBody() ?? { code: 'UNKNOWN', message: '' } }),
}
Object.setPrototypeOf(readers, null)

/** Finds out which call or result a message with a fault in one field belongs to. */
function problemWith(problem: FieldProblem, type: string): FrameProblem {
  const isCall = type === 'invokefunction' || type === 'invocationresult'
  const text = (field: number): string | undefined =>
    isCall && scanner.has(field) && scanner.firstCode(field) === QUOTE ? scanner.text(field) : undefined
  const id = text(member.invocation_id)
  return {
    type: 'problem',
    reason: problem.reason,
    detail: problem.detail,
    about: isCall ? type : undefined,
    invocationId: id === undefined ? undefined : parseUuid(id),
    functionId: text(member.function_id),
  }
}

function check(): void {
  const duplicate = scanner.duplicate()
  if (duplicate >= 0) {
    throw new FieldProblem('duplicate_field', `field "${NAMES[duplicate]}" occurs twice`)
  }
  const { loneSurrogate, numberOutOfRange } = scanner
  if (loneSurrogate()) throw new FieldProblem('lone_surrogate', 'an escape is half of a surrogate pair')
  if (numberOutOfRange())
    throw new FieldProblem('number_out_of_range', 'a number is beyond the range of a double')
}

/**
 * Decodes one message. `undefined`: only white space, which is allowed and means nothing.
 * Cost is linear in the text; memory is the slices.
 */
export function decodeJson(text: string): Frame | FrameProblem | undefined {
  const fault = scanner.scan(text)
  if (fault !== undefined) return text.trim() === '' ? undefined : salvage(text, fault)
  let type = ''
  try {
    type = requiredString(member.type)
    check()
    if (type === 'invokefunction') return readInvoke()
    if (type === 'invocationresult') return readResult()
    const read = readers[type]
    if (read === undefined) throw new FieldProblem('unknown_type', `type "${type.slice(0, 64)}" is unknown`)
    return read()
  } catch (problem) {
    if (problem instanceof FieldProblem) return problemWith(problem, type)
    throw problem
  }
}
