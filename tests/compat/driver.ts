/** The test's end of a driver process (commands.ts). */

import { eachLine } from '../../scripts/lines.ts'
import { createMailbox } from '../support/mailbox.ts'
import { PATIENCE_MS, within } from '../support/waiting.ts'
import type { Answer, Behaviour, BindingEvent, CalledEvent, Command, DriverEvent } from './commands.ts'

/** A call that the client reported as failed. `code` is `driver` when it was the driver itself. */
export class CallFailed extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** One connected client inside a driver process. */
export interface DrivenWorker {
  state(): Promise<string>
  offer(functionId: string, does: Behaviour): Promise<void>
  unregisterFunction(functionId: string): Promise<void>
  /** Resolves with the result (`undefined` and `null` are one), rejects with `CallFailed`. */
  call(functionId: string, payload: unknown, options?: { metadata?: unknown }): Promise<unknown>
  callVoid(functionId: string, payload: unknown): Promise<void>
  /** Through a queue; resolves with the receipt. */
  enqueue(queue: string, functionId: string, payload: unknown): Promise<unknown>
  provide(triggerType: string, options?: { refuse?: string }): Promise<void>
  withdraw(triggerType: string): Promise<void>
  bind(triggerType: string, functionId: string, config: unknown, metadata?: unknown): Promise<void>
  unbind(functionId: string): Promise<void>
  shutdown(): Promise<void>
  /** The next call of a function that tells of its calls. */
  called(functionId: string): Promise<CalledEvent>
  /** The next binding (or its end) that the client's provider was told of. */
  bound(triggerType: string): Promise<BindingEvent['binding']>
  unbound(triggerType: string): Promise<BindingEvent['binding']>
}

export interface Driver extends AsyncDisposable {
  /** Makes a client and waits until it is connected. Without a name the client chooses one itself. */
  connect(url: string, options?: { name?: string; namespace?: string }): Promise<DrivenWorker>
  /** Everything the client printed. */
  log(): string
  /** Ends the process without any goodbye. */
  kill(): Promise<void>
}

export function startDriver(command: readonly string[], env: Record<string, string> = {}): Driver {
  const child = Bun.spawn([...command], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
  })
  const answers = createMailbox<Answer>('answers of the driver')
  const events = createMailbox<DriverEvent>('events of the driver')
  let log = ''
  let lastId = 0
  let lastClient = 0

  const note = (line: string): void => {
    log += `${line}\n`
  }
  const output = eachLine(child.stdout, line => {
    if (!line.startsWith('@')) return note(line)
    const message = JSON.parse(line.slice(1)) as Answer | DriverEvent
    if ('event' in message) events.put(message)
    else answers.put(message)
  })
  void Promise.all([output, eachLine(child.stderr, note)]).then(() => {
    const ended = new Error(`the driver has ended:\n${log.slice(-4000)}`)
    answers.close(ended)
    events.close(ended)
  })

  async function tell(command: Command): Promise<unknown> {
    const id = ++lastId
    // A line reader of Node takes these two for line breaks.
    const line = JSON.stringify({ id, ...command })
      .replaceAll('\u2028', '\\u2028')
      .replaceAll('\u2029', '\\u2029')
    child.stdin.write(`${line}\n`)
    child.stdin.flush()
    const { value, error } = await answers.take({ id }, 2 * PATIENCE_MS)
    if (error !== undefined) throw new CallFailed(error.code, error.message)
    return value ?? undefined
  }

  async function kill(): Promise<void> {
    child.kill('SIGKILL')
    await within('the driver ends', child.exited)
  }

  function workerOf(client: string): DrivenWorker {
    const to = async (command: Command): Promise<void> => void (await tell(command))
    const binding = async (event: 'bound' | 'unbound', trigger_type: string) =>
      ((await events.take({ event, client, trigger_type })) as BindingEvent).binding
    return {
      state: async () => (await tell({ do: 'state', client })) as string,
      offer: (function_id, does) => to({ do: 'function', client, function_id, does }),
      unregisterFunction: function_id => to({ do: 'unregister_function', client, function_id }),
      call: (function_id, payload, options = {}) =>
        tell({ do: 'call', client, function_id, payload, ...options }),
      callVoid: (function_id, payload) => to({ do: 'call', client, function_id, payload, void: true }),
      enqueue: (queue, function_id, payload) => tell({ do: 'call', client, function_id, payload, queue }),
      provide: (trigger_type, options = {}) => to({ do: 'provide', client, trigger_type, ...options }),
      withdraw: trigger_type => to({ do: 'withdraw', client, trigger_type }),
      bind: (trigger_type, function_id, config, metadata) =>
        to({ do: 'bind', client, trigger_type, function_id, config, metadata }),
      unbind: function_id => to({ do: 'unbind', client, function_id }),
      shutdown: () => to({ do: 'shutdown', client }),
      called: async function_id =>
        (await events.take({ event: 'called', client, function_id })) as CalledEvent,
      bound: trigger_type => binding('bound', trigger_type),
      unbound: trigger_type => binding('unbound', trigger_type),
    }
  }

  return {
    async connect(url, options = {}) {
      const client = `client${++lastClient}`
      await tell({ do: 'connect', client, url, ...options })
      return workerOf(client)
    },
    log: () => log,
    kill,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await kill()
    },
  }
}
