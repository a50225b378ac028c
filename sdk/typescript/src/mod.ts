/** The public surface of the SDK. Names follow the published `iii-sdk`; `docs/sdk-typescript.md` lists what differs. */
import { connectWorker, type InitOptions } from './connect.ts'
import type { CallAction, WorkerClient } from './worker.ts'

export { ENGINE_URL as DEFAULT_ENGINE_URL } from '../../../src/protocol/address.ts'
export type { InitOptions } from './connect.ts'
export {
  CancelledError,
  ConnectionLostError,
  EngineUnreachableError,
  HandlerError,
  InvocationError,
  RegistrationRejectedError,
  TimeoutError,
} from './errors.ts'
export type {
  Binding,
  CallContext,
  CallRequest,
  ConnectionState,
  FunctionOptions,
  Handler,
  Registration,
  TriggerDefinition,
  TriggerProvider,
  TriggerTypeDefinition,
  WorkerClient,
} from './worker.ts'
export { RawJson } from './worker.ts'

export const TriggerAction = {
  /** No answer is wanted. */
  Void: (): CallAction => ({ type: 'void' }),
  /** The call goes through a queue; the answer is `{messageReceiptId}`. */
  Enqueue: ({ queue }: { queue: string }): CallAction => ({ type: 'enqueue', queue }),
}

/** Connects to an engine in the background and returns at once. */
export function registerWorker(address?: string, options: InitOptions = {}): WorkerClient {
  // What only built-ins need is no part of the surface.
  const { tellAll: _, wait: __, ...client } = connectWorker(address, options)
  return client
}
