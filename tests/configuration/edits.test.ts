/** Files that people edit while the engine runs, and while it does not. */
import { describe, expect, test } from 'bun:test'
import { DIRECTORY, fileOf } from './memoryFiles.ts'
import { OWNER, openRegistry, refusal, startWorker } from './support.ts'

const shop = (value: string): string => `id: shop\nname: shop\ndescription: ""\nvalue: ${value}\n`

async function withShop(schema = {}) {
  const run = await openRegistry()
  await run.register('shop', { n: 1 }, schema)
  run.events.length = 0
  return run
}

describe('an edit by hand', () => {
  test('becomes the value, is told of, and has a revision and an author', async () => {
    const run = await withShop()
    run.files.edit(fileOf('shop'), shop('{ n: 2 }'))
    await run.registry.lookAgain('shop')
    expect(run.events).toMatchObject([
      { type: 'configuration:updated', oldValue: { n: 1 }, newValue: { n: 2 }, entry: { revision: 2 } },
    ])
    expect(run.registry.find('shop')!.history.at(-1)).toMatchObject({
      author: 'file',
      how: 'edit',
      revision: 2,
    })
    expect((await openRegistry(run.files)).registry.find('shop')).toEqual(run.registry.find('shop'))
  })

  test('while the engine was down counts at the next start', async () => {
    const run = await withShop()
    run.files.edit(fileOf('shop'), shop('{ n: 7 }'))
    const again = await openRegistry(run.files)
    expect(again.value('shop')).toEqual({ n: 7 })
    expect(again.revision('shop')).toBe(2)
  })

  test('that the schema does not allow keeps the old value and is logged once, with its line', async () => {
    const run = await withShop({ type: 'object', properties: { n: { type: 'integer' } } })
    run.files.edit(fileOf('shop'), 'id: shop\n# mine\nvalue:\n  a: 1\n  n: many\n')
    await run.registry.lookAgain('shop')
    await run.registry.lookAgain(undefined)
    expect(run.value('shop')).toEqual({ n: 1 })
    expect(run.events).toEqual([])
    expect(run.log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields)).toEqual([
      {
        id: 'shop',
        file: fileOf('shop'),
        line: 5,
        reason: 'schema validation failed: /n: expected integer, got string',
      },
    ])
  })

  const laughs = Array.from(
    { length: 12 },
    (_, n) =>
      `${n === 0 ? 'a0: &a0 [x]' : `a${n}: &a${n} [*a${n - 1}, *a${n - 1}, *a${n - 1}, *a${n - 1}, *a${n - 1}, *a${n - 1}, *a${n - 1}, *a${n - 1}]`}`,
  )
  test.each([
    ['no YAML', 'id: shop\nvalue: [1\n', 3],
    ['a key twice', 'id: shop\nvalue: 1\nvalue: 2\n', 3],
    ['nothing', '', 1],
    ['a bomb of aliases', `id: shop\n${laughs.join('\n')}\nvalue: *a11\n`, 1],
    ['deep nesting', `id: shop\nvalue: ${'['.repeat(5000)}${']'.repeat(5000)}\n`, 2],
    ['another id', 'id: shap\nvalue: 1\n', 1],
    ['no value', 'id: shop\nname: x\n', 1],
    ['a number that would lose digits', 'id: shop\nvalue:\n  n: 12345678901234567890\n', 3],
    ['a number that JSON does not have', 'id: shop\nvalue:\n  n: .inf\n', 3],
  ])('with %s is refused in time', async (_, text, line) => {
    const run = await withShop()
    run.files.edit(fileOf('shop'), text)
    await run.registry.lookAgain('shop')
    expect(run.value('shop')).toEqual({ n: 1 })
    expect(run.log.lines.at(-1)).toMatchObject({ level: 'warn', fields: { line } })
  })

  test('of keys like __proto__ is a value like any other', async () => {
    const run = await withShop()
    run.files.edit(fileOf('shop'), 'id: shop\nvalue:\n  __proto__: { admin: true }\n  constructor: 1\n')
    await run.registry.lookAgain('shop')
    expect(JSON.stringify(run.value('shop'))).toBe('{"__proto__":{"admin":true},"constructor":1}')
    expect((run.value('shop') as { admin?: boolean }).admin).toBeUndefined()
    await run.registry.patch(
      { id: 'shop', value: JSON.parse('{"__proto__":{"b":1}}'), ifRevision: undefined },
      OWNER,
    )
    expect(JSON.stringify(run.value('shop'))).toBe('{"__proto__":{"admin":true,"b":1},"constructor":1}')
  })

  test('that removes the file removes the entry', async () => {
    const run = await withShop()
    run.files.edit(fileOf('shop'), undefined)
    await run.registry.lookAgain('shop')
    expect(run.registry.find('shop')).toBeUndefined()
    expect(run.events).toMatchObject([{ type: 'configuration:deleted', oldValue: { n: 1 }, newValue: null }])
  })

  test('is seen 500 ms after the folder has become quiet', async () => {
    const worker = await startWorker()
    await worker.call('register', { id: 'shop', name: 'shop', description: '', schema: {}, initial_value: 1 })
    worker.clock.advance(1000)
    worker.bind({ configuration_id: 'shop' })
    worker.files.edit(fileOf('shop'), shop('2'))
    worker.clock.advance(400)
    worker.files.edit(fileOf('shop'), shop('3'))
    worker.clock.advance(400)
    await worker.running.drain()
    expect(worker.told()).toEqual([])
    worker.clock.advance(100)
    await worker.running.drain()
    expect(worker.told().map(({ payload }) => payload.new_value)).toEqual([3])
  })
})

describe('an edit that races with a write', () => {
  test('loses against the acknowledged write, and is kept', async () => {
    const run = await withShop()
    run.files.edit(fileOf('shop'), shop('{ n: 50 }'))
    await run.set('shop', { n: 2 })
    await run.registry.lookAgain('shop')
    expect(run.value('shop')).toEqual({ n: 2 })
    expect(run.registry.find('shop')!.history).toMatchObject([
      { value: { n: 1 }, isLost: false },
      { value: { n: 50 }, author: 'file', isLost: true },
      { value: { n: 2 }, author: 'owner', isLost: false },
    ])
    expect(run.log.warnings()).toEqual([
      'an edit of the file of a configuration was replaced by a write at the same time; its text is kept',
    ])
    expect(run.files.text(`${DIRECTORY}/.history/shop.replaced.yaml`)).toBe(shop('{ n: 50 }'))
    expect(run.events.map(({ newValue }) => newValue)).toEqual([{ n: 2 }])
  })

  test('between the last look and the write is seen as well', async () => {
    const run = await withShop()
    // The draft is the last thing that is written before the file is looked at once more.
    run.files.failNext('never', () => false)
    run.files.before('syncFolder', () => run.files.edit(fileOf('shop'), shop('{ n: 60 }')))
    await run.set('shop', { n: 2 })
    expect(run.value('shop')).toEqual({ n: 2 })
    expect(run.registry.find('shop')!.history.map(({ value }) => value)).toEqual([
      { n: 1 },
      { n: 60 },
      { n: 2 },
    ])
    expect(run.revision('shop')).toBe(3)
  })

  test('is still there when the write is refused', async () => {
    const run = await withShop({ type: 'object' })
    run.files.edit(fileOf('shop'), shop('{ n: 50 }'))
    expect(await refusal(run.set('shop', 'text'))).toStartWith('SCHEMA_INVALID')
    expect(run.log.warnings()).toEqual([])
    await run.registry.lookAgain('shop')
    expect(run.value('shop')).toEqual({ n: 50 })
  })

  test('is not replaced by a patch: that goes on top of it', async () => {
    const run = await withShop()
    run.files.edit(fileOf('shop'), shop('{ n: 50, m: 1 }'))
    await run.registry.patch({ id: 'shop', value: { n: 2 }, ifRevision: undefined }, OWNER)
    expect(run.value('shop')).toEqual({ n: 2, m: 1 })
  })

  test('is not replaced by a registration without a value', async () => {
    const run = await withShop()
    run.files.edit(fileOf('shop'), shop('{ n: 50 }'))
    await run.register('shop')
    expect(run.value('shop')).toEqual({ n: 50 })
  })

  test('makes a write that expects a revision fail if it came first', async () => {
    const run = await withShop()
    run.files.edit(fileOf('shop'), shop('{ n: 50 }'))
    await run.registry.lookAgain('shop')
    expect(await refusal(run.set('shop', { n: 2 }, 1))).toBe(
      "REVISION_CONFLICT: configuration 'shop' is at revision 2, not 1; get it again and decide anew",
    )
  })

  test('cannot be read: its text is kept when it is replaced', async () => {
    const run = await withShop()
    run.files.edit(fileOf('shop'), 'id: shop\nvalue: [1\n')
    await run.set('shop', { n: 2 })
    expect(run.files.text(`${DIRECTORY}/.history/shop.replaced.yaml`)).toBe('id: shop\nvalue: [1\n')
    expect(run.value('shop')).toEqual({ n: 2 })
  })
})

describe('what people have written around values', () => {
  test('comments and the order of keys stay when a value is set', async () => {
    const run = await withShop()
    const text =
      '# The shop.\nvalue:\n  # how many\n  n: 1 # one\n  list: [1, 2]\nname: shop\nid: shop # do not change\ndescription: ""\n'
    run.files.edit(fileOf('shop'), text)
    await run.registry.lookAgain('shop')
    await run.set('shop', { n: 2, list: [1, 2], more: true })
    expect(run.files.text(fileOf('shop'))).toBe(
      '# The shop.\nvalue:\n  # how many\n  n: 2 # one\n  list: [ 1, 2 ]\n  more: true\nname: shop\nid: shop # do not change\ndescription: ""\n',
    )
  })

  test('a file with anchors is written anew', async () => {
    const run = await withShop()
    run.files.edit(fileOf('shop'), 'id: shop\nname: shop\nvalue:\n  a: &x { n: 1 }\n  b: *x\n')
    await run.registry.lookAgain('shop')
    await run.set('shop', { a: { n: 2 }, b: { n: 1 } })
    expect(run.files.text(fileOf('shop'))).not.toContain('&')
    expect((await openRegistry(run.files)).value('shop')).toEqual({ a: { n: 2 }, b: { n: 1 } })
  })
})
