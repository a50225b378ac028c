import { expect, test } from 'bun:test'
import { httpConfigSchema } from '../../workers/http/config.ts'

test('every key has a default', () => {
  expect(httpConfigSchema.parse({})).toEqual({
    port: 3111,
    host: '127.0.0.1',
    default_timeout: 30_000,
    concurrency_request_limit: 1024,
    waiting_request_limit: 4096,
    bodies_limit_bytes: 536_870_912,
    answers_limit_bytes: 536_870_912,
    write_timeout_ms: 30_000,
    body_limit_bytes: 16 * 1024 * 1024,
    header_limit_count: 100,
    header_limit_bytes: 16 * 1024,
    url_limit_length: 8192,
    json_depth_limit: 125,
    middleware: [],
  })
})

test.each([
  [{ prot: 1 }, 'prot'],
  [{ port: 70_000 }, 'port'],
  [{ port: '3111' }, 'port'],
  [{ default_timeout: 0 }, 'default_timeout'],
  [{ concurrency_request_limit: -1 }, 'concurrency_request_limit'],
  [{ cors: { origins: [] } }, 'origins'],
  [{ body_limit_bytes: 2 ** 40 }, 'body_limit_bytes'],
  [{ header_limit_bytes: 64 * 1024 }, 'header_limit_bytes'],
  [{ json_depth_limit: 126 }, 'json_depth_limit'],
])('%j is refused', (config, key) => {
  const result = httpConfigSchema.safeParse(config)
  expect(JSON.stringify(result.error?.issues)).toContain(key)
})

test('middleware is refused as long as it would not run', () => {
  const result = httpConfigSchema.safeParse({ middleware: [{ function_id: 'auth', phase: 'preHandler' }] })
  expect(result.error?.issues[0]?.message).toContain('middleware is not supported yet')
})
