/** What is true of an engine whose workers speak JSON is true when they speak msgpack: the same tests, once more. */
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { shards } from '../support/shape.ts'
import { inMsgpack } from '../support/world.ts'

const root = join(import.meta.dir, '..', '..')

/** The other files are about JSON itself, or about built-in workers, which share its ids. */
const files = [
  ...[
    'backpressure',
    'bindings',
    'bounds',
    'callEnds',
    'calls',
    'carryOut',
    'drain',
    'floods',
    'names',
    'namespaces',
    'reattach',
    'teardown',
    'tooLarge',
    'triggerTypes',
  ].map(name => `tests/engine/${name}.test.ts`),
  'tests/workers/engine-functions/',
]

// Names of calls do not cross threads in the hands of these puppets.
test.skipIf(inMsgpack || shards > 0)(
  'the tests of the engine pass with workers that speak msgpack',
  async () => {
    const child = Bun.spawn([process.execPath, 'test', ...files], {
      cwd: root,
      env: { ...process.env, III_TEST_FRAMING: 'msgpack' },
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const output = await new Response(child.stderr).text()
    const failed = output.split('\n').filter(line => line.startsWith('(fail)'))
    expect(failed).toEqual([])
    expect(await child.exited).toBe(0)
    expect(Number(/^ (\d+) pass$/m.exec(output)?.[1])).toBeGreaterThan(300)
  },
  120_000,
)
