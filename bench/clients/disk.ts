/**
 * What the disk itself takes: a block is written and synced, again and again, with nothing around it.
 *
 *     bun disk.ts '{"folder":"/tmp/x","seconds":1}'
 */
import { closeSync, fdatasyncSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createHistogram, type HistogramDump } from '../histogram.ts'

export interface DiskOptions {
  folder: string
  seconds: number
}

export interface DiskResult {
  syncs: number
  seconds: number
  latencies: HistogramDump
}

/** What one commit of a few values writes. */
const BLOCK = Buffer.alloc(8192, 1)
/** Written over again and again, as a log is. */
const BLOCKS = 512

const { folder, seconds } = JSON.parse(process.argv[2]!) as DiskOptions
const file = join(folder, 'disk-probe')
const handle = openSync(file, 'w')
for (let at = 0; at < BLOCKS; at++) writeSync(handle, BLOCK)
fsyncSync(handle)
const histogram = createHistogram()
const from = performance.now()
for (let count = 0; performance.now() - from < seconds * 1000; count++) {
  const start = performance.now()
  writeSync(handle, BLOCK, 0, BLOCK.length, (count % BLOCKS) * BLOCK.length)
  fdatasyncSync(handle)
  histogram.record(performance.now() - start)
}
const taken = (performance.now() - from) / 1000
closeSync(handle)
rmSync(file)
const result: DiskResult = { syncs: histogram.count(), seconds: taken, latencies: histogram.dump() }
console.log(JSON.stringify(result))
