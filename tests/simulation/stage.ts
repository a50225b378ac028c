/**
 * The stage of a run: an engine and the model of it side by side, the workers, and the comparison of what the engine
 * says and holds with what it should.
 */
import { findFunction } from '../../src/engine/directory/functions.ts'
import { answering } from '../../src/engine/directory/records.ts'
import { createWorld, type Message, type Puppet, type World } from '../support/world.ts'
import { createModel, type Model, type Trigger } from './model.ts'

/** The rest is in whole numbers: no two things fall due in the same moment. */
export const GRACE_MS = 5000.5
/** The engine's deadlines are that coarse. */
const DEADLINE_SLACK_MS = 100

export const FUNCTIONS = ['a::f', 'a::g', 'b::f']
export const NAMESPACES = ['default', 'team']

export interface Actor {
  readonly name: string
  readonly puppet: Puppet
  readonly isBuiltIn: boolean
  hasEnded: boolean
  /** Triggers it was told to bind and not to forget. */
  readonly bound: Set<string>
  /** Calls it has heard: what it would answer them with. */
  readonly toAnswer: Map<number, Message>
}

export interface Stage {
  readonly world: World
  readonly model: Model
  readonly actors: ReadonlyMap<string, Actor>
  /** Calls that want an answer, by their caller and its invocation id. */
  readonly callOfId: Map<string, number>
  connect(isBuiltIn: boolean): Actor
  live(): Actor[]
  /** What is not as it should be; `undefined` when engine and model agree. */
  disagreement(): string | undefined
}

export function createStage(seed: number): Stage {
  const world = createWorld({ namespaceGraceMs: GRACE_MS, seed })
  const model = createModel(world.clock.now)
  const actors = new Map<string, Actor>()
  const callOfId = new Map<string, number>()
  /** How often each call was answered. */
  const endings = new Map<number, number>()
  let connections = 0

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

  return { world, model, actors, callOfId, connect, live, disagreement }
}
