/** Rows of the catalogue completed with what other threads know. */
import type { CountersRow, WorkerRow } from '../../workers/engine-functions/catalogue.ts'
import { type HostState, MAIN } from '../engine/registry.ts'
import { EVERYWHERE, type Place } from '../engine/routes.ts'
import { joinAccounts, type Peer, type Peers, sumCounters } from './account.ts'

/** Asks the threads of the rows' workers, each once and no others. */
export async function completeRows(
  { directory }: HostState,
  peers: Peers,
  rows: readonly WorkerRow[],
): Promise<readonly WorkerRow[]> {
  const placeOf = ({ workerId }: WorkerRow): Place => directory.workers.get(workerId)?.place ?? MAIN
  // Where they were when they were asked: a worker may have left before the answers come.
  const asked = new Map(rows.map(row => [row, placeOf(row)] as const).filter(([, place]) => place !== MAIN))
  if (asked.size === 0) return rows
  const places = new Set(asked.values())
  const ids = [...asked.keys()].map(({ workerId }) => workerId)
  const answers = await peers.ask(ids, places.has(EVERYWHERE) ? undefined : places)
  return rows.map(row => {
    const place = asked.get(row)
    return place === undefined ? row : completed(row, place, answers)
  })
}

function completed(row: WorkerRow, place: Place, answers: readonly Peer[]): WorkerRow {
  const responsible = place === EVERYWHERE ? answers : answers.filter(peer => peer.place === place)
  const heard = responsible.filter(({ account }) => account !== undefined)
  if (heard.length === 0) return { ...row, activeInvocations: undefined }
  const accounts = heard.map(({ account }) => account?.workers[row.workerId])
  const whole = joinAccounts(accounts.filter(account => account !== undefined))
  return { ...row, ...whole, warnings: { ...row.warnings, ...whole.warnings } }
}

/** The counters of all threads together. */
export async function countersOf(engine: HostState, peers: Peers | undefined): Promise<CountersRow> {
  if (peers === undefined) return { counters: { ...engine.counters }, silentThreads: [] }
  const answers = await peers.ask([])
  const silent = answers.filter(({ account }) => account === undefined)
  return {
    counters: sumCounters([engine.counters, ...answers.map(({ counters }) => counters)]),
    silentThreads: silent.map(({ name }) => name),
  }
}
