/** How the engines of this run are made up; every test is to pass on every shape (`scripts/test.ts` has the list). */

/** Number of shards, from `III_TEST_SHARDS`; 0: one thread does everything. */
export const shards = Number(process.env.III_TEST_SHARDS ?? 0)

/** Who accepts connections for them, from `III_TEST_ACCEPTOR`. */
export const acceptor = process.env.III_TEST_ACCEPTOR ?? 'kernel'

/** What that is on the command line of an engine. */
export const shapeFlags: readonly string[] = ['--shards', String(shards), '--acceptor', acceptor]
