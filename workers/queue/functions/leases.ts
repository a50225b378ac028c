/** Who ends or extends a lease shows its token. */
import { HandlerError } from '../../../sdk/typescript/src/errors.ts'
import type { QueueBackend } from '../backend.ts'
import { receiptOf } from '../messageRow.ts'
import { requireName } from './publish.ts'

export const lost = (): HandlerError =>
  new HandlerError(
    'lease_over',
    'The lease is over, or was never given: the message is somebody else’s now, or will be. Drop what was done, or make sure that doing it twice does no harm.',
  )

/** The token of the lease, if it is that of the message. Throws a `HandlerError` `lease_over`, `lease_not_set`. */
export function tokenOf(
  backend: Pick<QueueBackend, 'lease'>,
  { id, lease_id }: { readonly id: string | undefined; readonly lease_id: string | undefined },
): string {
  const token = requireName(lease_id, 'lease_not_set', 'Lease ID is required')
  const lease = backend.lease(token)
  if (lease === undefined || (id !== undefined && receiptOf(lease.message) !== id)) throw lost()
  return token
}
