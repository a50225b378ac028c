/** Lists in pages (`docs/discovery.md#lists`). */
import { describe, expect, test } from 'bun:test'
import { registerFunction, registerTrigger, registerType, unregisterFunction } from '../../support/world.ts'
import { createDiscovery, type Discovery } from './support.ts'

type Page = Record<string, { id?: string; function_id?: string; namespace?: string }[]> & {
  next_cursor?: string
}

/** All pages of a list, each as the ids it has. `between` runs after each page. */
async function pagesOf(
  world: Discovery,
  functionId: string,
  input: object,
  between: (page: number) => void = () => {},
): Promise<string[][]> {
  const pages: string[][] = []
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const { result } = await world.ask<Page>(functionId, { ...input, cursor })
    const rows = Object.values(result).find(Array.isArray)!
    pages.push(rows.map(row => row.id ?? row.function_id!))
    cursor = result.next_cursor
    if (pages.length > 50) throw new Error('the pages do not end')
    between(pages.length)
  }
  return pages
}

describe('a list in pages', () => {
  test('has as many rows per page as asked for, in the order of the whole list, and ends', async () => {
    const world = await createDiscovery()
    const a = world.join()
    for (const id of ['e', 'a', 'd', 'c', 'b']) a.says(registerFunction(`x::${id}`))
    const list = 'engine::functions::list'
    expect(await pagesOf(world, list, { limit: 2 })).toEqual([['x::a', 'x::b'], ['x::c', 'x::d'], ['x::e']])
    expect(await pagesOf(world, list, { limit: 5 })).toEqual([['x::a', 'x::b', 'x::c', 'x::d', 'x::e']])
    expect(await pagesOf(world, list, {})).toHaveLength(1)
  })

  test('keeps the order of a search', async () => {
    const world = await createDiscovery()
    const a = world.join()
    for (const id of ['z::order', 'a::reorder', 'orders::x', 'b::reorder']) a.says(registerFunction(id))
    expect(await pagesOf(world, 'engine::functions::list', { limit: 1, search: 'order' })).toEqual([
      ['orders::x'],
      ['z::order'],
      ['a::reorder'],
      ['b::reorder'],
    ])
  })

  test('shows an id that is in several namespaces once for each', async () => {
    const world = await createDiscovery()
    for (const namespace of ['a', 'b', 'c']) world.join({ namespace }).says(registerFunction('x::f'))
    expect(await pagesOf(world, 'engine::functions::list', { limit: 1 })).toEqual([
      ['x::f'],
      ['x::f'],
      ['x::f'],
    ])
  })

  test('goes on after the row it ended with, even if that is gone; rows that stay are shown once', async () => {
    const world = await createDiscovery()
    const a = world.join()
    for (const id of ['a', 'c', 'e', 'g']) a.says(registerFunction(`x::${id}`))
    const pages = await pagesOf(world, 'engine::functions::list', { limit: 2 }, page => {
      if (page === 1) a.says(unregisterFunction('x::c'), registerFunction('x::b'), registerFunction('x::d'))
    })
    expect(pages).toEqual([['x::a', 'x::c'], ['x::d', 'x::e'], ['x::g']])
  })

  test('works for every list', async () => {
    const world = await createDiscovery()
    const a = world.join({ name: 'a', pid: 1 })
    world.join({ name: 'b', pid: 1 })
    for (const id of ['one', 'two', 'three']) a.says(registerType(id), registerTrigger(`T-${id}`, id))
    expect(await pagesOf(world, 'engine::triggers::list', { limit: 2 })).toEqual([['one', 'three'], ['two']])
    expect(await pagesOf(world, 'engine::registered-triggers::list', { limit: 2 })).toEqual([
      ['T-one', 'T-three'],
      ['T-two'],
    ])
    const workers = await pagesOf(world, 'engine::workers::list', { limit: 1 })
    expect(workers.map(page => page.length)).toEqual([1, 1, 1])
  })

  test('with a cursor nobody gave out is no fault of the engine', async () => {
    const world = await createDiscovery()
    world.join().says(registerFunction('x::f'))
    const { result, error } = await world.ask<Page>('engine::functions::list', { cursor: '%%%' })
    expect(error).toBeUndefined()
    expect(result.functions?.length).toBeLessThanOrEqual(1)
  })
})
