/** What worlds of built-in workers have in common: the client of the built-in, and who asks it. */
import { createClient } from '../../sdk/typescript/src/client.ts'
import type { BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import { createLocalLink } from '../../src/engine/links/local.ts'
import { createLocalTransport } from '../../src/threads/localTransport.ts'
import { createSeededIds } from './fakes.ts'
import type { Message, Puppet, World } from './world.ts'

export interface Outcome {
  readonly result?: unknown
  readonly error?: { readonly code: string; readonly message: string; readonly [more: string]: unknown }
}

/** The client of a built-in, on a local link. `seed`: of the ids that it makes. */
export function connectBuiltIn({ engine, clock }: World, name: string, seed: number): BuiltInClient {
  const [engineSide, workerSide] = createLocalLink()
  engineSide.listen(engine.connect(engineSide, { builtIn: true, ipAddress: undefined }).receiver)
  return createClient({
    transport: createLocalTransport(workerSide),
    clock,
    newId: createSeededIds(seed),
    announcement: () => ({ name, version: '9.9.9', runtime: 'engine' }),
  })
}

export interface Asker {
  /** The answer to a call of the puppet, if it has come. */
  answerOf(id: string): Outcome | undefined
  /** Rejects if it is not answered. */
  ask(functionId: string, input: unknown, more?: object): Promise<Outcome>
  /** The answer, which must not be an error. */
  done<Result = unknown>(functionId: string, input: unknown, more?: object): Promise<Result>
}

/** `settled`: resolves when everything under way has arrived. */
export function createAsker(puppet: Puppet, settled: () => Promise<void>): Asker {
  let heard: Message[] = []

  function answerOf(id: string): Outcome | undefined {
    heard.push(...puppet.hears())
    const answer = heard.find(message => message.invocation_id === id)
    heard = heard.filter(message => message !== answer)
    return answer as Outcome | undefined
  }

  async function ask(functionId: string, input: unknown, more: object = {}): Promise<Outcome> {
    const id = puppet.calls(functionId, input, more)
    await settled()
    const answer = answerOf(id)
    if (answer === undefined) throw new Error(`${functionId} did not answer`)
    return answer
  }

  return {
    answerOf,
    ask,
    async done<Result>(functionId: string, input: unknown, more: object = {}) {
      const { error, result } = await ask(functionId, input, more)
      if (error !== undefined) throw new Error(`${functionId}: ${error.code}: ${error.message}`)
      return result as Result
    },
  }
}
