/**
 * One payload for many functions. It crosses to each thread once, with the list of those it is for there:
 *
 *     built-in ──1 frame──▶ engine ──1 frame──▶ trunk to shard 1 ──▶ engine there ──▶ worker, worker, …
 *                             │ └────1 frame──▶ trunk to shard 2 ──▶ …
 *                             └─ a call each ─▶ workers of this thread
 *
 * For each target it is a call that wants no answer: at most once, in the order of what its caller sends to it, and
 * counted as lost where it cannot be delivered.
 */
import { type FanOutFrame, type InvokeFrame, newCall, type Target } from '../protocol/frames.ts'
import { forwardedBaggage, forwardedTraceparent } from '../protocol/traceContext.ts'
import { adaptInput } from './adapt.ts'
import { calleeOf, findRoute, invoke, obstacleTo } from './calls.ts'
import type { Connection } from './connection.ts'
import type { EngineState } from './state.ts'

/** What goes to one thread. */
interface Bundle {
  targets: Target[]
  /** Characters of their names and metadata. */
  size: number
}

function callOf(
  { data, traceparent, baggage }: FanOutFrame,
  { functionId, namespace, metadata }: Target,
): InvokeFrame {
  const call = newCall(functionId, data)
  call.namespace = namespace
  call.metadata = metadata
  call.traceparent = traceparent
  call.baggage = baggage
  return call
}

/** The trunk that a call leaves on; `undefined` if it stays here, or cannot leave. */
function trunkFor(engine: EngineState, caller: Connection, call: InvokeFrame): Connection | undefined {
  const route = findRoute(engine, call)
  const callee = route && calleeOf(engine, route)
  if (route === undefined || callee?.link.fanOut === undefined || !callee.trunk) return undefined
  const obstacle = obstacleTo(engine, caller, callee, route, call) ?? adaptInput(engine, caller, callee, call)
  return obstacle === undefined ? callee : undefined
}

/** A call that comes from another thread has its baggage; one of a fan-out gets it where it becomes a call. */
function nameFunction(call: InvokeFrame): void {
  if (call.traceparent === undefined && call.baggage === undefined) return
  call.baggage = forwardedBaggage(call.functionId, call.traceparent, call.baggage)
  if (call.traceparent !== undefined) call.traceparent = forwardedTraceparent(call.traceparent)
}

function whyLost(engine: EngineState, { namespace, functionId }: Target): string {
  return engine.routes.find(namespace, functionId) === undefined ? 'function_not_found' : 'worker_overloaded'
}

const sizeOf = ({ functionId, namespace, metadata }: Target): number =>
  functionId.length + (namespace?.length ?? 0) + (metadata?.length ?? 0)

export function fanOut(engine: EngineState, caller: Connection, frame: FanOutFrame): void {
  const { targets, data, traceparent, baggage, lost } = frame
  engine.catchUp?.()
  const bundles = new Map<Connection, Bundle>()

  function send(trunk: Connection, bundle: Bundle): void {
    trunk.link.fanOut!({ type: 'fanout', targets: bundle.targets, data, traceparent, baggage })
    bundle.targets = []
    bundle.size = 0
  }

  for (const [index, target] of targets.entries()) {
    const call = callOf(frame, target)
    const trunk = trunkFor(engine, caller, call)
    if (trunk === undefined) {
      const before = caller.counters.lostVoids
      if (caller.trunk) nameFunction(call)
      invoke(engine, caller, call)
      if (lost !== undefined && caller.counters.lostVoids !== before) lost(index, whyLost(engine, target))
      continue
    }
    caller.counters.callsMade++
    if (!caller.trunk) engine.counters.voidCalls++
    let bundle = bundles.get(trunk)
    if (bundle === undefined) {
      bundle = { targets: [], size: 0 }
      bundles.set(trunk, bundle)
    }
    bundle.targets.push(target)
    bundle.size += sizeOf(target)
    if (bundle.size >= engine.limits.fanOutBytes) send(trunk, bundle)
  }
  for (const [trunk, bundle] of bundles) if (bundle.targets.length > 0) send(trunk, bundle)
}
