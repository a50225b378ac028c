/** A worker with schedules, made to be killed: `scheduleWorker.ts <url> <journal>`. It writes each call down before it answers. */
import { openSync, writeSync } from 'node:fs'
import { connectWorker } from '../../sdk/typescript/src/connect.ts'

/** At the same instants; they differ in what becomes of a tick while a run is under way. */
export const SCHEDULES = ['skip', 'queue', 'parallel'].map(overlap => ({
  name: `each-${overlap}`,
  expression: '* * * * * *',
  misfire: 'all',
  misfire_limit: 1000,
  overlap,
}))

if (import.meta.main) {
  const [, , url = '', path = ''] = process.argv
  const journal = openSync(path, 'a')
  const worker = connectWorker(url, { reconnectionConfig: { initialDelayMs: 20, maxDelayMs: 50 } })
  worker.registerFunction('journal::write', (data: { name: string; scheduled_time: string }) => {
    writeSync(journal, `${data.name} ${Date.parse(data.scheduled_time)}\n`)
    return null
  })
  for (const config of SCHEDULES)
    worker.registerTrigger({ type: 'cron', function_id: 'journal::write', config })
}
