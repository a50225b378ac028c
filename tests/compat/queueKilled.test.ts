/** A job of a published client survives `kill -9` of the engine and of the worker that has it; the next one may be of another language. */
import { describe, expect, test } from 'bun:test'
import { startEngine } from '../support/engineProcess.ts'
import { connectRaw } from '../support/rawClient.ts'
import { until } from '../support/waiting.ts'
import { type ClientUnderTest, npmOnNode, prepare, pypiClients } from './clients.ts'
import { startDriver } from './driver.ts'
import { PREPARE_MS, skipReason, untilKnown } from './scenarios/stage.ts'

const FUNCTION = 'jobs::run'
const WORKERS = `  - name: iii-queue
    config: { queue_configs: { jobs: { max_retries: 5 } } }`

const npm = npmOnNode
const pypi = pypiClients.at(-1)!
const pairs: readonly (readonly [ClientUnderTest, ClientUnderTest])[] = [
  [npm, pypi],
  [pypi, npm],
]

async function untilEmpty(url: string): Promise<void> {
  await using raw = await connectRaw(url)
  await until('all is done', async () => {
    const { result } = await raw.call('queue::stats', { queue: 'jobs' })
    return (result as { depth: number }).depth === 0
  })
}

for (const [one, other] of pairs) {
  const reason = skipReason(one) ?? skipReason(other)
  describe.skipIf(reason !== undefined)(
    `a job of ${one.name}${reason ? ` (left out: ${reason})` : ''}`,
    () => {
      test(
        `that ${other.name} has when it is killed, and then the engine, is done by the next one`,
        async () => {
          const [oneCommand, otherCommand] = [await prepare(one), await prepare(other)]
          await using engine = await startEngine({ workers: WORKERS })
          await using producer = startDriver(oneCommand)
          const publisher = await producer.connect(engine.url, { name: 'publisher' })
          await using killed = startDriver(otherCommand)
          const first = await killed.connect(engine.url, { name: 'first' })
          await first.offer(FUNCTION, 'hang')
          await using raw = await connectRaw(engine.url)
          await untilKnown(raw, FUNCTION)
          const receipt = await publisher.enqueue('jobs', FUNCTION, { n: 1, text: 'ü' })
          const message_id = (receipt as { messageReceiptId: string }).messageReceiptId
          expect((await first.called(FUNCTION)).metadata).toMatchObject({ message_id, attempt: 1 })

          // The engine forgets the lease; the worker comes back by itself, and is called again.
          await engine.restart('SIGKILL')
          expect((await first.called(FUNCTION)).metadata).toMatchObject({ message_id, attempt: 1 })
          // A worker that is gone has failed.
          await killed.kill()
          await using after = await connectRaw(engine.url)
          const attempts = await until('that is written', async () => {
            const { result } = await after.call('queue::message', { message_id })
            const { attempts } = result as { attempts: { code: string }[] }
            return attempts.length > 0 && attempts
          })
          expect(attempts).toMatchObject([{ code: 'invocation_stopped' }])
          await engine.restart('SIGKILL')

          // Whoever has sent it takes over, as soon as it is connected again.
          await publisher.offer(FUNCTION, 'record')
          expect(await publisher.called(FUNCTION)).toMatchObject({
            data: { n: 1, text: 'ü' },
            metadata: { message_id, attempt: 2 },
          })
          await untilEmpty(engine.url)
        },
        PREPARE_MS,
      )
    },
  )
}
