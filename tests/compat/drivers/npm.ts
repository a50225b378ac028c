/** The driver for the npm package `iii-sdk`. Runs on Node and on Bun; the commands are described in commands.ts. */
import { createInterface } from 'node:readline'
import { type IIIClient, InvocationError, registerWorker, TriggerAction } from 'iii-sdk'
import type { Answer, Behaviour, Command, DriverEvent } from '../commands.ts'

type Handler = (data: unknown, metadata?: unknown) => Promise<unknown>
type Of<Name extends Command['do']> = Extract<Command, { do: Name }>

const RECONNECT = { initialDelayMs: 20, maxDelayMs: 200, backoffMultiplier: 2, jitterFactor: 0.3 }

const clients = new Map<string, IIIClient>()
/** Handles with an `unregister`, by client and what they are for. */
const handles = new Map<string, { unregister(): void }>()

function clientOf({ client }: { client: string }): IIIClient {
  const found = clients.get(client)
  if (found === undefined) throw new Error(`there is no client "${client}"`)
  return found
}

function say(message: Answer | DriverEvent): void {
  process.stdout.write(`@${JSON.stringify(message)}\n`)
}

/** A handler gets what was sent plus the caller's id, which differs with every run. */
function withoutCaller(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return data
  const { _caller_worker_id: _, ...rest } = data as Record<string, unknown>
  return rest
}

function handlerFor(client: string, functionId: string, does: Behaviour): Handler {
  const called = (data: unknown, metadata: unknown): void =>
    say({ event: 'called', client, function_id: functionId, data: withoutCaller(data), metadata })
  const handlers: Record<Behaviour, Handler> = {
    echo: async data => withoutCaller(data),
    record: async (data, metadata) => {
      called(data, metadata)
      return { ok: true }
    },
    metadata: async (_, metadata) => metadata ?? 'none',
    nothing: async () => undefined,
    throw: async () => {
      throw new Error('boom')
    },
    refuse: async () => {
      throw new InvocationError({ code: 'OUT_OF_STOCK', message: 'no tea left' })
    },
    relay: async data => {
      const { function_id, payload } = data as { function_id: string; payload: unknown }
      return { relayed: await clientOf({ client }).trigger({ function_id, payload }) }
    },
    grow: async data => ({ text: 'x'.repeat((data as { characters: number }).characters) }),
    page: async data => ({ status_code: 201, body: { got: (data as { body: unknown }).body } }),
    nan: async () => Number.NaN,
    hang: (data, metadata) => {
      called(data, metadata)
      return new Promise(() => {})
    },
  }
  return handlers[does]
}

const commands: { [Name in Command['do']]: (command: Of<Name>) => unknown } = {
  async connect({ client, url, name }) {
    const worker = registerWorker(url, {
      ...(name === undefined ? {} : { workerName: name }),
      reconnectionConfig: RECONNECT,
    })
    clients.set(client, worker)
    // The client connects in the background; its calls wait for the connection.
    await worker.trigger({ function_id: 'engine::workers::list', payload: {} })
  },
  // This version does not tell its state.
  state: () => 'unknown',
  function({ client, function_id, does }) {
    const handle = clientOf({ client }).registerFunction(function_id, handlerFor(client, function_id, does))
    handles.set(`function ${client} ${function_id}`, handle)
  },
  unregister_function({ client, function_id }) {
    handles.get(`function ${client} ${function_id}`)?.unregister()
  },
  call: command => {
    const { function_id, payload, metadata, queue } = command
    return clientOf(command).trigger({
      function_id,
      payload,
      ...(command.void ? { action: TriggerAction.Void() } : {}),
      ...(queue === undefined ? {} : { action: TriggerAction.Enqueue({ queue }) }),
      ...(metadata === undefined ? {} : { metadata }),
    })
  },
  provide({ client, trigger_type, refuse }) {
    const handle = clientOf({ client }).registerTriggerType(
      { id: trigger_type, description: 'of a test' },
      {
        async registerTrigger(binding) {
          say({ event: 'bound', client, trigger_type, binding })
          if (refuse !== undefined) throw new Error(refuse)
        },
        async unregisterTrigger(binding) {
          say({ event: 'unbound', client, trigger_type, binding })
        },
      },
    )
    handles.set(`type ${client} ${trigger_type}`, handle)
  },
  withdraw({ client, trigger_type }) {
    handles.get(`type ${client} ${trigger_type}`)?.unregister()
  },
  bind(command) {
    const { client, trigger_type, function_id, config, metadata } = command
    const handle = clientOf(command).registerTrigger({
      type: trigger_type,
      function_id,
      config,
      ...(metadata === undefined ? {} : { metadata: metadata as Record<string, unknown> }),
    })
    handles.set(`binding ${client} ${function_id}`, handle)
  },
  unbind({ client, function_id }) {
    handles.get(`binding ${client} ${function_id}`)?.unregister()
  },
  async shutdown(command) {
    await clientOf(command).shutdown()
    clients.delete(command.client)
  },
}

async function carryOut({ id, ...command }: Command & { id: number }): Promise<void> {
  try {
    // The table has a row for each command that takes exactly that command.
    const run = commands[command.do] as (command: Command) => unknown
    say({ id, value: await run(command) })
  } catch (error) {
    const { code = 'driver', message } = error as { code?: string; message: string }
    // The client writes the code in front of the message that was sent.
    const sent = message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message
    say({ id, error: { code, message: sent } })
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  void carryOut(JSON.parse(line) as Command & { id: number })
}
// The end of the input is the end of the driver.
process.exit(0)
