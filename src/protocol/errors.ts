/**
 * The error catalogue: every code a client can meet, what causes it and what to do.
 * `docs/errors.md` is made from it (`bun scripts/errorDocs.ts`); a test holds the two equal.
 */

import { queueErrors } from './queueErrors.ts'
import { streamErrors } from './streamErrors.ts'

/** Where a code appears. */
export type ErrorPlace =
  /** `error` of an `invocationresult`. */
  | 'call'
  /** `triggerregistrationresult`. */
  | 'trigger'
  /** `registrationrejected`. */
  | 'registration'
  /** Body of an HTTP answer. */
  | 'http'
  /** Start of the engine, on stderr. */
  | 'start'
  /** Any `iii` command, on stderr. */
  | 'command'
  /** Made by the client itself, never sent. */
  | 'client'
  /** Among the failed attempts of a message. */
  | 'message'

export interface ErrorEntry {
  readonly where: readonly ErrorPlace[]
  readonly cause: string
  readonly fix: string
  /** HTTP status, for codes of the http worker. */
  readonly status?: number
}

export const errorCatalogue = {
  // Calls
  function_not_found: {
    where: ['call'],
    cause: 'No worker answers this function id in the namespace of the call.',
    fix: 'Check the id and the namespace (the message names others that have it); see that its worker is connected.',
  },
  function_not_invokable: {
    where: ['call'],
    cause: 'The function is registered with an `invocation` URL, which this version does not call yet.',
    fix: 'Let the worker execute the function itself.',
  },
  invocation_failed: {
    where: ['call'],
    cause: 'The handler threw an error; its message and stack trace are passed on.',
    fix: 'Look at the stack trace: the fault is in the handler.',
  },
  invocation_stopped: {
    where: ['call', 'message'],
    cause:
      'The worker that executed the call lost its connection or stopped, or its thread was lost and is being replaced.',
    fix: 'Call again if that is safe; the call may have run. A message comes again by itself while it has attempts left.',
  },
  invocation_timeout: {
    where: ['call'],
    cause: 'The call was not answered before its deadline.',
    fix: 'Look at the handler, or allow more time with `timeoutMs`.',
  },
  worker_overloaded: {
    where: ['call'],
    cause:
      'The worker does not read its messages fast enough, it executes as many calls as it takes, or too many bytes wait for the thread of a caller that asks too much of a built-in. An HTTP request is answered with 503.',
    fix: 'Try again later, send less at a time, or run the function on more workers.',
  },
  engine_stopping: {
    where: ['call'],
    cause: 'The engine lets running work end before it stops, and the call is not part of any.',
    fix: 'Call again when the engine is back; clients reconnect by themselves.',
  },
  limit_exceeded: {
    where: ['call'],
    cause: 'The connection has as many calls in flight as it may have.',
    fix: 'Wait for answers before making further calls.',
  },
  deserialization_error: {
    where: ['call'],
    cause: 'The input, or the result, is not what the function or JSON allows; the message says where.',
    fix: 'Correct the value. `NaN` and `Infinity` are not JSON; a lone surrogate or `1e400` cannot be sent on.',
  },
  payload_too_large: {
    where: ['call', 'client'],
    cause: 'The call or the result is larger than a message may be (64 MiB).',
    fix: 'Send less at a time. Lists of discovery take `limit` and `cursor`, and filters such as `search` and `worker`.',
  },
  enqueue_error: {
    where: ['call'],
    cause: 'A call with action `enqueue` did not reach a queue; the message names the underlying fault.',
    fix: 'Do what the message says; without a queue, add `- name: iii-queue` to `workers:` in config.yaml.',
  },
  INVALID_NAMESPACE: {
    where: ['call', 'trigger'],
    cause: 'A namespace field is blank or too long.',
    fix: 'Give the namespace a short name, or leave the field out.',
  },
  INVALID_ARGUMENTS: {
    where: ['call'],
    cause: 'A discovery function was called with arguments that do not go together.',
    fix: 'The message says which ones.',
  },
  // Configuration
  NOT_REGISTERED: {
    where: ['call'],
    cause: 'A value was to be set for a configuration that nobody has registered.',
    fix: 'Call `configuration::register` first.',
  },
  INVALID_ID: {
    where: ['call'],
    cause: 'The id of a configuration may have 1 to 64 characters: small letters, digits, `_` and `-`.',
    fix: 'Choose another id.',
  },
  SCHEMA_INVALID: {
    where: ['call'],
    cause: 'A configuration value is not what its schema allows; the message names path and expected type.',
    fix: 'Correct the value. One that is stored already is corrected with `configuration::set`, or in its file.',
  },
  SCHEMA_UNAVAILABLE: {
    where: ['call'],
    cause: 'A configuration was found as a file, and nobody has registered its schema yet.',
    fix: 'Start the worker that it belongs to.',
  },
  EXPAND_FAILED: {
    where: ['call'],
    cause: 'A configuration refers to environment variables that are not set and have no default.',
    fix: 'Set them for the engine and start it again, or give each a default after a colon.',
  },
  ADAPTER_ERROR: {
    where: ['call'],
    cause: 'A configuration could not be read from or written to its folder; the message has the reason.',
    fix: 'Look at the folder: space, permissions, files that belong to something else.',
  },
  REVISION_CONFLICT: {
    where: ['call'],
    cause:
      'The configuration has changed since the revision that was named as `if_revision`; the message has the present one.',
    fix: 'Get it again and decide anew.',
  },
  // Values that last
  VERSION_CONFLICT: {
    where: ['call'],
    cause:
      'The entry does not have the version that the write asked for; the message and `version` say which one it has.',
    fix: 'Read the entry again and decide anew. `0` asks for an entry that does not exist.',
  },
  VALUE_TOO_LARGE: {
    where: ['call'],
    cause:
      'The value has more bytes than its worker allows, or than a message can carry twice (31 MiB); the message says how many that are.',
    fix: 'Store less under one key, or raise `max_value_bytes` where the worker has that setting.',
  },
  PUBLISH_TOO_LARGE: {
    where: ['call'],
    cause:
      'What one call publishes, with a copy for each subscription of its topics, is more than one transaction takes: 100,000 messages, or 60 Mi characters. Nothing was written.',
    fix: 'Push fewer messages in one call. Keep large data elsewhere, and send its name.',
  },
  TRANSACTION_TOO_LARGE: {
    where: ['call'],
    cause:
      'The values before and after the operations of a batch or transaction have more characters together than an answer can carry. Nothing was written.',
    fix: 'Do fewer operations at a time, above all on large values.',
  },
  STORAGE_UNAVAILABLE: {
    where: ['call'],
    cause:
      'The data folder cannot be written: it is full, or its disk reports errors; the message says which. Reading goes on.',
    fix: 'Free space, or look after the disk. The engine goes on by itself; write again then.',
  },
  CORRUPT_DATA: {
    where: ['call'],
    cause: 'What is stored is not what was written: its checksum is wrong. The message names the entry.',
    fix: 'Restore a backup (`iii restore`), or set or delete the entry again. Test the disk.',
  },
  VALUE_TOO_DEEP: {
    where: ['call'],
    cause: 'The value is nested so deeply that no message could carry it in a list or an event.',
    fix: 'Nest it less deeply; the message says how many levels there may be.',
  },
  REVISION_GONE: {
    where: ['call'],
    cause:
      'Changes were asked for from a revision on of which some are not kept any more; `oldest` and `revision` say from where on they are.',
    fix: 'Read the values anew, and go on from `revision`.',
  },
  NOT_SUPPORTED: {
    where: ['call'],
    cause:
      'Part of the call needs something that this version, or this engine as it is configured, does not have; the message names it.',
    fix: 'Do without that part.',
  },
  SET_ERROR: {
    where: ['call'],
    cause: '`state::set` failed for a reason of the store; the message says which.',
    fix: 'Look at the log of the engine.',
  },
  GET_ERROR: {
    where: ['call'],
    cause: '`state::get` failed for a reason of the store; the message says which.',
    fix: 'Look at the log of the engine.',
  },
  DELETE_ERROR: {
    where: ['call'],
    cause: '`state::delete` failed for a reason of the store; the message says which.',
    fix: 'Look at the log of the engine.',
  },
  UPDATE_ERROR: {
    where: ['call'],
    cause: '`state::update` failed for a reason of the store; the message says which.',
    fix: 'Look at the log of the engine.',
  },
  LIST_ERROR: {
    where: ['call'],
    cause: '`state::list` failed for a reason of the store; the message says which.',
    fix: 'Look at the log of the engine.',
  },
  LIST_GROUPS_ERROR: {
    where: ['call'],
    cause: '`state::list_groups` failed for a reason of the store; the message says which.',
    fix: 'Look at the log of the engine.',
  },
  BATCH_ERROR: {
    where: ['call'],
    cause: '`state::batch` failed for a reason of the store; the message says which. Nothing was written.',
    fix: 'Look at the log of the engine.',
  },
  TRANSACT_ERROR: {
    where: ['call'],
    cause: '`state::transact` failed for a reason of the store; the message says which. Nothing was written.',
    fix: 'Look at the log of the engine.',
  },
  WATCH_ERROR: {
    where: ['call'],
    cause: '`state::watch` failed for a reason of the store; the message says which.',
    fix: 'Look at the log of the engine.',
  },
  ...streamErrors,
  ...queueErrors,
  topic_not_set: {
    where: ['call'],
    cause: '`publish` or `iii::durable::publish` was called with an empty topic.',
    fix: 'Name a topic.',
  },
  topic_too_long: {
    where: ['call'],
    cause: 'The topic has more than 1024 characters.',
    fix: 'Use a shorter one; what describes a message belongs into its `data`.',
  },
  // Registrations
  trigger_registration_failed: {
    where: ['trigger', 'call'],
    cause: 'The provider of the trigger type refused the trigger; the message says why.',
    fix: 'Correct the config of the trigger.',
  },
  trigger_type_not_found: {
    where: ['trigger'],
    cause: 'The provider does not know the trigger type any more.',
    fix: 'Register the trigger type in the providing worker.',
  },
  WORKER_NAMESPACE_CONFLICT: {
    where: ['registration'],
    cause:
      'Another live worker of the namespace has this name: it has answered a ping. The connection is closed; clients of 0.23 and newer stop for good.',
    fix: 'Give each worker its own name (`workerName`, `III_WORKER_NAME`). Clients before 0.23 do not understand the refusal: they hold no names and never get it, so theirs may be there twice.',
  },
  FUNCTION_NAMESPACE_CONFLICT: {
    where: ['registration'],
    cause: 'Another live worker answers this id, or the id starts with `engine::` outside `default`.',
    fix: 'Use another id or namespace. The claim waits: when the owner leaves, it takes over. Clients before 0.23 ignore this message; look for `refused` in `engine::workers::info`.',
  },
  // HTTP
  BAD_REQUEST: {
    where: ['http'],
    status: 400,
    cause: 'The request cannot be understood in one way only.',
    fix: 'Send one `Host`, one `Content-Length`, and a path.',
  },
  INVALID_PATH: {
    where: ['http'],
    status: 400,
    cause: 'A percent escape in a path parameter is broken.',
    fix: 'Encode the parameter with `encodeURIComponent`.',
  },
  INCOMPLETE_BODY: {
    where: ['http'],
    status: 400,
    cause: 'The connection ended before the body was complete.',
    fix: 'Send as many bytes as `Content-Length` says.',
  },
  JSON_TOO_DEEP: {
    where: ['http'],
    status: 400,
    cause: 'The JSON body is nested too deeply.',
    fix: 'Send a flatter body, or raise `json_depth_limit`.',
  },
  NOT_FOUND: {
    where: ['http', 'call'],
    status: 404,
    cause:
      'No route has this path; or, in discovery, nothing is registered under this id; or there is no such schedule, message or result of one.',
    fix: 'Check the path or the name; `iii trigger engine::registered-triggers::list` shows all routes, `iii cron ls` all schedules.',
  },
  METHOD_NOT_ALLOWED: {
    where: ['http'],
    status: 405,
    cause: 'The path is served for other methods only; `Allow` names them.',
    fix: 'Use one of the methods in `Allow`.',
  },
  REQUEST_TIMEOUT: {
    where: ['http'],
    status: 408,
    cause: 'The body did not arrive in time.',
    fix: 'Send faster, or raise `default_timeout`.',
  },
  PAYLOAD_TOO_LARGE: {
    where: ['http'],
    status: 413,
    cause: 'The body is larger than `body_limit_bytes`.',
    fix: 'Send less, or raise the limit.',
  },
  URI_TOO_LONG: {
    where: ['http'],
    status: 414,
    cause: 'The URL is longer than `url_limit_length`.',
    fix: 'Put long values into the body.',
  },
  CONDITION_NOT_MET: {
    where: ['http', 'call'],
    status: 422,
    cause:
      'A condition of the route, or of the schedule that is run, says no: its function returned `false`, or its expression does not hold.',
    fix: 'Nothing, if that is meant; else look at the condition.',
  },
  CONDITION_FAILED: {
    where: ['http'],
    cause: 'The expression of the route makes no sense for this request; the message says why.',
    fix: 'Correct the `condition` of the trigger: `has(…)` asks whether something is there, `string(…)` makes a text of it.',
    status: 500,
  },
  HEADERS_TOO_LARGE: {
    where: ['http'],
    status: 431,
    cause: 'The headers are too many or too large.',
    fix: 'Send fewer, or raise `header_limit_count` or `header_limit_bytes`.',
  },
  INTERNAL_ERROR: {
    where: ['http'],
    status: 500,
    cause: 'A fault in the engine.',
    fix: 'Look for the `error_id` in the log and report it.',
  },
  INVALID_STATUS: {
    where: ['http'],
    status: 500,
    cause: 'The function returned a `status_code` that cannot be sent.',
    fix: 'Return a status from 200 to 599.',
  },
  OVERLOADED: {
    where: ['http'],
    status: 503,
    cause:
      'Too many requests are in work, or too many bytes of bodies or unread answers in memory; the message says which.',
    fix: 'Try again after the seconds in `Retry-After`; raise `concurrency_request_limit`, `bodies_limit_bytes` or `answers_limit_bytes` if there is room.',
  },
  TIMEOUT: {
    where: ['http', 'client'],
    status: 504,
    cause: 'The function did not answer in time.',
    fix: 'Look at the handler, or allow more time (`timeout_ms` of the route, `default_timeout`, `timeoutMs`).',
  },
  // Start
  port_in_use: {
    where: ['start'],
    cause: 'Another process listens on the port.',
    fix: 'Stop that process (the message names it where it can), or choose another port.',
  },
  insecure_bind: {
    where: ['start'],
    cause: 'A listener without authentication would be open to other machines.',
    fix: 'Bind it to 127.0.0.1, or say `--insecure` if everyone who can reach it may use it.',
  },
  listen_failed: {
    where: ['start'],
    cause: 'The address cannot be listened on.',
    fix: 'Choose an address of this machine.',
  },
  shards_lost: {
    where: ['start'],
    cause:
      'Threads of the engine came to grief again and again; the log has an error of each. It ends with code 1.',
    fix: 'Look at these errors. What one thread does with `--shards 0` may tell more; a supervisor should start the engine again.',
  },
  data_folder_in_use: {
    where: ['start'],
    cause: 'Another process works with the data folder; the message names it where it can.',
    fix: 'Stop that process, or choose another folder.',
  },
  data_folder_unusable: {
    where: ['start'],
    cause: 'The data folder cannot be read or written, or it belongs to something else.',
    fix: 'Check that it is a folder that may be read and written and that its disk has room, or name another one.',
  },
  data_folder_newer: {
    where: ['start'],
    cause: 'A newer version has written the data folder. An older one could damage it.',
    fix: 'Start that version again, or restore a backup that this version has made.',
  },
  data_folder_corrupt: {
    where: ['start'],
    cause: 'The data folder is not as it was written: it was cut, changed or is partly unreadable.',
    fix: 'Restore a backup, and test the disk. `iii doctor --data FOLDER` lists what is wrong.',
  },
  config_missing: {
    where: ['start'],
    cause: 'There is no configuration file: the named one does not exist, or none may be written.',
    fix: 'Check the name (the message has the nearest one), or start without a file: `--defaults`.',
  },
  config_unreadable: {
    where: ['start'],
    cause: 'The configuration file cannot be read, or is too large.',
    fix: 'Check that it is a configuration file and that you may read it.',
  },
  config_invalid: {
    where: ['start'],
    cause:
      'The configuration file holds something that is not allowed; every line of the message names a place.',
    fix: 'Correct these places and start again.',
  },
  // Command line
  environment_invalid: {
    where: ['command'],
    cause: 'An environment variable has a value that means nothing.',
    fix: 'Set it to one of the values that the message names, or unset it.',
  },
  wrong_usage: {
    where: ['command'],
    cause: 'The command was written wrongly. Nothing was started or sent.',
    fix: '`--help` shows the options of the command.',
  },
  input_unreadable: {
    where: ['command'],
    cause: 'A file that was named cannot be read.',
    fix: 'Check its name, and that you may read it.',
  },
  not_in_this_version: {
    where: ['command'],
    cause: 'The command belongs to a later version.',
    fix: 'The message says what there is instead.',
  },
  interrupted: {
    where: ['command'],
    cause: 'Ctrl-C or Ctrl-D left a question unanswered.',
    fix: 'Answer it, or say by an option what is wanted.',
  },
  unexpected_failure: {
    where: ['command'],
    cause: 'A fault of the program itself.',
    fix: 'Report it, with the command and what it has printed.',
  },
  // Client
  CONNECTION_LOST: {
    where: ['client'],
    cause: 'The connection to the engine was lost while the call was under way.',
    fix: 'Call again if that is safe; the call may have run.',
  },
  ENGINE_UNREACHABLE: {
    where: ['client'],
    cause: 'No engine answered at the address, and the client makes no further attempt.',
    fix: 'Start the engine, or correct the address (`III_URL`). With `reconnect: true` a client goes on trying.',
  },
  UNKNOWN: {
    where: ['client'],
    cause: 'The engine reported an error without a readable code.',
    fix: 'Look into the log of the engine.',
  },
  CANCELLED: {
    where: ['client', 'call'],
    cause:
      'The caller gave the call up by its `AbortSignal`; or the next tick of a schedule has come, with `overlap: cancel_previous`.',
    fix: 'Nothing.',
  },
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof errorCatalogue

/** Refuses a namespace that is named and left blank. `field`: `namespace` or `trigger_namespace`. */
export function blankNamespace(field: string): { code: ErrorCode; message: string } {
  return {
    code: 'INVALID_NAMESPACE',
    message: `\`${field}\` is empty: it was named and left blank. Give it a name, or omit it to use \`default\`.`,
  }
}

/**
 * True for the code of a call whose time has passed: the engine's own, or a client's. Functions pass such errors on from
 * calls of their own, so whoever wants to know whether *its* time has passed looks at the clock as well.
 */
export function isTimeoutCode(code: string): boolean {
  return code === ('invocation_timeout' satisfies ErrorCode) || code === ('TIMEOUT' satisfies ErrorCode)
}
