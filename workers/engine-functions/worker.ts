/** The built-in worker `iii-engine-functions`: discovery, ownerless bindings, registry-change triggers. */
import type { z } from 'zod'
import type { WorkerClient } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import type { Log } from '../../src/log/log.ts'
import type { BuiltInWorker } from '../worker.ts'
import { requestFormat } from '../zodInput.ts'
import { watchAvailability } from './availability.ts'
import type { Catalogue } from './catalogue.ts'
import * as functions from './functions.ts'
import * as ownerless from './ownerless.ts'
import * as status from './status.ts'
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
    function add(
      id: string,
      description: string,
      input: z.ZodObject,
      handle: (catalogue: Catalogue, input: unknown) => unknown,
    ): void {
      const options = { description, request_format: requestFormat(input) }
      client.registerFunction(id, given => handle(catalogue, given), options)
    }
    const register = (_: Catalogue, input: unknown): unknown =>
      ownerless.registerOwnerless(catalogue, newId, input)

    add(functions.LIST, 'Lists functions', functions.listInput, functions.listFunctions)
    add(functions.INFO, 'Describes functions', functions.infoInput, functions.functionInfo)
    add(triggers.LIST_TYPES, 'Lists trigger types', triggers.listTypesInput, triggers.listTypes)
    add(triggers.TYPE_INFO, 'Describes a trigger type', triggers.typeInfoInput, triggers.typeInfo)
    add(
      triggers.LIST_BINDINGS,
      'Lists registered triggers',
      triggers.listBindingsInput,
      triggers.listBindings,
    )
    add(
      triggers.BINDING_INFO,
      'Describes a registered trigger',
      triggers.bindingInfoInput,
      triggers.bindingInfo,
    )
    add(workers.LIST, 'Lists workers', workers.listInput, workers.listWorkers)
    add(workers.INFO, 'Describes a worker', workers.infoInput, workers.workerInfo)
    add(status.STATUS, 'Tells how the engine is', status.statusInput, status.engineStatus)
    add(ownerless.REGISTER, 'Registers a trigger that survives its caller', ownerless.registerInput, register)
    add(
      ownerless.UNREGISTER,
      'Removes a registered trigger',
      ownerless.unregisterInput,
      ownerless.unregisterOwnerless,
    )
    // The engine handles the announce itself, before the next frame of the connection; this entry makes it visible.
    const options = { description: 'Announces a worker' }
    client.registerFunction('engine::workers::register', () => ({ success: true }), options)
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
