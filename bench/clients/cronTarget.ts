/**
 * Registers schedules for one function of its own, answers when it is called, and looks how late that was.
 *
 *     bun cronTarget.ts '{"url":"ws://…","shape":"cron-minutely","pid":123,"settleMs":15000,"measureMs":20000}'
 */
import { type CronShape, cronShapes } from '../cronShapes.ts'
import { createHistogram, type HistogramDump } from '../histogram.ts'
import { cpuSeconds, threadSeconds } from '../procfs.ts'
import { connectAnnounced, functionIdOf, idPrefix, idSuffix, invocationIdOf } from './wire.ts'

export interface CronOptions {
  readonly url: string
  readonly shape: CronShape
  /** Process whose CPU time is read. */
  readonly pid: number
  readonly settleMs: number
  readonly measureMs: number
}

export interface CronResult {
  readonly seconds: number
  /** Seconds of all threads of the process, and of each. */
  readonly cpu: number
  readonly threads: Record<string, number>
  /** How long after its instant each call came, in ms. */
  readonly late: HistogramDump
}

const TICK = 'bench::tick'
const SCHEDULED = '"scheduled_time":"'
/** Registered before it is asked whether they are there. */
const AT_ONCE = 500

const { url, shape, pid, settleMs, measureMs } = JSON.parse(process.argv[2]!) as CronOptions
const { count, expression } = cronShapes.find(({ name }) => name === shape)!
const late = createHistogram()
const socket = await connectAnnounced(url, `bench-cron-${process.pid}`)
let answered = (_: string): void => {}

socket.onmessage = ({ data }) => {
  const frame = data as string
  if (frame.includes('"invokefunction"')) {
    const now = performance.timeOrigin + performance.now()
    const start = frame.indexOf(SCHEDULED) + SCHEDULED.length
    late.record(now - Date.parse(frame.slice(start, frame.indexOf('"', start))))
    socket.send(
      `{"type":"invocationresult","invocation_id":"${invocationIdOf(frame)}","function_id":"${functionIdOf(frame)}","result":null}`,
    )
  } else if (frame.includes('"invocationresult"')) answered(frame)
}

let asked = 0
function ask(functionId: string, input: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  answered = resolve
  const id = idPrefix(3) + idSuffix(asked++, 0)
  socket.send(
    `{"type":"invokefunction","invocation_id":"${id}","function_id":"${functionId}","data":${input}}`,
  )
  return promise
}

socket.send(JSON.stringify({ type: 'registerfunction', id: TICK }))
for (let index = 0; index < count; index++) {
  const config = { expression: expression(index), name: `schedule-${index}` }
  socket.send(
    JSON.stringify({
      type: 'registertrigger',
      id: `bench-${index}`,
      trigger_type: 'cron',
      function_id: TICK,
      config,
    }),
  )
  if (index % AT_ONCE === 0) await ask('cron::list', '{"limit":1}')
}
while (!(await ask('cron::list', '{"limit":1}')).includes(`"total":${count}`)) await Bun.sleep(50)
await Bun.sleep(settleMs)

late.clear()
const [cpu, threads, startedAt] = [cpuSeconds(pid) ?? Number.NaN, threadSeconds(pid) ?? {}, performance.now()]
await Bun.sleep(measureMs)
const after = threadSeconds(pid) ?? {}
const result: CronResult = {
  seconds: (performance.now() - startedAt) / 1000,
  cpu: (cpuSeconds(pid) ?? Number.NaN) - cpu,
  threads: Object.fromEntries(
    Object.entries(after).map(([name, value]) => [name, value - (threads[name] ?? 0)]),
  ),
  late: late.dump(),
}
console.log(JSON.stringify(result))
process.exit(0)
