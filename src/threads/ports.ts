/**
 * Ports that shards share. A shared port takes any number of listeners, so that one in use by somebody else would not be
 * noticed; the main thread finds that out before.
 */
import type { Settings } from '../config/settings.ts'
import { explainListenFailure } from '../net/listenError.ts'
import type { ShardPorts } from './shardTask.ts'

interface Wanted {
  readonly listener: string
  readonly host: string
  readonly port: number
}

function isPlace(config: unknown): config is { host: string; port: number } {
  return typeof config === 'object' && config !== null && 'port' in config && 'host' in config
}

function wantedPorts({ listeners, workers }: Settings): Wanted[] {
  return [
    ...listeners.map(({ host, port }) => ({ listener: 'iii-worker-manager', host, port })),
    ...workers.flatMap(({ name, config }) =>
      isPlace(config) ? [{ listener: name, host: config.host, port: config.port }] : [],
    ),
  ]
}

/** Throws a `ListenError` if a port of the settings is in use. */
export async function claimPorts(settings: Settings): Promise<void> {
  for (const { listener, host, port } of wantedPorts(settings)) {
    if (port === 0) continue
    try {
      const probe = Bun.listen({ hostname: host, port, exclusive: true, socket: { data() {} } })
      probe.stop(true)
    } catch (error) {
      throw explainListenFailure(error, { listener, host, port })
    }
  }
}

function portOf(addresses: Readonly<Record<string, string>> | undefined): number | undefined {
  const [address] = Object.values(addresses ?? {})
  return address === undefined ? undefined : Number(new URL(address).port)
}

/** The settings with the ports that the first shard was given. */
export function withPorts(settings: Settings, ports: ShardPorts): Settings {
  return {
    ...settings,
    listeners: settings.listeners.map((listener, index) => ({
      ...listener,
      port: ports.listeners[index] ?? listener.port,
    })),
    workers: settings.workers.map(worker => {
      const port = portOf(ports.gateways[worker.instance])
      return port === undefined || !isPlace(worker.config)
        ? worker
        : { ...worker, config: { ...worker.config, port } }
    }),
  }
}
