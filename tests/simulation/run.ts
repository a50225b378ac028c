/**
 * One run: commands made up by chance are given to an engine and to the model of it, and after each of them the two
 * are compared. Everything, time included, follows from the seed.
 */
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { leftovers } from '../engine/support.ts'
import { createRandom } from '../support/random.ts'
import {
  announce,
  answerTo,
  boundAnswer,
  type Message,
  registerFunction,
  registerTrigger,
  registerType,
  unregisterFunction,
  unregisterTrigger,
  unregisterType,
} from '../support/world.ts'
import { type Actor, createStage, FUNCTIONS, GRACE_MS, NAMESPACES } from './stage.ts'

const QUIET_MS = 1000
const TYPES = ['tick', 'tock']
const TRIGGERS = ['T0', 'T1', 'T2', 'T3', 'T4']
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

/** Runs the commands of one seed. `undefined`: engine and model agreed all the way. */
export function run(seed: number, steps = STEPS): Failure | undefined {
  const { between } = createRandom(seed)
  const pick = <Item>(items: readonly Item[]): Item => items[between(0, items.length)]!
  const chance = (percent: number): boolean => between(0, 100) < percent

  const { world, model, actors, callOfId, connect, live, disagreement } = createStage(seed)
  const commands: string[] = []
  let tags = 0

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
    const timeoutMs = timeout_ms ?? (actor.isBuiltIn ? limits.callTimeoutMs : Number.POSITIVE_INFINITY)
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
