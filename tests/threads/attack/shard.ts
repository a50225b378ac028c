/** A shard that a test can ask to come to grief, on the socket `$III_ATTACKS/<place>`. */
import { rmSync } from 'node:fs'
import shard from '../../../src/threads/shard.ts'
import type { ShardTask } from '../../../src/threads/shardTask.ts'
import { addLedger } from './ledger.ts'

const BUSY_MS = 300

const attacks: Record<string, () => void> = {
  throw() {
    throw new Error('a test asked for this')
  },
  reject() {
    void Promise.reject(new Error('a test asked for this'))
  },
  exit() {
    process.exit(3)
  },
  loop() {
    for (;;);
  },
  /** Its event loop stands still for a moment: what comes meanwhile comes all at once. */
  busy() {
    const until = performance.now() + BUSY_MS
    while (performance.now() < until);
  },
  /** What the runtime throws when it cannot have the memory it is asked for. */
  allocate() {
    new ArrayBuffer(Number.MAX_SAFE_INTEGER)
  },
}

addLedger()

export default function attackedShard(task: ShardTask): Promise<void> {
  const unix = `${process.env.III_ATTACKS}/${task.place}`
  rmSync(unix, { force: true })
  Bun.serve({
    unix,
    fetch(request) {
      const attack = attacks[new URL(request.url).pathname.slice(1)]
      // The answer leaves first.
      if (attack !== undefined) setTimeout(attack, 5)
      return new Response(String(task.place))
    },
  })
  return shard(task)
}
