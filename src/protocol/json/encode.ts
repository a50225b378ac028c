/**
 * Frame → JSON text, `type` first, absent fields left out, required fields always there
 * (`docs/protocol/json.md#how-messages-are-written`).
 */
import type { ErrorBody, Frame, InvokeFrame, ResultFrame } from '../frames.ts'
import { type JsonText, quote, toJsonText } from '../jsonText.ts'
import { jsonOf } from '../msgpack/payload.ts'

function text(name: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${name}":${quote(value)}`
}

function json(name: string, value: JsonText | undefined): string {
  return value === undefined ? '' : `,"${name}":${value}`
}

function error(value: ErrorBody | undefined): string {
  return value === undefined ? '' : `,"error":${toJsonText(value)}`
}

function encodeInvoke(frame: InvokeFrame): string {
  const id = frame.invocationId === undefined ? '' : `,"invocation_id":"${frame.invocationId}"`
  let out = `{"type":"invokefunction"${id},"function_id":${quote(frame.functionId)},"data":${jsonOf(frame.data)}`
  if (frame.action === 'void') out += ',"action":{"type":"void"}'
  else if (frame.action === 'enqueue') {
    out += `,"action":{"type":"enqueue","queue":${quote(frame.queue ?? '')}}`
  }
  if (frame.metadata !== undefined) out += `,"metadata":${frame.metadata}`
  if (frame.traceparent !== undefined) out += `,"traceparent":${quote(frame.traceparent)}`
  if (frame.baggage !== undefined) out += `,"baggage":${quote(frame.baggage)}`
  if (frame.namespace !== undefined) out += `,"namespace":${quote(frame.namespace)}`
  if (frame.timeoutMs !== undefined) out += `,"timeout_ms":${frame.timeoutMs}`
  return `${out}}`
}

function encodeResult(frame: ResultFrame): string {
  let out = `{"type":"invocationresult","invocation_id":"${frame.invocationId}","function_id":${quote(frame.functionId)}`
  if (frame.error !== undefined) out += `,"error":${frame.error}`
  else if (frame.result !== undefined) out += `,"result":${jsonOf(frame.result)}`
  if (frame.traceparent !== undefined) out += `,"traceparent":${quote(frame.traceparent)}`
  if (frame.baggage !== undefined) out += `,"baggage":${quote(frame.baggage)}`
  return `${out}}`
}

/** Writes one frame as one JSON message. */
export function encodeJson(frame: Frame): string {
  switch (frame.type) {
    case 'invokefunction':
      return encodeInvoke(frame)
    case 'invocationresult':
      return encodeResult(frame)
    case 'cancelinvocation':
      return `{"type":"cancelinvocation","invocation_id":"${frame.invocationId}"}`
    case 'registerfunction':
      return `{"type":"registerfunction","id":${quote(frame.id)}${text('description', frame.description)}${json('request_format', frame.requestFormat)}${json('response_format', frame.responseFormat)}${json('metadata', frame.metadata)}${json('invocation', frame.invocation)}}`
    case 'unregisterfunction':
      return `{"type":"unregisterfunction","id":${quote(frame.id)}}`
    case 'registertriggertype':
      return `{"type":"registertriggertype","id":${quote(frame.id)}${text('description', frame.description)}${json('trigger_request_format', frame.triggerRequestFormat)}${json('call_request_format', frame.callRequestFormat)}${text('namespace', frame.namespace)}}`
    case 'unregistertriggertype':
      return `{"type":"unregistertriggertype","id":${quote(frame.id)}${text('namespace', frame.namespace)}}`
    case 'registertrigger':
      return `{"type":"registertrigger","id":${quote(frame.id)},"trigger_type":${quote(frame.triggerType)},"function_id":${quote(frame.functionId)},"config":${frame.config}${json('metadata', frame.metadata)}${text('namespace', frame.namespace)}${text('trigger_namespace', frame.triggerNamespace)}}`
    case 'triggerregistrationresult':
      return `{"type":"triggerregistrationresult","id":${quote(frame.id)},"trigger_type":${quote(frame.triggerType)},"function_id":${quote(frame.functionId)}${error(frame.error)}}`
    case 'unregistertrigger':
      return `{"type":"unregistertrigger","id":${quote(frame.id)}${text('trigger_type', frame.triggerType)}}`
    case 'reattach':
      return `{"type":"reattach","previous_worker_id":${quote(frame.previousWorkerId)}${text('reattach_token', frame.reattachToken)}}`
    case 'registerservice':
      return `{"type":"registerservice","id":${quote(frame.id)},"name":${quote(frame.name)}${text('description', frame.description)}}`
    case 'workerregistered':
      return `{"type":"workerregistered","worker_id":${quote(frame.workerId)},"reattach_token":${quote(frame.reattachToken)}}`
    case 'registrationrejected':
      return `{"type":"registrationrejected","code":"${frame.code}","namespace":${quote(frame.namespace)}${text('worker_name', frame.workerName)}${text('function_id', frame.functionId)},"owner_worker_id":${quote(frame.ownerWorkerId)}}`
    case 'ping':
      return '{"type":"ping"}'
    case 'pong':
      return '{"type":"pong"}'
    case 'error':
      return `{"type":"error","error":${toJsonText(frame.error)}}`
  }
}
