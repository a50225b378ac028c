/** Programs that are measured beside the engine and that this project does not bring along. */

interface Tool {
  readonly package: string
  readonly homepage: string
}

const tools = {
  wrk: { package: 'wrk', homepage: 'https://github.com/wg/wrk' },
  'redis-server': { package: 'redis-server', homepage: 'https://redis.io' },
  postgres: { package: 'postgresql', homepage: 'https://www.postgresql.org' },
  'nats-server': { package: 'nats-server', homepage: 'https://nats.io/download' },
} satisfies Record<string, Tool>

/** Debian puts servers where only root's PATH looks. */
const MORE_FOLDERS = ':/usr/sbin:/usr/local/sbin'

/** The path of a program; `undefined` after saying what is missing without it and how to get it. */
export function findTool(
  name: keyof typeof tools,
  leftOut: string,
  say: (text: string) => void,
): string | undefined {
  const path = Bun.which(name, { PATH: (process.env.PATH ?? '') + MORE_FOLDERS })
  if (path !== null) return path
  const { package: debianPackage, homepage } = tools[name]
  say(
    `${name} is not installed: ${leftOut} left out. To have it: apt-get install ${debianPackage} (or see ${homepage}).`,
  )
  return undefined
}
