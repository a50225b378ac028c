/** The built-in worker `iii-engine-functions`: discovery, ownerless bindings, registry-change triggers. */
import type { WorkerClient } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import type { Log } from '../../src/log/log.ts'
import type { BuiltInWorker } from '../worker.ts'
import { watchAvailability } from './availability.ts'
import type { Catalogue } from './catalogue.ts'
import * as functions from './functions.ts'
import * as ownerless from './ownerless.ts'
import * as triggers from './triggers.ts'
import * as workers from './workers.ts'

export interface EngineFunctionsParts {
  readonly catalogue: Catalogue
  readonly clock: Clock
  readonly log: Log
  readonly newId: () => string
}

export function createEngineFunctionsWorker({
  catalogue,
  clock,
  log,
  newId,
}: EngineFunctionsParts): BuiltInWorker {
  function registerFunctions(client: WorkerClient): void {
    const add = (id: string, description: string, handler: (input: unknown) => unknown): void =>
      void client.registerFunction(id, handler, { description })

    add(functions.LIST, 'Lists functions', input => functions.listFunctions(catalogue, input))
    add(functions.INFO, 'Describes functions', input => functions.functionInfo(catalogue, input))
    add(triggers.LIST_TYPES, 'Lists trigger types', input => triggers.listTypes(catalogue, input))
    add(triggers.TYPE_INFO, 'Describes a trigger type', input => triggers.typeInfo(catalogue, input))
    add(triggers.LIST_BINDINGS, 'Lists registered triggers', input => triggers.listBindings(catalogue, input))
    add(triggers.BINDING_INFO, 'Describes a registered trigger', input =>
      triggers.bindingInfo(catalogue, input),
    )
    add(workers.LIST, 'Lists workers', input => workers.listWorkers(catalogue, input))
    add(workers.INFO, 'Describes a worker', input => workers.workerInfo(catalogue, input))
    add(ownerless.REGISTER, 'Registers a trigger that survives its caller', input =>
      ownerless.registerOwnerless(catalogue, newId, input),
    )
    add(ownerless.UNREGISTER, 'Removes a registered trigger', input =>
      ownerless.unregisterOwnerless(catalogue, input),
    )
    // The engine handles the announce itself, before the next frame of the connection; this entry makes it visible.
    add('engine::workers::register', 'Announces a worker', () => ({ success: true }))
  }

  return {
    name: 'iii-engine-functions',
    description: 'Discovery of functions, triggers and workers',
    async start(client) {
      const availability = watchAvailability(client, catalogue, clock, log)
      registerFunctions(client)
      client.registerTriggerType(
        { id: 'engine::functions-available', description: 'Fires when functions come or go' },
        availability.functions,
      )
      client.registerTriggerType(
        { id: 'engine::workers-available', description: 'Fires when workers connect, announce or leave' },
        availability.workers,
      )
      await client.ready()
      return {
        addresses: {},
        drain: () => Promise.resolve(),
        async stop() {
          availability.stop()
        },
      }
    },
  }
}
