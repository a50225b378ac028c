/**
 * What a test says to a driver: a small program that holds published clients and does what it is told.
 *
 *     test ──stdin──▶ {"id":1,"do":"call","client":"a","function_id":"x::y","payload":{}}     one JSON document a line
 *     test ◀─stdout── @{"id":1,"value":…}   or   @{"id":1,"error":{"code":"…","message":"…"}}
 *     test ◀─stdout── @{"event":"called","client":"a","function_id":"x::y","data":…}
 *
 * A published client may print what it likes: only lines that begin with `@` count. There is one driver per
 * language (`drivers/npm.ts`, `drivers/pypi.py`, `rust/`), all with these commands.
 */

/** What a registered function does with a call. */
export type Behaviour =
  /** Returns its input. */
  | 'echo'
  /** Tells the test what it got (event `called`), returns `{"ok":true}`. */
  | 'record'
  /** Returns its metadata, or `"none"`. */
  | 'metadata'
  /** Returns no value. */
  | 'nothing'
  /** Throws an error whose message is `boom`. */
  | 'throw'
  /** Fails with code `OUT_OF_STOCK` and message `no tea left`, if the language can. */
  | 'refuse'
  /** Calls `function_id` of its input with `payload` of its input and returns the result as `relayed`. */
  | 'relay'
  /** Returns `{"text": …}` with as many characters as `characters` of its input says. */
  | 'grow'
  /** Answers an HTTP request with status 201 and its body as `got`. */
  | 'page'
  /** Returns a number that is not one, if the language can. */
  | 'nan'
  /** Never answers; tells the test (event `called`) that it was called. */
  | 'hang'

export type Command =
  /** Without a name the client chooses one itself. `namespace` only from 0.23. */
  | { do: 'connect'; client: string; url: string; name?: string; namespace?: string }
  | { do: 'state'; client: string }
  | { do: 'function'; client: string; function_id: string; does: Behaviour }
  | { do: 'unregister_function'; client: string; function_id: string }
  /** With `queue` it goes through that queue. */
  | {
      do: 'call'
      client: string
      function_id: string
      payload: unknown
      void?: true
      queue?: string
      metadata?: unknown
    }
  /** Its provider tells the test of bindings (events `bound`, `unbound`); with `refuse` it throws that message. */
  | { do: 'provide'; client: string; trigger_type: string; refuse?: string }
  | { do: 'withdraw'; client: string; trigger_type: string }
  | {
      do: 'bind'
      client: string
      trigger_type: string
      function_id: string
      config: unknown
      metadata?: unknown
    }
  /** The binding of that function. */
  | { do: 'unbind'; client: string; function_id: string }
  | { do: 'shutdown'; client: string }

export interface CalledEvent {
  event: 'called'
  client: string
  function_id: string
  data: unknown
  metadata: unknown
}

export interface BindingEvent {
  event: 'bound' | 'unbound'
  client: string
  trigger_type: string
  binding: { id: string; function_id: string; config: unknown; metadata?: unknown }
}

export type DriverEvent = CalledEvent | BindingEvent

export interface Answer {
  id: number
  value?: unknown
  error?: { code: string; message: string }
}
