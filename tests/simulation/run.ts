/**
 * One run: commands made up by chance are given to an engine and to the model of it, and after each of them the two
 * are compared. Everything, time included, follows from the seed.
 */

import { findFunction } from '../../src/engine/directory/functions.ts'
import { answering } from '../../src/engine/directory/records.ts'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { leftovers } from '../engine/support.ts'
import { createRandom } from '../support/random.ts'
import {
  announce,
  answerTo,
  boundAnswer,
  createWorld,
  type Message,
  type Puppet,
  registerFunction,
  registerTrigger,
  registerType,
  unregisterFunction,
  unregisterTrigger,
  unregisterType,
} from '../support/world.ts'
import { createModel, type Trigger } from './model.ts'

/** Whole numbers elsewhere: no two things fall due in the same moment. */
const GRACE_MS = 5000.5
const QUIET_MS = 1000
/** The engine's deadlines are that coarse. */
const DEADLINE_SLACK_MS = 100

const FUNCTIONS = ['a::f', 'a::g', 'b::f']
const TYPES = ['tick', 'tock']
const TRIGGERS = ['T0', 'T1', 'T2', 'T3', 'T4']
const NAMESPACES = ['default', 'team']
const NAMES = ['orders', 'invoices', undefined]
const VERSIONS = ['0.22.1', '0.23.0']
const MOST_WORKERS = 7
const STEPS = 250

export interface Failure {
  readonly step: number
  readonly reason: string
  /** The commands up to there. */
  readonly commands: readonly string[]
}

interface Actor {
  readonly name: string
  readonly puppet: Puppet
  readonly isBuiltIn: boolean
  hasEnded: boolean
  /** Triggers it was told to bind and not to forget. */
  readonly bound: Set<string>
  /** Calls it has heard: what it would answer them with. */
  readonly toAnswer: Map<number, Message>
}

/** Runs the commands of one seed. `undefined`: engine and model agreed all the way. */
export function run(seed: number, steps = STEPS): Failure | undefined {
  const { between } = createRandom(seed)
  const pick = <Item>(items: readonly Item[]): Item => items[between(0, items.length)]!
  const chance = (percent: number): boolean => between(0, 100) < percent

  const world = createWorld({ namespaceGraceMs: GRACE_MS, seed })
  const model = createModel(world.clock.now)
  const actors = new Map<string, Actor>()
  const commands: string[] = []
  const callOfId = new Map<string, number>()
  const endings = new Map<number, number>()
  let connections = 0
  let tags = 0

  const live = (): Actor[] => [...actors.values()].filter(({ hasEnded }) => !hasEnded)
  const nameOf = (id: string): string =>
    [...actors.values()].find(({ puppet }) => puppet.id === id)?.name ?? (id === '' ? 'nobody' : id)

  function connect(isBuiltIn: boolean): Actor {
    const name = `${isBuiltIn ? 'b' : 'w'}${connections++}`
    const puppet = isBuiltIn ? world.builtIn(name) : world.connect()
    const actor: Actor = { name, puppet, isBuiltIn, hasEnded: false, bound: new Set(), toAnswer: new Map() }
    actors.set(name, actor)
    model.connect(name, isBuiltIn)
    return actor
  }

  // What the engine says

  /** Turns what workers have heard into the lines of the model; bindings go into what each of them holds. */
  function heard(): string[] {
    const lines: string[] = []
    for (const actor of actors.values()) {
      for (const message of actor.puppet.hears()) lines.push(...lineOf(actor, message))
      if (actor.puppet.link.ended !== undefined && !actor.hasEnded) {
        actor.hasEnded = true
        lines.push(`${actor.name} ended`)
      }
    }
    return lines
  }

  function lineOf(actor: Actor, message: Message): string[] {
    const { name } = actor
    const { id, namespace, function_id, worker_name, owner_worker_id } = message as Message &
      Record<string, string>
    switch (message.type) {
      case 'registertrigger':
        actor.bound.add(id!)
        return []
      case 'unregistertrigger':
        if (!actor.bound.delete(id!)) return [`${name} was to forget ${id} and did not have it`]
        return []
      case 'invokefunction': {
        const { n } = message.data as { n: number }
        actor.toAnswer.set(n, message)
        return [`${name} is called ${n}`]
      }
      case 'invocationresult':
        return [endingOf(actor, message)].filter(line => line !== '')
      case 'registrationrejected': {
        const what =
          worker_name === undefined ? `have ${namespace}/${function_id}` : `be ${namespace}/${worker_name}`
        const whose = worker_name === undefined ? 'which is of' : 'which is'
        return [`${name} may not ${what}, ${whose} ${nameOf(owner_worker_id!)}`]
      }
      case 'triggerregistrationresult':
        return [`${name} is refused ${id}`]
      default:
        return [`${name} hears ${message.type}`]
    }
  }

  function endingOf({ name }: Actor, message: Message): string {
    const tag = callOfId.get(`${name} ${message.invocation_id}`)!
    endings.set(tag, (endings.get(tag) ?? 0) + 1)
    const { code } = (message.error ?? { code: 'ok' }) as { code: string }
    if (code === 'invocation_timeout') {
      const call = model.calls.get(tag)
      if (call === undefined || call.caller !== name)
        return `${name} hears ${tag} timed out, and had no such call`
      if (call.deadlineMs > world.clock.now()) return `${name} hears ${tag} timed out, too early`
      model.calls.delete(tag)
      return ''
    }
    if (code === 'ok' && (message.result as { n: number } | undefined)?.n !== tag) {
      return `${name} hears ${tag} with the result of another call`
    }
    return `${name} hears ${tag} ${code}`
  }

  // What must be true after each step

  function disagreement(): string | undefined {
    const actual = heard().sort()
    const expected = model.said().sort()
    if (JSON.stringify(actual) !== JSON.stringify(expected)) {
      const surplus = actual.filter(line => !expected.includes(line))
      const missing = expected.filter(line => !actual.includes(line))
      return `the engine said ${JSON.stringify(surplus)} and did not say ${JSON.stringify(missing)}`
    }
    return answerers() ?? bindings() ?? callsInFlight()
  }

  function answerers(): string | undefined {
    const { functions } = world.engine.state.directory
    for (const namespace of NAMESPACES) {
      for (const id of FUNCTIONS) {
        const record = findFunction(functions, namespace, id)
        const { workers, builtIn } = model.claimsOf(`${namespace}/${id}`)
        const line = [record?.owner, ...(record?.waiting ?? [])].flatMap(layer => layer ?? [])
        const is = [...line.map(layer => nameOf(layer.workerId)), record?.builtIn ? 'built-in' : '']
        const should = [...workers, builtIn === undefined ? '' : 'built-in']
        if (is.join() !== should.join()) return `${namespace}/${id} is held by ${is}, not by ${should}`
        const answers = record && answering(record)?.workerId
        if ((answers && nameOf(answers)) !== model.answererOf(namespace, id))
          return `${id} is answered by ${answers}`
      }
    }
    return undefined
  }

  function bindings(): string | undefined {
    const { triggers } = world.engine.state.directory
    if (triggers.bindings.size !== model.triggers.size) {
      return `there are ${triggers.bindings.size} triggers, not ${model.triggers.size}`
    }
    for (const actor of live()) {
      const isBoundTo = ([, trigger]: [string, Trigger]): boolean => model.providerOf(trigger) === actor.name
      const should = [...model.triggers].filter(isBoundTo).map(([id]) => id)
      if ([...actor.bound].sort().join() !== should.sort().join()) {
        return `${actor.name} has bound ${[...actor.bound]}, not ${should}`
      }
    }
    for (const { id, provider, providerId, parkedReason } of triggers.bindings.values()) {
      if ((providerId === undefined) !== (parkedReason !== undefined))
        return `${id} is neither bound nor parked`
      if (providerId !== undefined && provider?.layers.at(-1)?.workerId !== providerId) {
        return `${id} is bound to one who does not provide its type`
      }
    }
    return undefined
  }

  function callsInFlight(): string | undefined {
    const { engine } = world
    if (engine.callsInFlight() !== model.calls.size) {
      return `${engine.callsInFlight()} calls are in flight, not ${model.calls.size}`
    }
    if (engine.state.deadlines.size() !== model.calls.size) {
      return `${engine.state.deadlines.size()} deadlines are set for ${model.calls.size} calls`
    }
    if (engine.state.connections.size !== model.workers.size) {
      return `there are ${engine.state.connections.size} connections, not ${model.workers.size}`
    }
    const latest = world.clock.now() - DEADLINE_SLACK_MS
    const overdue = [...model.calls].find(([, { deadlineMs }]) => deadlineMs < latest)
    if (overdue !== undefined) return `call ${overdue[0]} has not timed out`
    const twice = [...endings].find(([, count]) => count > 1)
    return twice === undefined ? undefined : `call ${twice[0]} was answered ${twice[1]} times`
  }

  // What can happen

  /** Lets time pass, stopping at each moment at which a grace is over. */
  function wait(ms: number): string | undefined {
    const until = world.clock.now() + ms
    for (;;) {
      let next: { name: string; dueMs: number } | undefined
      for (const { name, namespace, held, connectedAtMs, lastSaidAtMs } of model.workers.values()) {
        if (namespace !== undefined) continue
        const quietMs = held.length > 0 ? lastSaidAtMs + QUIET_MS : Number.POSITIVE_INFINITY
        const dueMs = Math.min(connectedAtMs + GRACE_MS, quietMs)
        if (dueMs <= until && (next === undefined || dueMs < next.dueMs)) next = { name, dueMs }
      }
      if (next === undefined) {
        world.clock.advance(until - world.clock.now())
        return disagreement()
      }
      // Calls that time out before the grace is over have to end before it.
      world.clock.advance(Math.max(0, next.dueMs - world.clock.now() - 0.25))
      const before = disagreement()
      if (before !== undefined) return before
      world.clock.advance(next.dueMs - world.clock.now())
      model.graceIsOver(next.name)
      const after = disagreement()
      if (after !== undefined) return after
    }
  }

  function says(actor: Actor, ...messages: Message[]): void {
    commands.push(
      `${world.clock.now() % 1e6} ${actor.name} says ${messages.map(message => JSON.stringify(message)).join(' ')}`,
    )
    model.workers.get(actor.name)!.lastSaidAtMs = world.clock.now()
    actor.puppet.says(...messages)
  }

  function calls(actor: Actor): void {
    const tag = tags++
    const [id, namespace] = [pick(FUNCTIONS), pick(NAMESPACES)]
    const wantsAnswer = !chance(20)
    const timeout_ms = chance(30) ? between(1, 3000) : undefined
    const timeoutMs = timeout_ms ?? (actor.isBuiltIn ? limits.engineCallTimeoutMs : Number.POSITIVE_INFINITY)
    // Some callers use an id that another has used.
    const others = [...callOfId.keys()].filter(key => !key.startsWith(`${actor.name} `))
    const reused = others.length > 0 && chance(20) ? pick(others).split(' ')[1]! : undefined
    const isFree = reused !== undefined && !callOfId.has(`${actor.name} ${reused}`)
    const invocation_id = isFree ? reused : world.engine.state.randomId()
    if (wantsAnswer) callOfId.set(`${actor.name} ${invocation_id}`, tag)
    const action = wantsAnswer ? undefined : { type: 'void' }
    says(actor, {
      type: 'invokefunction',
      invocation_id,
      function_id: id,
      namespace,
      data: { n: tag },
      action,
      timeout_ms,
    })
    model.call(actor.name, { tag, namespace, id, wantsAnswer, timeoutMs })
  }

  /** Answers a call it has heard, sometimes once more, and sometimes one that another worker has heard. */
  function answers(actor: Actor): void {
    const heardOf = pick([...actor.toAnswer.keys()])
    const call = actor.toAnswer.get(heardOf)
    const speaker = chance(10) ? pick(live()) : actor
    if (speaker === actor && !chance(10)) actor.toAnswer.delete(heardOf)
    // Ids are used again here: what counts is which call the speaker knows by this id and has not answered yet.
    const isOpen = ([tag, { invocation_id }]: [number, Message]): boolean =>
      invocation_id === call?.invocation_id && model.calls.get(tag)?.callee === speaker.name
    const [tag] = [...speaker.toAnswer, [heardOf, call!] as [number, Message]].find(isOpen) ?? [heardOf]
    says(speaker, answerTo(call, { result: { n: tag } }))
    model.answer(speaker.name, tag)
  }

  function refuses(actor: Actor): void {
    const id = pick(TRIGGERS)
    says(
      actor,
      boundAnswer({ type: '', id, trigger_type: 'x', function_id: 'y' }, { code: 'no', message: 'no' }),
    )
    if (model.refuse(actor.name, id)) actor.bound.delete(id)
  }

  function reattaches(actor: Actor): void {
    const previous = pick([...actors.values()])
    const isRight = !chance(20)
    const reattach_token = isRight ? previous.puppet.token : 'wrong'
    says(actor, { type: 'reattach', previous_worker_id: previous.puppet.id, reattach_token })
    model.reattach(actor.name, previous.name, isRight)
  }

  function announces(actor: Actor): void {
    const announcement = {
      name: pick(NAMES),
      version: pick(VERSIONS),
      namespace: pick([...NAMESPACES, undefined]),
    }
    says(actor, announce(announcement))
    model.announce(actor.name, announcement)
  }

  function ownerless(): void {
    const [id, type] = [pick(TRIGGERS), pick(TYPES)]
    commands.push(`the engine binds ${id} to ${type} for nobody`)
    world.engine.state.carryOut(
      world.engine.state.directory.registerTrigger({
        id,
        triggerType: type,
        functionId: 'a::f',
        config: asJsonText('{}'),
        metadata: undefined,
        namespace: 'default',
        triggerNamespace: undefined,
        homeNamespace: 'default',
        ownerId: undefined,
      }),
    )
    model.registerOwnerless(id, type)
  }

  function leaves(actor: Actor): void {
    commands.push(`${actor.name} leaves`)
    actor.puppet.leaves()
    model.leave(actor.name)
  }

  /** Takes a message, which the worker says, and the model's part of it. */
  const does = (actor: Actor, message: Message, then: () => void): void => {
    says(actor, message)
    then()
  }

  function step(): string | undefined {
    const actor = pick(live())
    const { name } = actor
    const isPending = model.workers.get(name)!.namespace === undefined
    const dice = between(0, 100)
    if (dice < 8) {
      if (live().length < MOST_WORKERS) commands.push(`${connect(false).name} connects`)
    } else if (dice < 20 && !actor.isBuiltIn && (isPending || chance(30))) announces(actor)
    else if (dice < 32) {
      const id = pick(FUNCTIONS)
      does(actor, registerFunction(id), () => model.registerFunction(name, id))
    } else if (dice < 36) {
      const id = pick(FUNCTIONS)
      does(actor, unregisterFunction(id), () => model.unregisterFunction(name, id))
    } else if (dice < 43) {
      const [type, place] = [pick(TYPES), pick([undefined, undefined, ...NAMESPACES])]
      does(actor, registerType(type, { namespace: place }), () => model.registerType(name, type, place))
    } else if (dice < 46) {
      const [type, place] = [pick(TYPES), pick([undefined, ...NAMESPACES])]
      does(actor, { ...unregisterType(type), namespace: place }, () =>
        model.unregisterType(name, type, place),
      )
    } else if (dice < 54) {
      const [id, type, place] = [pick(TRIGGERS), pick(TYPES), pick([undefined, undefined, ...NAMESPACES])]
      const message = registerTrigger(id, type, 'a::f', { trigger_namespace: place })
      does(actor, message, () => model.registerTrigger(name, id, type, place))
    } else if (dice < 57) {
      const id = pick(TRIGGERS)
      does(actor, unregisterTrigger(id), () => model.unregisterTrigger(name, id))
    } else if (dice < 58) ownerless()
    else if (dice < 62) refuses(actor)
    else if (dice < 76) calls(actor)
    else if (dice < 88) {
      if (actor.toAnswer.size > 0) answers(actor)
    } else if (dice < 90) {
      const [own] = [...model.calls].find(([, { caller }]) => caller === name) ?? []
      if (own !== undefined) cancels(actor, own)
    } else if (dice < 93) {
      if (!actor.isBuiltIn) leaves(actor)
    } else if (dice < 96) {
      if (!actor.isBuiltIn) reattaches(actor)
    } else return wait(between(1, 4000))
    return disagreement()
  }

  function cancels(actor: Actor, tag: number): void {
    const key = [...callOfId].find(([key, other]) => other === tag && key.startsWith(`${actor.name} `))![0]
    says(actor, { type: 'cancelinvocation', invocation_id: key.split(' ')[1] })
    model.cancel(actor.name, tag)
  }

  function end(): string | undefined {
    for (const actor of [...actors.values()]) {
      if (actor.hasEnded) continue
      leaves(actor)
      const reason = disagreement()
      if (reason !== undefined) return reason
    }
    for (const id of TRIGGERS) {
      world.engine.state.carryOut(world.engine.state.directory.unregisterTrigger(id))
    }
    const left = leftovers(world)
    return Object.keys(left).length === 0 ? undefined : `left over: ${JSON.stringify(left)}`
  }

  connect(true)
  for (let count = 0; count <= steps; count++) {
    const reason = count === steps ? end() : (wait(1) ?? step())
    if (reason !== undefined) return { step: count, reason, commands }
  }
  return undefined
}
