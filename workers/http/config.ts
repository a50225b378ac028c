/** Settings of the http worker: the `config:` block of `iii-http`. Times in milliseconds, sizes in bytes. */
import { z } from 'zod'
import { limits } from '../../src/protocol/limits.ts'

const MiB = 1024 * 1024

/** A JSON body travels two levels down in the message that carries it: message, payload, body. */
const BODY_DEPTH = limits.jsonDepth - 2

/** Bun parses at most this many headers (198 on the wire, one of them the blank line's share). */
const PARSED_HEADERS = 190

/** A key of the file format that must not be ignored: whoever set it expects to be protected by it. */
const middleware = z
  .array(z.unknown())
  .max(0, {
    error: 'middleware is not supported yet; remove it, and let the functions check what it should check',
  })
  .default([])

const cors = z.strictObject({
  /** Origins that browsers may call from; empty or with `*`: any. */
  allowed_origins: z.array(z.string().min(1)).default([]),
  /** Methods that a preflight allows; empty or with `*`: any. */
  allowed_methods: z.array(z.string().min(1)).default([]),
})

export const httpConfigSchema = z.strictObject({
  /** 0 = any free port. */
  port: z.int().min(0).max(65_535).default(3111),
  host: z.string().min(1).default('127.0.0.1'),
  /** From the request to the head of its answer; waiting for a place counts. */
  default_timeout: z.int().min(1).max(limits.callAgeMs).default(limits.callTimeoutMs),
  cors: cors.optional(),
  /** Requests in work at once; 0 means 1. */
  concurrency_request_limit: z
    .int()
    .min(0)
    .default(limits.httpConcurrency)
    .transform(limit => Math.max(1, limit)),
  /** Requests that may wait for a place; further ones are refused with 503. */
  waiting_request_limit: z.int().min(0).default(limits.httpWaiting),
  body_limit_bytes: z
    .int()
    .min(0)
    .max(limits.messageBytes - MiB)
    .default(limits.httpBodyBytes),
  /** All bodies in memory together; further requests with a body are refused with 503. */
  bodies_limit_bytes: z.int().min(0).default(limits.httpBodiesBytes),
  /** Large answers in memory together, as far as unread; further ones are refused with 503. */
  answers_limit_bytes: z.int().min(0).default(limits.httpUnreadBytes),
  /** A large answer of which the client takes nothing for this long is cut. */
  write_timeout_ms: z.int().min(1).max(limits.callAgeMs).default(limits.httpWriteDeadlineMs),
  header_limit_count: z.int().min(1).max(PARSED_HEADERS).default(limits.httpHeaderCount),
  /** Names and values together. The server itself parses no more than 16 KiB. */
  header_limit_bytes: z.int().min(1).max(limits.httpHeaderBytes).default(limits.httpHeaderBytes),
  /** Characters of the URL, scheme and host counted. */
  url_limit_length: z.int().min(1).max(limits.httpHeaderBytes).default(limits.httpUrlLength),
  /** Deepest nesting of a JSON body. */
  json_depth_limit: z.int().min(1).max(BODY_DEPTH).default(BODY_DEPTH),
  middleware,
})

/** Parsed and with every default filled in. */
export type HttpConfig = z.output<typeof httpConfigSchema>
export type CorsConfig = z.output<typeof cors>
