/**
 * Health check of the container image: does the worker listener answer? A plain `GET /` is no upgrade, so a healthy
 * listener says 400, and names itself by a header.
 *
 *     III_HEALTH_URL    the worker listener, http://127.0.0.1:49134/ when not set
 */
const url = process.env.III_HEALTH_URL ?? 'http://127.0.0.1:49134/'

async function complaint(): Promise<string | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2000) })
    if (!answer.headers.has('x-iii-capabilities'))
      return `something that is not the engine answers (${answer.status})`
    return answer.status === 400 ? undefined : `the listener answers ${answer.status} instead of 400`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const found = await complaint()
console.log(found === undefined ? 'healthy' : `unhealthy: ${url}: ${found}`)
process.exit(found === undefined ? 0 : 1)
