"""Knows what things cost: the function `pricing::quote`, called by orders.ts."""

import os
import signal

from iii import InitOptions, register_worker

PRICES = {"tea": 4.5, "cup": 12.0}
"""In euros, by SKU."""


def quote(data: dict) -> dict:
    items = (data or {}).get("items")
    if not items:
        raise ValueError('there is nothing to price: call with {"items": [{"sku": "tea", "quantity": 1}]}')
    unknown = [item["sku"] for item in items if item["sku"] not in PRICES]
    if unknown:
        raise ValueError(f"there is no price for {', '.join(unknown)}")
    total = sum(PRICES[item["sku"]] * item["quantity"] for item in items)
    return {"total": total, "currency": "EUR"}


# Blocked before the client starts its threads, which inherit it: the signal waits for `sigwait`.
signals = {signal.SIGINT, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)

worker = register_worker(
    os.environ.get("III_URL", "ws://127.0.0.1:49134"), InitOptions(worker_name="pricing")
)
worker.register_function("pricing::quote", quote, description="What an order costs")

# The client works in threads of its own; this one waits for Ctrl-C.
signal.sigwait(signals)
worker.shutdown()
