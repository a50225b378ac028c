/**
 * One run: the state worker with a real partition in a real engine, and callers, listeners and a follower of the feed who
 * do everything by chance, while commits fail, disks break, processes crash and connections are lost. Everything,
 * time included, follows from the seed.
 */
import { asJsonText } from '../../../src/protocol/jsonText.ts'
import type { Collection, Command } from '../../../src/storage/command.ts'
import { entriesIn } from '../../faults/partitionHost.ts'
import { placeOf } from '../../faults/reference.ts'
import { toldOf } from '../../faults/stateCalls.ts'
import { createRandom } from '../../support/random.ts'
import { createWorld, type Puppet } from '../../support/world.ts'
import type { Failure } from '../seeds.ts'
import type { Fault } from './faultyStore.ts'
import { createHost, type Mistakes, settled } from './host.ts'
import { answersIn, callOf, complaintAbout, createListener, type Heard, type Listener } from './parties.ts'
import { createTruth, type Verdict } from './truth.ts'

const STEPS = 120
const WATCHED = 7
const scope = (name: string): Collection => ({ space: 'state', name, group: '' })

interface Call {
  readonly caller: Puppet
  /** `undefined`: it reads `place`. */
  readonly commands: readonly Command[] | undefined
  readonly place: string
  verdict: Verdict | undefined
}

class Wrong extends Error {}

/** `undefined`: everything was as it has to be. */
export async function run(seed: number, mistakes: Mistakes = {}): Promise<Failure | undefined> {
  const { between } = createRandom(seed)
  const pick = <Item>(items: readonly Item[]): Item => items[between(0, items.length)]!
  const chance = (percent: number): boolean => between(0, 100) < percent

  const world = createWorld({ seed })
  const { clock } = world
  const nowMs = (): number => Math.floor(clock.now())
  await using host = createHost(world, seed % 2 === 0 ? 'sqlite' : 'memory', mistakes)
  const truth = createTruth()
  const happened: string[] = []
  const calls = new Map<string, Call>()
  /** Submitted and not committed, in order. */
  let pending: Call[] = []
  let callers: Puppet[] = []
  let listeners: Listener[] = []
  let watcher: { readonly puppet: Puppet; since: number; asked: string | undefined } | undefined
  let isBroken = false
  let made = 0
  let joined = 0

  const note = (text: string): void => void happened.push(`${clock.now() % 1e6} ${text}`)

  // What is asked

  function commandOf(): Command {
    made++
    const isCounter = chance(20)
    const [collection, key] = [scope(pick(['s', 't'])), isCounter ? 'counter' : pick(['a', 'b', 'c'])]
    const version = truth.reference().entries.get(placeOf(collection, key))?.version ?? 0
    const ifVersion = chance(70) ? undefined : chance(70) ? version : version + 1
    const expiresAtMs = chance(70) ? undefined : nowMs() + between(-5, 3000)
    if (isCounter) {
      const operations = [{ type: 'increment', path: 'n', by: BigInt(between(1, 9)) }] as const
      const maxValueBytes = undefined
      return { command: 'update', collection, key, ifVersion, operations, expiresAtMs, maxValueBytes }
    }
    if (chance(25)) return { command: 'remove', collection, key, ifVersion, tellsMissing: true }
    const value = asJsonText(`{"write":${made}}`)
    return { command: 'put', collection, key, value, ifVersion, expiresAtMs }
  }

  async function ask(): Promise<void> {
    const caller = pick(callers)
    const isRead = chance(25)
    const commands = isRead ? undefined : Array.from({ length: chance(75) ? 1 : between(2, 5) }, commandOf)
    const [collection, key] = [scope(pick(['s', 't'])), pick(['a', 'b', 'c', 'counter'])]
    const [id, input] =
      commands === undefined ? ['state::get', { scope: collection.name, key }] : callOf(commands)
    note(`asks ${id} ${JSON.stringify(input)}`)
    const call: Call = { caller, commands, place: placeOf(collection, key), verdict: undefined }
    calls.set(caller.calls(id as string, input), call)
    if (!host.isUp()) call.verdict = { code: 'function_not_found' }
    else if (commands !== undefined) pending.push(call)
    await settled()
  }

  function watch(): void {
    if (watcher === undefined || watcher.asked !== undefined) return
    const input = { since: watcher.since, limit: WATCHED, wait_ms: between(0, 400) }
    watcher.asked = watcher.puppet.calls('state::watch', input)
  }

  // What becomes of it

  async function endTurn(fault?: Fault): Promise<void> {
    const store = host.store()
    store.fault = fault
    const wasBroken = isBroken
    host.endTurn()
    store.fault = undefined
    const attempts = store.attempts()
    const attempt = attempts.at(-1)
    if (attempts.length > 1) throw new Wrong('a turn was committed twice')
    note(`the turn ends: ${attempt === undefined ? 'nothing to commit' : (attempt.fault ?? 'committed')}`)
    const turn = pending
    pending = []
    const hasFailed = attempt?.fault === 'full' || attempt?.fault?.startsWith('broken') === true
    const isRefused = wasBroken || hasFailed
    const isCommitted =
      attempt !== undefined && [undefined, 'broken after', 'crash after'].includes(attempt.fault)
    if (wasBroken && attempt !== undefined) throw new Wrong('it was committed to a broken disk')
    if (attempt?.fault?.startsWith('broken') === true) isBroken = true
    if (attempt?.fault === 'broken after' || attempt?.fault === 'crash after') truth.doubt()
    let verdicts: Verdict[] | undefined
    const before = truth.log.length
    if (isCommitted || (attempt === undefined && !wasBroken)) {
      verdicts = truth.commit(
        turn.map(({ commands }) => commands!),
        attempt?.changes ?? [],
        nowMs(),
      )
    }
    if (attempt?.fault?.startsWith('crash') === true) {
      crash()
    } else {
      for (const [place, call] of turn.entries()) {
        call.verdict = isRefused ? { code: 'STORAGE_UNAVAILABLE' } : verdicts![place]
      }
      for (const listener of listeners) listener.expects(truth.log.slice(before))
    }
    await settled()
  }

  function crash(): void {
    note('the process crashes')
    host.crash()
    isBroken = false
    pending = []
    for (const call of calls.values()) call.verdict = { code: 'invocation_stopped' }
    for (const listener of listeners) listener.isForgotten()
    if (host.adapter === 'memory') {
      truth.forget()
      if (watcher !== undefined) watcher.since = 0
    } else truth.learn()
  }

  async function restart(): Promise<void> {
    note('it starts again')
    await host.start()
    await settled()
  }

  async function wait(ms: number): Promise<void> {
    note(`${ms} ms pass`)
    clock.advance(ms)
    const recovery = host.isUp() ? host.store().recovery() : undefined
    if (recovery === 'failed') {
      note('the disk still does not work')
      isBroken = true
    }
    if (recovery === 'done') {
      note('the disk works again')
      isBroken = false
      const learnt = truth.learn()
      for (const listener of listeners) listener.expects(learnt)
    }
    await settled()
  }

  // What must be true after each step

  function checkAnswers(): void {
    for (const caller of callers) {
      for (const heard of answersIn(caller.hears())) {
        const call = calls.get(heard.id)
        if (call === undefined)
          throw new Wrong(`call ${heard.id} was answered twice: ${JSON.stringify(heard)}`)
        calls.delete(heard.id)
        checkAnswer(call, heard)
      }
    }
    const silent = [...calls.values()].find(({ verdict }) => verdict !== undefined)
    if (silent !== undefined) throw new Wrong(`nobody has answered ${JSON.stringify(silent.verdict)}`)
  }

  function checkAnswer({ commands, place, verdict }: Call, heard: Heard): void {
    if (verdict !== undefined) {
      const complaint = complaintAbout(heard, verdict, commands ?? [])
      if (complaint !== undefined) throw new Wrong(`an answer is ${complaint}`)
      return
    }
    if (commands !== undefined) throw new Wrong(`answered before it was committed: ${JSON.stringify(heard)}`)
    if (truth.unknown.some(told => told.place === place)) {
      if (heard.error?.code === 'STORAGE_UNAVAILABLE') return
      throw new Wrong(`${place} was read as ${JSON.stringify(heard)}, though nobody knows whether it is so`)
    }
    const held = truth.reference().entries.get(place)
    const isThere = held !== undefined && (held.expiresAtMs === undefined || held.expiresAtMs > nowMs())
    const expected: unknown = isThere ? JSON.parse(held.value) : null
    if (heard.error !== undefined || !Bun.deepEquals(heard.result ?? null, expected)) {
      throw new Wrong(`${place} was read as ${JSON.stringify(heard)}, not ${JSON.stringify(expected)}`)
    }
  }

  function checkWatcher(): void {
    if (watcher === undefined) return
    for (const { id, error, result } of answersIn(watcher.puppet.hears())) {
      if (id !== watcher.asked) throw new Wrong('the feed was answered twice')
      watcher.asked = undefined
      if (error !== undefined) {
        const isKnown = error.code === 'function_not_found' || error.code === 'invocation_stopped'
        if (!isKnown) throw new Wrong(`the feed ends: ${JSON.stringify(error)}`)
        continue
      }
      const { events, revision } = result as { events: never[]; revision: number }
      const { since } = watcher
      // What may be committed may be told of, or not; but it is not left out.
      const committed = [...truth.log, ...truth.unknown]
      const expected = committed.filter(told => told.revision > since && told.revision <= revision)
      if (!Bun.deepEquals(events.map(toldOf), expected) || revision < since) {
        throw new Wrong(`the feed from ${since} to ${revision} is ${JSON.stringify(events)}`)
      }
      watcher.since = revision
    }
  }

  function check(): void {
    checkAnswers()
    for (const listener of listeners) {
      const complaint = listener.complaint()
      if (complaint !== undefined) throw new Wrong(complaint)
    }
    checkWatcher()
    if (!host.isUp()) return
    const found = new Map(entriesIn(host.store().tables))
    if (!Bun.deepEquals(found, new Map(truth.reference().entries))) {
      throw new Wrong(
        `there is ${JSON.stringify([...found])}, not ${JSON.stringify([...truth.reference().entries])}`,
      )
    }
  }

  // Who comes and goes

  async function join(): Promise<void> {
    const name = `p${joined++}`
    const dice = between(0, 4)
    if (dice === 0 && listeners.length < 4) {
      note(`${name} listens`)
      listeners.push(createListener(world, name, chance(50)))
    } else if (dice === 1 && watcher === undefined) {
      note(`${name} follows`)
      const isFresh = chance(50) && host.isUp()
      watcher = {
        puppet: world.join({ name }),
        since: isFresh ? 0 : (truth.log.at(-1)?.revision ?? 0),
        asked: undefined,
      }
    } else callers.push(world.join({ name }))
    await settled()
  }

  async function leave(): Promise<void> {
    const dice = between(0, 4)
    if (dice === 0 && listeners.length > 0) {
      const leaving = pick(listeners)
      listeners = listeners.filter(listener => listener !== leaving)
      leaving.puppet.leaves()
    } else if (dice === 1 && watcher !== undefined) {
      watcher.puppet.leaves()
      watcher = undefined
    } else if (callers.length > 1) {
      const leaving = pick(callers)
      note('a caller is gone')
      callers = callers.filter(caller => caller !== leaving)
      leaving.leaves()
      // What it has asked for is done all the same.
      for (const [id, { caller }] of calls) if (caller === leaving) calls.delete(id)
    }
    await settled()
  }

  async function step(): Promise<void> {
    const dice = between(0, 100)
    if (!host.isUp() && chance(40)) await restart()
    else if (dice < 45) await ask()
    else if (dice < 65) {
      if (host.isUp()) await endTurn(chance(85) ? undefined : pick(faultsOf()))
    } else if (dice < 72) {
      for (const listener of listeners) if (chance(70)) listener.answer()
    } else if (dice < 80) watch()
    else if (dice < 86) await join()
    else if (dice < 90) await leave()
    else if (dice < 91) {
      if (host.isUp()) crash()
    } else {
      if (host.isUp()) host.store().failingRecoveries = between(0, 2)
      await wait(between(1, 900))
    }
    await settled()
  }

  /** What is in memory only has nothing that it could not know. */
  function faultsOf(): Fault[] {
    const anywhere: Fault[] = ['full', 'broken before', 'crash before']
    return host.adapter === 'memory' ? anywhere : [...anywhere, 'broken after', 'crash after']
  }

  /** Everything that is open ends, and what has expired goes. */
  async function end(): Promise<void> {
    if (!host.isUp()) await restart()
    host.store().failingRecoveries = 0
    for (let round = 0; round < 4; round++) {
      await wait(1500)
      await endTurn()
      check()
    }
    for (let round = 0; round < 500 && !listeners.every(listener => listener.isIdle()); round++) {
      for (const listener of listeners) listener.answer()
      await settled()
      check()
    }
    if (!listeners.every(listener => listener.isIdle())) throw new Wrong('events are still under way')
    if (calls.size > 0) throw new Wrong(`${calls.size} calls were never answered`)
    const late = [...truth.reference().entries.values()].find(
      ({ expiresAtMs = nowMs() }) => expiresAtMs < nowMs() - 1000,
    )
    if (late !== undefined) throw new Wrong(`${JSON.stringify(late)} has not expired`)
  }

  callers = [world.join({ name: 'first' })]
  await host.start()
  for (let count = 0; count <= STEPS; count++) {
    try {
      if (count === STEPS) await end()
      else await step()
      check()
    } catch (error) {
      const reason = error instanceof Wrong ? error.message : String((error as Error).stack)
      return { step: count, reason, happened }
    }
  }
  return undefined
}
