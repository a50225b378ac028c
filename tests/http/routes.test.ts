import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parsePattern, type Segment } from '../../workers/http/pattern.ts'
import { createRouteTable, type Route, SERVED_METHODS } from '../../workers/http/routes.ts'

type Method = Route<string>['method']

function segmentsOf(pattern: string): readonly Segment[] {
  const parsed = parsePattern(pattern)
  if (!parsed.ok) throw new Error(parsed.problem)
  return parsed.segments
}

function routeOf(method: Method, pattern: string, triggerId = `${method} ${pattern}`): Route<string> {
  return { triggerId, method, pattern, segments: segmentsOf(pattern), target: triggerId }
}

function tableOf(...routes: [Method, string][]) {
  const table = createRouteTable<string>()
  for (const [method, pattern] of routes) table.add(routeOf(method, pattern))
  return table
}

describe('a route table', () => {
  const table = tableOf(
    ['GET', '/'],
    ['GET', 'orders'],
    ['GET', '/orders/'],
    ['GET', '/orders/:id'],
    ['GET', '/orders/open'],
    ['GET', '/orders/:id/items/{item}'],
    ['GET', '/files/{*rest}'],
    ['GET', '/files/readme'],
    ['GET', '/files/:dir/readme'],
    ['GET', '/any/*'],
    ['GET', '/Case'],
    ['GET', '/café/:x'],
    ['GET', '/a b'],
  )
  const served: [string, string, string[]][] = [
    ['/', '/', []],
    ['/orders', 'orders', []],
    ['/orders/', '/orders/', []],
    ['/orders/7', '/orders/:id', ['7']],
    ['/orders/open', '/orders/open', []],
    ['/orders/openx', '/orders/:id', ['openx']],
    ['/orders/7/items/8', '/orders/:id/items/{item}', ['7', '8']],
    ['/orders/open/items/8', '/orders/:id/items/{item}', ['open', '8']],
    ['/files/a/b/c', '/files/{*rest}', ['a/b/c']],
    ['/files/a/', '/files/{*rest}', ['a/']],
    ['/files//', '/files/{*rest}', ['/']],
    ['/files/readme', '/files/readme', []],
    ['/files/a/readme', '/files/:dir/readme', ['a']],
    ['/files/a/readme/b', '/files/{*rest}', ['a/readme/b']],
    ['/any/x/y', '/any/*', ['x/y']],
    ['/caf%C3%A9/%2F', '/café/:x', ['%2F']],
    ['/caf%c3%a9/1', '/café/:x', ['1']],
    ['/a%20b', '/a b', []],
  ]
  test.each(served)('serves %s by %s', (path, pattern, values) => {
    const match = table.match('GET', path)
    expect(match?.route.pattern).toBe(pattern)
    expect(match?.values).toEqual(values)
  })

  test.each([
    '/orders/7/',
    '/orders//items/8',
    '/orders/7/items/',
    '/files/',
    '/files',
    '/any',
    '/any/',
    '/case',
    '/nothing',
    '//',
    '/caf%zz/1',
  ])('serves nothing at %s', path => {
    expect(table.match('GET', path)).toBeUndefined()
  })
})

describe('methods', () => {
  test('each method has routes of its own, with parameter names of its own', () => {
    const table = tableOf(['GET', '/a/:x'], ['POST', '/a/:y'], ['PUT', '/a/{*w}'])
    const names = (method: string, path: string) =>
      table.match(method, path)?.route.segments.flatMap(each => (each.kind === 'literal' ? [] : each.name))
    expect(names('GET', '/a/1')).toEqual(['x'])
    expect(names('POST', '/a/1')).toEqual(['y'])
    expect(names('PUT', '/a/1')).toEqual(['w'])
    expect(table.match('DELETE', '/a/1')).toBeUndefined()
    expect(table.match('BREW', '/a/1')).toBeUndefined()
  })

  test('HEAD falls back to GET, and a route of its own goes first', () => {
    const table = tableOf(['GET', '/a'], ['GET', '/b'], ['HEAD', '/b'])
    expect(table.match('HEAD', '/a')?.route.method).toBe('GET')
    expect(table.match('HEAD', '/b')?.route.method).toBe('HEAD')
  })

  test('* serves every method, behind a route that names the method', () => {
    const table = tableOf(['*', '/a'], ['GET', '/a'], ['*', '/b/static'], ['GET', '/b/:x'])
    expect(SERVED_METHODS.map(method => table.match(method, '/a')?.route.method)).toEqual([
      'GET',
      'GET',
      '*',
      '*',
      '*',
      '*',
      '*',
    ])
    expect(table.match('GET', '/b/static')?.route.method).toBe('*')
  })

  test('the methods of a path are known', () => {
    const table = tableOf(['POST', '/a/:x'], ['GET', '/a/b'], ['*', '/z'])
    expect(table.methodsFor('/a/b')).toEqual(['GET', 'HEAD', 'POST'])
    expect(table.methodsFor('/a/c')).toEqual(['POST'])
    expect(table.methodsFor('/z')).toEqual([...SERVED_METHODS])
    expect(table.methodsFor('/q')).toEqual([])
  })
})

describe('adding and removing', () => {
  test.each([
    ['GET', '/a/:x', 'GET', '/a/:y'],
    ['GET', '/a/:x/c', 'GET', '/a/:y/c'],
    ['GET', '/a/:x/:y', 'GET', '/a/:x/:z'],
    ['GET', '/a/:x', 'GET', '/a/{*x}'],
    ['GET', '/a/{*w}', 'GET', '/a/:w'],
    ['GET', '/a/{*v}', 'GET', '/a/*w'],
    ['*', '/a/:x', '*', '/a/:y'],
  ] as [Method, string, Method, string][])(
    '%s %s stands in the way of %s %s',
    (method, pattern, other, path) => {
      const table = tableOf([method, pattern])
      expect(table.conflictWith(routeOf(other, path))?.pattern).toBe(pattern)
    },
  )

  test.each([
    ['GET', '/a/:x', 'POST', '/a/:y'],
    ['GET', '/a/:x', 'HEAD', '/a/:y'],
    ['GET', '/a/:x', '*', '/a/:y'],
    ['GET', '/a/:x', 'GET', '/a/b'],
    ['GET', '/a/:x', 'GET', '/a/:y/c'],
    ['GET', '/b/{*w}', 'GET', '/b/:p/c'],
    ['GET', '/a/:x', 'GET', '/a/{x}'],
    ['GET', '/a', 'GET', 'a'],
  ] as [Method, string, Method, string][])(
    '%s %s and %s %s live together',
    (method, pattern, other, path) => {
      const table = tableOf([method, pattern])
      expect(table.conflictWith(routeOf(other, path))).toBeUndefined()
    },
  )

  test('the last one that says the same wins, and only its owner removes it', () => {
    const table = createRouteTable<string>()
    table.add(routeOf('GET', '/a/:x', 'first'))
    expect(table.add(routeOf('GET', 'a/{x}', 'second'))?.triggerId).toBe('first')
    expect(table.match('GET', '/a/1')?.route.triggerId).toBe('second')
    table.removeTrigger('first')
    expect(table.match('GET', '/a/1')?.route.triggerId).toBe('second')
    table.removeTrigger('second')
    expect(table.match('GET', '/a/1')).toBeUndefined()
  })

  test('a replaced one serves again when the one that replaced it goes', () => {
    const table = createRouteTable<string>()
    for (const id of ['first', 'second', 'third']) table.add(routeOf('GET', '/a', id))
    const serving = () => table.match('GET', '/a')?.route.triggerId
    expect(serving()).toBe('third')
    table.removeTrigger('second')
    expect(serving()).toBe('third')
    table.removeTrigger('third')
    expect(serving()).toBe('first')
    expect(table.match('HEAD', '/a')?.route.triggerId).toBe('first')
    table.removeTrigger('first')
    expect(serving()).toBeUndefined()
    expect(table.match('HEAD', '/a')).toBeUndefined()
    expect(table.size()).toBe(0)
  })

  test('a removed route uncovers what it hid', () => {
    const table = tableOf(['GET', '/a/{*w}'], ['GET', '/a/:x/c'], ['GET', '/a/b/c'])
    const seen = () => table.match('GET', '/a/b/c')?.route.pattern
    expect(seen()).toBe('/a/b/c')
    table.removeTrigger('GET /a/b/c')
    expect(seen()).toBe('/a/:x/c')
    table.removeTrigger('GET /a/:x/c')
    expect(seen()).toBe('/a/{*w}')
    table.removeTrigger('GET /a/{*w}')
    expect(seen()).toBeUndefined()
  })
})

/** How a list of routes would be searched, slowly: the most specific of all that fit, the newest of equal ones. */
function searchSlowly(routes: readonly Route<string>[], path: string): string | undefined {
  const texts = path.slice(1).split('/')
  const rank = { literal: 0, parameter: 1, wildcard: 2 }
  const fits = ({ segments }: Route<string>): boolean => {
    const wild = segments.at(-1)?.kind === 'wildcard'
    if (wild ? texts.length < segments.length : texts.length !== segments.length) return false
    return segments.every((segment, i) => {
      if (segment.kind === 'literal') return segment.text === texts[i]
      return segment.kind === 'parameter' ? texts[i] !== '' : texts.slice(i).join('/') !== ''
    })
  }
  const kinds = ({ segments }: Route<string>) => segments.map(each => rank[each.kind]).join('')
  const newestFirst = routes.filter(fits).reverse()
  const order = (one: string, other: string) => (one === other ? 0 : one < other ? -1 : 1)
  return newestFirst.sort((one, other) => order(kinds(one), kinds(other)))[0]?.triggerId
}

test('a table finds what a slow search finds, after any additions and removals', () => {
  const segment = fc.constantFrom('a', 'b', '', ':x', ':y')
  const pattern = fc
    .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.constantFrom('', '/{*w}'))
    .map(([segments, tail]) => `/${segments.join('/')}${tail}`)
    .filter(text => parsePattern(text).ok)
  const step = fc.record({ pattern, id: fc.integer({ min: 0, max: 5 }), remove: fc.boolean() })
  const path = fc
    .array(fc.constantFrom('a', 'b', 'c', ''), { minLength: 1, maxLength: 5 })
    .map(texts => `/${texts.join('/')}`)
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), fc.array(path, { maxLength: 15 }), (steps, paths) => {
      const table = createRouteTable<string>()
      let routes: Route<string>[] = []
      for (const { pattern, id, remove } of steps) {
        table.removeTrigger(`${id}`)
        routes = routes.filter(each => each.triggerId !== `${id}`)
        const route = routeOf('GET', pattern, `${id}`)
        if (remove || table.conflictWith(route) !== undefined) continue
        table.add(route)
        routes = [...routes, route]
      }
      expect(table.size()).toBe(new Set(routes.map(each => each.pattern)).size)
      for (const each of paths) {
        expect(table.match('GET', each)?.route.triggerId).toBe(searchSlowly(routes, each)!)
      }
    }),
    { numRuns: 500 },
  )
})

test('adding and removing costs the same however many routes there are', () => {
  const table = createRouteTable<string>()
  const started = performance.now()
  for (let i = 0; i < 20_000; i++) table.add(routeOf('GET', `/group${i % 100}/:id/item${i}`))
  expect(table.match('GET', '/group99/7/item19999')?.values).toEqual(['7'])
  for (let i = 0; i < 20_000; i++) table.removeTrigger(`GET /group${i % 100}/:id/item${i}`)
  expect(table.size()).toBe(0)
  // A table that is rebuilt for every change needs minutes.
  expect(performance.now() - started).toBeLessThan(5000)
})
