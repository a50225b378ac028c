/**
 * The http worker: provides the trigger type `http` and serves its routes.
 *
 * The way of a request: `listener.ts` → `handle.ts` (the life cycle is drawn there) → the function → `answer.ts`.
 */

import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { Binding, TriggerProvider, WorkerClient } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import type { Log, LogFields } from '../../src/log/log.ts'
import { createBoundedTally, shortened } from '../../src/log/notices.ts'
import { isLoopbackHost } from '../../src/net/loopback.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { BuiltInWorker } from '../worker.ts'
import type { HttpConfig } from './config.ts'
import type { Destination } from './exchange.ts'
import { createHandler } from './handle.ts'
import { listen } from './listener.ts'
import { preparePayload } from './payload.ts'
import { createRouteTable, type Route, type RouteTable } from './routes.ts'
import { type HttpTrigger, httpTriggerType, parseHttpTrigger } from './trigger.ts'

export interface HttpWorkerParts {
  readonly log: Log
  readonly clock: Clock
  /** Several of these workers, one on each shard, listen on the same port. */
  readonly reusePort?: boolean
  /** Waited for before it listens: then the triggers that are there already are bound. */
  readonly hasRegistered?: (client: WorkerClient) => Promise<void>
  /** Waited for before a path is said to be unknown: then triggers that somebody was told of are bound. */
  readonly upToDate?: () => Promise<void>
}

/** Rejects its start with an error that has `code`, `port` and `fix` when the port cannot be had. */
export function createHttpWorker(
  config: HttpConfig,
  { log, clock, reusePort = false, hasRegistered, upToDate }: HttpWorkerParts,
): BuiltInWorker {
  return {
    name: 'iii-http',
    description: 'Serves HTTP routes: calls a function for each request and answers with what it returns',
    async start(client) {
      const routes = createRouteTable<Destination>()
      const registration = client.registerTriggerType(httpTriggerType, createProvider(routes, log))
      await hasRegistered?.(client)
      const listener = listen(config, reusePort, allowSilence =>
        createHandler({ config, routes, client, clock, log, upToDate, allowSilence }),
      )
      if (!isLoopbackHost(config.host)) logExposure(config, listener.address, log)
      return {
        addresses: { http: listener.address },
        drain: () => listener.drain(),
        async stop() {
          registration.unregister()
          await listener.stop()
        },
      }
    },
  }
}

function logExposure({ cors }: HttpConfig, address: string, log: Log): void {
  log.info('http routes can be reached from other machines', { address })
  if (cors === undefined)
    log.info('pages of any origin may call the http routes; `cors` of iii-http limits them')
}

function createProvider(routes: RouteTable<Destination>, log: Log): TriggerProvider {
  const notices = createBoundedTally(limits.httpNotices)

  /** A worker may register the same again and again, and so may many: of equal lines few are written. */
  function warn(about: ReturnType<typeof aboutOf>, message: string, fields: LogFields = {}): void {
    const count = notices(`${shortened(about.function_id)} ${message}`)
    if (count !== undefined) log.warn(message, { ...about, ...fields, count })
  }

  return {
    bind(binding) {
      // A trigger that comes again replaces itself, also when its new form is refused.
      routes.removeTrigger(binding.id)
      const trigger = parseHttpTrigger(binding.config)
      const about = aboutOf(binding, trigger)
      for (const warning of trigger.warnings) warn(about, `http trigger: ${warning}`)
      const added = trigger.methods.map(method => toRoute(binding, trigger, method))
      for (const route of added) refuseConflict(routes, route)
      for (const route of added) {
        const replaced = routes.add(route)
        if (replaced !== undefined) {
          const what = `http route '${route.method} ${shortened(route.pattern)}' replaces that of another trigger`
          warn(about, what, { replaced_trigger_id: shortened(replaced.triggerId) })
        }
      }
      return added.length > 0
        ? trigger.warnings
        : ['it serves nothing: none of its methods is served', ...trigger.warnings]
    },
    unbind: binding => routes.removeTrigger(binding.id),
  }
}

function aboutOf({ id, function_id }: Binding, { pattern }: HttpTrigger) {
  return { trigger_id: shortened(id), function_id: shortened(function_id), api_path: shortened(pattern) }
}

function toRoute(
  binding: Binding,
  { pattern, segments, conditionFunctionId, condition, timeoutMs }: HttpTrigger,
  method: Route<Destination>['method'],
): Route<Destination> {
  const { function_id: functionId, namespace, metadata } = binding
  const payload = preparePayload({ method, pattern, segments })
  const target = { functionId, namespace, metadata, conditionFunctionId, condition, timeoutMs, payload }
  return { triggerId: binding.id, method, pattern, segments, target }
}

/** Clients look for the word `conflict` in the text. */
function refuseConflict(routes: RouteTable<Destination>, route: Route<Destination>): void {
  const other = routes.conflictWith(route)
  if (other === undefined) return
  throw new HandlerError(
    'trigger_registration_failed',
    `Route '${route.method} ${route.pattern}' conflicts with already-registered route ` +
      `'${other.method} ${other.pattern}': routes with identical structure but different path-parameter names are not supported`,
  )
}
