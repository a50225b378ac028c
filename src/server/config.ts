/** Settings of one worker listener: an `iii-worker-manager` entry of the configuration file. */
import { z } from 'zod'
import { ENGINE_PORT } from '../protocol/address.ts'
import { limits } from '../protocol/limits.ts'

function isOrigin(text: string): boolean {
  try {
    return new URL(text).origin === text
  } catch {
    return false
  }
}

/** A key of the file format that must not be ignored silently: it would leave the listener open. */
const notYet = (what: string) =>
  z
    .never({ error: `${what} is not supported yet; remove it, and keep this listener on a loopback address` })
    .optional()

export const listenerSchema = z.strictObject({
  host: z.string().min(1).default('127.0.0.1'),
  /** 0 = any free port. */
  port: z.int().min(0).max(65_535).default(ENGINE_PORT),
  /** Milliseconds a client has for its complete request headers. */
  handshake_timeout_ms: z.int().min(1).default(limits.handshakeTimeoutMs),
  /** Browser origins that may connect; without it only loopback origins. */
  allowed_origins: z
    .array(
      z
        .string()
        .refine(isOrigin, { error: 'an origin is written like https://app.example.com, without a path' }),
    )
    .optional(),
  /** Allows an address beyond loopback without authentication, for this listener only. */
  insecure: z.boolean().optional(),
  middleware_function_id: notYet('middleware'),
  rbac: notYet('rbac (authentication of workers)'),
})

/** Parsed and with every default filled in. */
export type ListenerSettings = Omit<z.infer<typeof listenerSchema>, 'middleware_function_id' | 'rbac'>
