/**
 * Very many keys in one scope: fills it, or walks through its list by cursor.
 *
 *     bun keys.ts '{"url":"ws://…","task":"fill","keys":1000000}'
 */
import { createHistogram, type HistogramDump } from '../histogram.ts'
import { connectAnnounced, idPrefix, idSuffix, placeOf, REQUEST, suffixOf } from './wire.ts'
import { keyOf, PAGE } from './works.ts'

export interface KeysOptions {
  url: string
  task: 'fill' | 'walk' | 'one'
  keys: number
}

export interface KeysResult {
  /** Of the whole task. */
  seconds: number
  /** Entries that the list had. */
  listed: number
  /** Times of pages at the beginning and at the end. */
  first: HistogramDump
  last: HistogramDump
}

const SCOPE = 'many'
const BATCH = 1000
const IN_FLIGHT = 4
/** Entries of the pages on the way to the end. */
const STEP = 1000
/** Pages timed at either end. */
const TIMED = 200
/** Entries at the end that are gone through in pages. */
const TAIL = 20 * PAGE

const { url, task, keys } = JSON.parse(process.argv[2]!) as KeysOptions
const socket = await connectAnnounced(url, `bench-keys-${process.pid}`)
const waiting = new Map<number, PromiseWithResolvers<string>>()
let calls = 0
socket.onmessage = ({ data }) => {
  const frame = data as string
  if (!frame.includes('"invocationresult"')) return
  const place = placeOf(suffixOf(frame))
  if (frame.includes('"error":')) waiting.get(place)?.reject(new Error(frame.slice(0, 500)))
  else waiting.get(place)?.resolve(frame)
  waiting.delete(place)
}

function call(functionId: string, input: string): Promise<string> {
  const place = calls++ % 0x1000
  const answer = Promise.withResolvers<string>()
  waiting.set(place, answer)
  const id = idPrefix(0) + idSuffix(0, place)
  socket.send(
    `{"type":"invokefunction","invocation_id":"${id}","function_id":"${functionId}","data":${input}}`,
  )
  return answer.promise
}

async function fill(): Promise<void> {
  let next = 0
  async function one(): Promise<void> {
    while (next < keys) {
      const from = next
      next += BATCH
      const operations = Array.from(
        { length: Math.min(BATCH, keys - from) },
        (_, at) => `{"op":"set","key":"${keyOf(from + at)}","value":${REQUEST}}`,
      )
      await call(
        'state::batch',
        `{"scope":"${SCOPE}","operations":[${operations.join(',')}],"durability":"os"}`,
      )
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, one))
}

async function page(cursor: string | undefined, limit: number) {
  const from = cursor === undefined ? '' : `,"cursor":"${cursor}"`
  const frame = await call('state::list', `{"scope":"${SCOPE}","limit":${limit},"keys_only":true${from}}`)
  const { result } = JSON.parse(frame) as { result: { keys: string[]; cursor?: string } }
  return result
}

/** Both ends in turn, so that whatever else the machine does hurts both. */
async function timed(ends: Readonly<Record<'first' | 'last', readonly string[]>>) {
  const histograms = { first: createHistogram(), last: createHistogram() }
  for (let count = 0; count < TIMED; count++) {
    for (const end of ['first', 'last'] as const) {
      const start = performance.now()
      await page(ends[end][count % ends[end].length], PAGE)
      histograms[end].record(performance.now() - start)
    }
  }
  return { first: histograms.first.dump(), last: histograms.last.dump() }
}

async function walk(): Promise<Pick<KeysResult, 'listed' | 'first' | 'last'>> {
  let listed = 0
  const tail: string[] = []
  const head: string[] = []
  let cursor: string | undefined
  do {
    const atEnds = head.length < TAIL / PAGE || listed >= keys - TAIL
    const read = await page(cursor, atEnds ? PAGE : Math.min(STEP, keys - TAIL - listed))
    listed += read.keys.length
    cursor = read.cursor
    if (cursor !== undefined && head.length < TAIL / PAGE) head.push(cursor)
    else if (cursor !== undefined && listed >= keys - TAIL) tail.push(cursor)
  } while (cursor !== undefined)
  await timed({ first: head, last: tail })
  return { listed, ...(await timed({ first: head, last: tail })) }
}

const from = performance.now()
let result: Pick<KeysResult, 'listed' | 'first' | 'last'> = { listed: 0, first: [], last: [] }
if (task === 'fill') await fill()
else if (task === 'walk') result = await walk()
else await call('state::get', `{"scope":"${SCOPE}","key":"${keyOf(keys - 1)}"}`)
const seconds = (performance.now() - from) / 1000
console.log(JSON.stringify({ ...result, seconds } satisfies KeysResult))
process.exit(0)
