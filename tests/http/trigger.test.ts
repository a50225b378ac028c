import { describe, expect, test } from 'bun:test'
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { toJsonText } from '../../src/protocol/jsonText.ts'
import { parseHttpTrigger } from '../../workers/http/trigger.ts'

const parse = (config: unknown) => parseHttpTrigger(toJsonText(config))

function refusalOf(config: unknown): string {
  try {
    parse(config)
  } catch (error) {
    expect(error).toBeInstanceOf(HandlerError)
    expect((error as HandlerError).code).toBe('trigger_registration_failed')
    return (error as HandlerError).message
  }
  throw new Error('was accepted')
}

describe('the config of an http trigger', () => {
  test('needs a path only', () => {
    const { pattern, methods, conditionFunctionId, timeoutMs, warnings } = parse({ api_path: '/orders' })
    expect({ pattern, methods, conditionFunctionId, timeoutMs, warnings }).toEqual({
      pattern: '/orders',
      methods: ['GET'],
      conditionFunctionId: undefined,
      timeoutMs: undefined,
      warnings: [],
    })
  })

  test.each([
    [{ api_path: 'a', http_method: 'POST' }, ['POST']],
    [{ path: 'a', method: 'delete' }, ['DELETE']],
    [{ api_path: 'a', method: ['GET', 'put', 'GET'] }, ['GET', 'PUT']],
    [{ api_path: 'a', http_method: '*' }, ['*']],
    [{ api_path: 'a', http_method: ['GET', '*'] }, ['*']],
    [{ api_path: 'a', http_method: null }, ['GET']],
    [{ api_path: 'a', path: 'a', http_method: 'PUT', method: 'PUT' }, ['PUT']],
  ])('%j serves %j', (config, methods) => {
    expect(parse(config).methods).toEqual(methods as ReturnType<typeof parse>['methods'])
  })

  test('takes a condition and a time-out', () => {
    const trigger = parse({ api_path: 'a', condition_function_id: 'is::open', timeout_ms: 5 })
    expect([trigger.conditionFunctionId, trigger.timeoutMs]).toEqual(['is::open', 5])
  })

  test('warns of methods that are not served and of keys it does not know', () => {
    const { methods, warnings } = parse({ api_path: 'a', http_method: ['TRACE', 'GET'], colour: 'red' })
    expect(methods).toEqual(['GET'])
    expect(warnings).toEqual([
      expect.stringContaining("method 'TRACE' is not served"),
      expect.stringContaining("unknown key 'colour'"),
    ])
  })

  test('warns of a few of them when there are many, and shows as much as can be read', () => {
    const keys = Array.from({ length: 1000 }, (_, n) => [`${n}`.padEnd(1000, '😀'), 1])
    const { warnings } = parse({ api_path: 'a', ...Object.fromEntries(keys) })
    expect(warnings).toHaveLength(6)
    expect(warnings.at(-1)).toBe('there are 995 more like that')
    for (const warning of warnings) {
      expect(warning.length).toBeLessThan(200)
      expect(warning.isWellFormed()).toBe(true)
    }
  })

  test('has a path that a request can have', () => {
    expect(parse({ api_path: '/a'.repeat(8192) }).segments).toHaveLength(8192)
    const refusal = refusalOf({ api_path: '/a'.repeat(1_000_000) })
    expect(refusal).toContain('longer than 16384 characters')
    expect(refusal.length).toBeLessThan(200)
  })

  test.each([
    [{}, 'api_path is required for http triggers'],
    [null, 'api_path is required for http triggers'],
    ['/a', 'api_path is required for http triggers'],
    [{ api_path: 7 }, 'api_path must be a string'],
    [{ api_path: 'a', path: 'b' }, 'api_path and path say the same thing and have different values'],
    [{ path: 'a', http_method: 'GET', method: 'POST' }, 'http_method and method'],
    [{ api_path: 'a', http_method: 7 }, 'http_method must be'],
    [{ api_path: 'a', http_method: [] }, 'at least one method'],
    [{ api_path: 'a', condition_function_id: '' }, 'condition_function_id must be a string'],
    [{ api_path: 'a', timeout_ms: 0 }, 'timeout_ms must be a whole number'],
    [{ api_path: 'a', timeout_ms: '5' }, 'timeout_ms must be a whole number'],
    [{ api_path: 'a', middleware_function_ids: ['auth'] }, 'middleware_function_ids is not supported yet'],
    [{ api_path: 'a', condition: 'body.n >' }, 'condition: Unexpected token: EOF (at character 9)'],
    [{ api_path: '/a?b=c' }, 'must not contain ? or #'],
    [{ api_path: '/a/../b' }, 'must not contain . or .. segments'],
    [{ api_path: '/a/:x/:x' }, "names 'x' twice"],
    [{ api_path: '/a/*rest/b' }, 'has a wildcard that is not the last segment'],
    [{ api_path: '/a/{x' }, "has a segment that cannot be read: '{x'"],
    [{ api_path: '/a/{x}.json' }, "has a segment that cannot be read: '{x}.json'"],
    [{ api_path: '/a/:' }, "has a segment that cannot be read: ':'"],
    [{ api_path: '/a/{*}' }, "has a segment that cannot be read: '{*}'"],
  ])('%j is refused', (config, reason) => {
    expect(refusalOf(config)).toContain(reason)
  })

  test('may name no middleware', () => {
    expect(parse({ api_path: 'a', middleware_function_ids: [], condition: null }).warnings).toEqual([])
  })
})
