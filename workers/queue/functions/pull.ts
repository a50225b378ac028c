/** Functions for whoever takes messages: `queue::pop`, and `ack`, `nack` and `extend` of what it was given. */
import { HandlerError } from '../../../sdk/typescript/src/errors.ts'
import { RawJson } from '../../../sdk/typescript/src/worker.ts'
import { asJsonText, fromJsonText, type JsonText, quote } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { Lane } from '../../../src/storage/queue/message.ts'
import { flag, list, type Refuse, readMembers, required, shape, text, value, whole } from '../../fields.ts'
import type { QueueBackend } from '../backend.ts'
import type { Lease } from '../core/lease.ts'
import { receiptOf } from '../messageRow.ts'
import { shownName } from '../names.ts'
import type { Pull } from '../pull.ts'
import type { Tuning } from '../tuning.ts'
import { lost, tokenOf } from './leases.ts'
import { requireName } from './publish.ts'
import { type Register, refuseBeside } from './register.ts'

export interface PullFunctionParts {
  readonly backend: QueueBackend
  readonly pull: Pull
  readonly wallClock: () => number
  /** The lane of what waits for whoever takes it, and how that is handled. */
  readonly source: (name: string) => { readonly lane: Lane; readonly tuning: Tuning }
}

const CALLER = { _caller_worker_id: text('put there by the engine') } as const

/** Who took a message without saying who it is. */
const NOBODY = 'pull'

export const holderOf = (workerId: string | undefined): string => `worker ${workerId ?? NOBODY}`

function popped(lease: Lease): string {
  const { message, token, attempt, untilMs } = lease
  const { publishedAtMs, group, metadata } = message
  return (
    `{"id":${quote(receiptOf(message))},"data":${message.data},"attempt":${attempt},"lease_id":"${token}"` +
    `,"lease_until":${untilMs},"queue":${quote(shownName(message.queue))},"enqueued_at":${publishedAtMs}` +
    (group === undefined ? '' : `,"group":${quote(group)}`) +
    (metadata === undefined ? '' : `,"metadata":${metadata}`) +
    (message.traceparent === undefined ? '' : `,"traceparent":${quote(message.traceparent)}`) +
    '}'
  )
}

/** Who ends a message may show all of it, as it was popped. */
const POPPED = ['data', 'attempt', 'lease_until', 'queue', 'enqueued_at', 'group', 'metadata', 'traceparent']

const ends = {
  id: text('of the message'),
  lease_id: text('as it was given with the message'),
} as const

export function registerPull(register: Register, parts: PullFunctionParts): void {
  const { backend, pull, wallClock, source } = parts

  register({
    id: 'queue::pop',
    description: 'Takes messages of a queue that wait for whoever takes them, with a lease each',
    fields: {
      queue: text('a named queue, or a topic'),
      topic: text('the same as `queue`'),
      max: whole('messages at most; 1 without it', 1, limits.queueBatch),
      wait_ms: whole('so long for the first one', 0, limits.queueWaitMs),
      lease_ms: whole('of the leases; as the queue says without it', 1, limits.callAgeMs),
      auto_ack: flag('the messages are done when they are taken: at most once, for each of them'),
      ...CALLER,
    },
    failure: 'pop_failed',
    needsCaller: true,
    async run(input, { signal }) {
      const name = requireName(input.queue ?? input.topic, 'queue_not_set', 'Queue name is required')
      const { lane, tuning } = source(name)
      const leases = await pull.pop({
        lane,
        tuning: { ...tuning, leaseMs: input.lease_ms ?? tuning.leaseMs },
        holder: holderOf(input._caller_worker_id),
        max: input.max ?? 1,
        waitMs: input.wait_ms ?? 0,
        signal,
      })
      if (input.auto_ack) await Promise.all(leases.map(({ token }) => backend.finish(token)))
      return new RawJson(asJsonText(`{"messages":[${leases.map(popped).join(',')}]}`))
    },
  })

  /** One message, or with `messages` many, each of which may be refused. */
  function registerEnd<const Fields extends Parameters<typeof shape>[0]>(
    id: string,
    description: string,
    fields: Fields,
    end: (input: ReturnType<ReturnType<typeof shape<Fields & typeof ends>>['read']>) => Promise<string>,
  ): void {
    const all = { ...ends, ...fields } as Fields & typeof ends
    const one = shape(all, { isExact: true, ignored: POPPED })
    register({
      id,
      description,
      fields: {
        messages: list(`many of them, each as the input of \`${id}\``, { type: 'object' }),
        ...all,
      } as never,
      ignored: POPPED,
      failure: `${id.slice(id.lastIndexOf(':') + 1)}_failed`,
      async run(input: { messages?: JsonText[] }, _, refuse) {
        if (input.messages === undefined) return new RawJson(asJsonText(await end(input as never)))
        refuseBeside(input, ['messages'], refuse)
        if (input.messages.length > limits.queueBatch)
          refuse(
            `field \`messages\` has ${input.messages.length} messages, the most are ${limits.queueBatch}`,
          )
        const results = input.messages.map(async (given, index) => {
          const refuseOne: Refuse = why => refuse(`messages[${index}]: ${why}`)
          try {
            return await end(one.read(readMembers(given, refuseOne), refuseOne) as never)
          } catch (error) {
            if (!(error instanceof HandlerError) || error.code === 'deserialization_error') throw error
            return `{"ok":false,"error":{"code":${quote(error.code)},"message":${quote(error.message)}}}`
          }
        })
        return new RawJson(asJsonText(`{"results":[${(await Promise.all(results)).join(',')}]}`))
      },
    })
  }

  registerEnd(
    'queue::ack',
    'Says that a message is done',
    { result: value('kept if the message was pushed with `result: true`') },
    async input => {
      if ((await backend.finish(tokenOf(backend, input), input.result)) === 'over') throw lost()
      return '{"ok":true}'
    },
  )

  registerEnd(
    'queue::nack',
    'Gives a message back: the attempt has failed',
    {
      error: value('a text, or an object {code, message}'),
      delay_ms: whole('instead of the back-off of the queue', 0),
    },
    async input => {
      const token = tokenOf(backend, input)
      const { code, message } = errorOf(input.error)
      const report = { atMs: Math.floor(wallClock()), code, message, worker: backend.lease(token)!.holder }
      const outcome = await backend.fail(token, { report, delayMs: input.delay_ms })
      if (outcome === 'over') throw lost()
      return `{"ok":true,"dead":${outcome === 'dead'}}`
    },
  )

  registerEnd(
    'queue::release',
    'Gives a message back as it was: the attempt was not begun',
    {},
    async input => {
      if (!(await backend.giveBack(tokenOf(backend, input)))) throw lost()
      return '{"ok":true}'
    },
  )

  registerEnd(
    'queue::extend',
    'Lets a lease go on, from now on',
    { lease_ms: required(whole('milliseconds from now', 1, limits.callAgeMs)) },
    async input => {
      const untilMs = await backend.extend(tokenOf(backend, input), input.lease_ms)
      if (untilMs === undefined) throw lost()
      return `{"ok":true,"lease_until":${untilMs}}`
    },
  )
}

function errorOf(given: JsonText | undefined): { readonly code: string; readonly message: string } {
  const value = given === undefined ? undefined : fromJsonText(given)
  if (typeof value === 'string') return { code: 'nack', message: value.slice(0, limits.queueReportLength) }
  const { code, message } = (typeof value === 'object' && value !== null ? value : {}) as Record<
    string,
    unknown
  >
  const textOf = (part: unknown, usual: string): string =>
    typeof part === 'string' ? part.slice(0, limits.queueReportLength) : usual
  return { code: textOf(code, 'nack'), message: textOf(message, 'given back by its consumer') }
}
