/**
 * What the engine should do, in as few words as possible. It knows no frames and no links, keeps lists instead of
 * indexes and works everything out anew instead of keeping it up to date, so that it is not wrong in the same way.
 *
 * Workers go by short names. What the engine should say because of a command is in `said`, as readable lines; that
 * triggers are bound and unbound is not in there, it follows from `providerOf`.
 */

const RECLAIM_MS = 10_000

interface Rights {
  name: string | undefined
  readonly functions: Set<string>
  readonly untilMs: number
}

interface Worker {
  readonly name: string
  readonly builtIn: boolean
  /** `undefined` until it is fixed. */
  namespace: string | undefined
  legacy: boolean
  /** What it does once its namespace is fixed. */
  held: (() => void)[]
  heldFunctions: Set<string>
  readonly connectedAtMs: number
  lastSaidAtMs: number
  rights: Rights | undefined
}

interface Claims {
  builtIn: string | undefined
  /** The first one answers, the others wait. */
  workers: string[]
}

export interface Trigger {
  readonly type: string
  /** Namespaces in which its provider is looked for. */
  readonly places: readonly string[]
  readonly owner: string | undefined
  refusedBy: string | undefined
  /** The type and the provider it was brought to last. */
  broughtTo: string
  /** What its provider was asked for under this id and has not answered, the oldest first. */
  asked: Trigger[]
}

interface Call {
  readonly caller: string
  readonly callee: string
  readonly deadlineMs: number
}

export interface Announcement {
  readonly name: string | undefined
  readonly version: string
  readonly namespace: string | undefined
}

const keyOf = (namespace: string, id: string): string => `${namespace}/${id}`
const without = <Item>(items: readonly Item[], item: Item): Item[] => items.filter(other => other !== item)

export type Model = ReturnType<typeof createModel>

export function createModel(now: () => number) {
  const workers = new Map<string, Worker>()
  const claims = new Map<string, Claims>()
  /** By namespace and type: the last one provides. */
  const providers = new Map<string, string[]>()
  const triggers = new Map<string, Trigger>()
  const calls = new Map<number, Call>()
  /** Worker names by namespace and name. */
  const names = new Map<string, string>()
  const lost = new Map<string, Rights>()
  /** Who came back by a proof last; and the proof by which each has come back last. */
  const successors = new Map<string, string>()
  const proofs = new Map<string, string>()
  let said: string[] = []

  const claimsOf = (key: string): Claims => claims.get(key) ?? { builtIn: undefined, workers: [] }
  const isLegacy = (name: string | undefined): boolean =>
    name !== undefined && workers.get(name)?.legacy === true

  function answererOf(namespace: string, id: string): string | undefined {
    const { workers: claimants, builtIn } = claimsOf(keyOf(namespace, id))
    return claimants[0] ?? builtIn
  }

  /** The type a trigger would take now, as its key. */
  function typeOf({ places, type }: Trigger): string | undefined {
    return places.map(place => keyOf(place, type)).find(key => providers.has(key))
  }

  function providerOf(trigger: Trigger): string | undefined {
    const provider = providers.get(typeOf(trigger) ?? '')?.at(-1)
    return provider === trigger.refusedBy ? undefined : provider
  }

  /** A refusal counts as long as the one who refused would be asked. */
  function forgetRefusals(): void {
    for (const trigger of triggers.values()) {
      if (providers.get(typeOf(trigger) ?? '')?.at(-1) !== trigger.refusedBy) trigger.refusedBy = undefined
    }
  }

  /** Brings each trigger to who provides its type now. `replayed`: a type that was registered just now. */
  function bringTriggers(replayed?: string): void {
    forgetRefusals()
    for (const trigger of triggers.values()) {
      const [type, provider] = [typeOf(trigger), providerOf(trigger)]
      const to = provider === undefined ? '' : `${provider} ${type}`
      if (to === trigger.broughtTo && (to === '' || type !== replayed)) continue
      if (!trigger.broughtTo.startsWith(`${provider} `)) trigger.asked = []
      trigger.broughtTo = to
      if (to !== '') trigger.asked.push(trigger)
    }
  }

  /** In the place of the one that has this id; who was asked for that one has not forgotten it. */
  function enter(id: string, type: string, places: readonly string[], owner: string | undefined): void {
    const before = triggers.get(id)
    const trigger: Trigger = { type, places, owner, refusedBy: undefined, broughtTo: '', asked: [] }
    triggers.delete(id)
    triggers.set(id, trigger)
    const provider = providerOf(trigger)
    if (before?.type === type && provider !== undefined && before.broughtTo.startsWith(`${provider} `)) {
      trigger.asked = [...before.asked, trigger]
      trigger.broughtTo = `${provider} ${typeOf(trigger)}`
    } else bringTriggers()
  }

  function takeRight(worker: Worker, take: (rights: Rights) => boolean): boolean {
    const { rights } = worker
    return rights !== undefined && now() <= rights.untilMs && take(rights)
  }

  function removeClaim(key: string, name: string): void {
    const { builtIn, workers: claimants } = claimsOf(key)
    claims.set(key, {
      builtIn: builtIn === name ? undefined : builtIn,
      workers: without(claimants, name),
    })
  }

  function removeProvider(key: string, name: string): void {
    const left = without(providers.get(key) ?? [], name)
    if (left.length === 0) providers.delete(key)
    else providers.set(key, left)
  }

  function leave(name: string, displaced = false): void {
    const worker = workers.get(name)
    if (worker === undefined) return
    workers.delete(name)
    said.push(`${name} ended`)
    const ownFunctions = [...claims]
      .filter(
        ([
          ,
          {
            workers: [first],
          },
        ]) => first === name,
      )
      .map(([key]) => key)
    const ownName = [...names].find(([, holder]) => holder === name)?.[0]
    if (!worker.builtIn && !displaced) {
      lost.set(name, { name: ownName, functions: new Set(ownFunctions), untilMs: now() + RECLAIM_MS })
    }
    for (const [tag, { caller, callee }] of calls) {
      if (callee === name && caller !== name) said.push(`${caller} hears ${tag} invocation_stopped`)
      if (callee === name || caller === name) calls.delete(tag)
    }
    for (const key of claims.keys()) removeClaim(key, name)
    for (const [id, { owner }] of triggers) if (owner === name) triggers.delete(id)
    for (const key of [...providers.keys()]) removeProvider(key, name)
    bringTriggers()
    if (ownName !== undefined) names.delete(ownName)
  }

  /** Does it now, or when the namespace of the worker is known. */
  function whenFixed(name: string, action: (worker: Worker, namespace: string) => void): void {
    const worker = workers.get(name)!
    const act = (): void => action(worker, worker.namespace!)
    if (worker.namespace === undefined) worker.held.push(act)
    else act()
  }

  function fix(worker: Worker, namespace: string): void {
    if (worker.namespace !== undefined) return
    worker.namespace = namespace
    const { held } = worker
    worker.held = []
    for (const act of held) act()
  }

  function deliver(caller: string, call: NewCall): void {
    const { tag, namespace, id, wantsAnswer, timeoutMs } = call
    const callee = answererOf(namespace, id)
    if (callee !== undefined) {
      said.push(`${callee} is called ${tag}`)
      if (wantsAnswer) calls.set(tag, { caller, callee, deadlineMs: now() + timeoutMs })
    } else if (wantsAnswer) {
      said.push(`${caller} hears ${tag} function_not_found`)
    }
  }

  return {
    workers,
    triggers,
    calls,
    claimsOf,
    answererOf,
    providerOf,

    /** Takes out what the engine should have said since the last look. */
    said(): string[] {
      forgetRefusals()
      const lines = said
      said = []
      return lines
    },

    connect(name: string, builtIn: boolean): void {
      workers.set(name, {
        name,
        builtIn,
        namespace: builtIn ? 'default' : undefined,
        legacy: false,
        held: [],
        heldFunctions: new Set(),
        connectedAtMs: now(),
        lastSaidAtMs: now(),
        rights: undefined,
      })
    },

    leave,

    announce(name: string, { name: called, version, namespace }: Announcement): void {
      const worker = workers.get(name)!
      const home = worker.namespace ?? namespace ?? 'default'
      const legacy = version.startsWith('0.22')
      const before = [...names].find(([, holder]) => holder === name)?.[0]
      const key = called === undefined || legacy ? undefined : keyOf(home, called)
      const holder = key === undefined ? undefined : names.get(key)
      const mayTake =
        key !== undefined &&
        before !== key &&
        takeRight(worker, rights => {
          const had = rights.name === key
          if (had) rights.name = undefined
          return had
        })
      if (key !== undefined && holder !== undefined && holder !== name && !mayTake) {
        said.push(`${name} may not be ${key}, which is ${holder}`)
        leave(name)
        return
      }
      if (before !== undefined) names.delete(before)
      if (key !== undefined) names.set(key, name)
      worker.legacy = legacy
      if (holder !== undefined && holder !== name) {
        said.push(`${holder} may not be ${key}, which is ${name}`)
        leave(holder, true)
      }
      fix(worker, home)
    },

    /** Its time to announce itself is over. */
    graceIsOver: (name: string): void => fix(workers.get(name)!, 'default'),

    reattach(name: string, previous: string, tokenIsRight: boolean): void {
      const named = workers.get(previous)
      if (name === previous || named?.builtIn === true || (named !== undefined && !tokenIsRight)) return
      // A wrong token is the same one each time.
      const proof = `${previous} ${tokenIsRight}`
      const successor = successors.get(proof)
      const joined = [...workers.keys()]
      if (successor !== undefined && joined.indexOf(successor) >= joined.indexOf(name)) return
      const last = successor ?? previous
      leave(last)
      const own = proofs.get(name)
      if (own !== undefined && successors.get(own) === name) successors.delete(own)
      proofs.set(name, proof)
      successors.set(proof, name)
      const rights = lost.get(last)
      if (rights === undefined || rights.untilMs < now() || (successor === undefined && !tokenIsRight)) return
      lost.delete(last)
      workers.get(name)!.rights = { ...rights, untilMs: now() + RECLAIM_MS }
    },

    registerFunction(name: string, id: string): void {
      workers.get(name)!.heldFunctions.add(id)
      whenFixed(name, (worker, namespace) => {
        const key = keyOf(namespace, id)
        const { builtIn, workers: claimants } = claimsOf(key)
        const mayTake = takeRight(worker, rights => rights.functions.delete(key))
        const [owner] = claimants
        if (worker.builtIn) claims.set(key, { builtIn: name, workers: claimants })
        else if (owner === undefined || owner === name) {
          claims.set(key, { builtIn, workers: [name, ...without(claimants, name)] })
        } else if (mayTake || (worker.legacy && isLegacy(owner))) {
          claims.set(key, { builtIn, workers: [name, ...without(claimants, name)] })
          if (mayTake) said.push(`${owner} may not have ${key}, which is of ${name}`)
        } else {
          claims.set(key, { builtIn, workers: [...without(claimants, name), name] })
          said.push(`${name} may not have ${key}, which is of ${owner}`)
        }
      })
    },

    unregisterFunction(name: string, id: string): void {
      whenFixed(name, (_, namespace) => removeClaim(keyOf(namespace, id), name))
    },

    registerType(name: string, type: string, place: string | undefined): void {
      whenFixed(name, (worker, namespace) => {
        const key = keyOf(place ?? namespace, type)
        const others = without(providers.get(key) ?? [], name)
        providers.set(key, worker.builtIn ? [name, ...others] : [...others, name])
        for (const trigger of triggers.values()) {
          if (typeOf(trigger) === key) trigger.refusedBy = undefined
        }
        bringTriggers(key)
      })
    },

    unregisterType(name: string, type: string, place: string | undefined): void {
      whenFixed(name, (_, namespace) => {
        removeProvider(keyOf(place ?? namespace, type), name)
        bringTriggers()
      })
    },

    registerTrigger(name: string, id: string, type: string, place: string | undefined): void {
      whenFixed(name, (_, namespace) => {
        const places = place === undefined ? [namespace, 'default'] : [place]
        enter(id, type, places, name)
      })
    },

    registerOwnerless(id: string, type: string): void {
      enter(id, type, ['default'], undefined)
    },

    unregisterTrigger(name: string | undefined, id: string): void {
      if (name === undefined) triggers.delete(id)
      else whenFixed(name, () => void triggers.delete(id))
    },

    /** A provider refuses a trigger, the first it was asked for under this id. False: it is bound as before. */
    refuse(name: string, id: string): boolean {
      const trigger = triggers.get(id)
      if (trigger === undefined || providerOf(trigger) !== name) return false
      const asked = trigger.asked.shift() ?? trigger
      if (asked.owner !== undefined && workers.has(asked.owner)) said.push(`${asked.owner} is refused ${id}`)
      if (asked !== trigger) return false
      if (workers.get(name)!.builtIn) triggers.delete(id)
      else {
        trigger.refusedBy = name
        bringTriggers()
      }
      return true
    },

    call(caller: string, call: NewCall): void {
      const worker = workers.get(caller)!
      const waits =
        worker.namespace === undefined &&
        worker.heldFunctions.has(call.id) &&
        answererOf(call.namespace, call.id) === undefined
      if (waits) worker.held.push(() => deliver(caller, call))
      else deliver(caller, call)
    },

    answer(callee: string, tag: number): void {
      const call = calls.get(tag)
      if (call?.callee !== callee) return
      calls.delete(tag)
      said.push(`${call.caller} hears ${tag} ok`)
    },

    cancel(caller: string, tag: number): boolean {
      return calls.get(tag)?.caller === caller && calls.delete(tag)
    },
  }
}

export interface NewCall {
  readonly tag: number
  readonly namespace: string
  readonly id: string
  readonly wantsAnswer: boolean
  /** Counted from when it is delivered. `Infinity`: none in the time of a run. */
  readonly timeoutMs: number
}
