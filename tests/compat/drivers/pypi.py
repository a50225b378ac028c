"""The driver for the PyPI package `iii-sdk`. The commands are described in commands.ts."""

import inspect
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from iii import InitOptions, InvocationError, TriggerAction, register_worker
from iii.triggers import TriggerHandler
from iii_helpers.observability.reconnection import ReconnectionConfig

RECONNECT = ReconnectionConfig(
    initial_delay_ms=20, max_delay_ms=200, backoff_multiplier=2, jitter_factor=0.3
)

clients = {}
handles = {}
output = threading.Lock()


def say(message):
    text = "@" + json.dumps(message) + "\n"
    with output:
        sys.stdout.write(text)
        sys.stdout.flush()


def without_caller(data):
    """A handler gets what was sent plus the caller's id, which differs with every run."""
    if not isinstance(data, dict):
        return data
    return {key: value for key, value in data.items() if key != "_caller_worker_id"}


def handler_for(client, function_id, does):
    def called(data, metadata):
        say({
            "event": "called",
            "client": client,
            "function_id": function_id,
            "data": without_caller(data),
            "metadata": metadata,
        })

    async def echo(data):
        return without_caller(data)

    # A handler that is not async runs in a thread of its own.
    def record(data, metadata=None):
        called(data, metadata)
        return {"ok": True}

    async def with_metadata(data, metadata=None):
        return "none" if metadata is None else metadata

    async def nothing(data):
        return None

    async def throw(data):
        raise ValueError("boom")

    async def refuse(data):
        raise InvocationError(code="OUT_OF_STOCK", message="no tea left")

    async def relay(data):
        request = {"function_id": data["function_id"], "payload": data["payload"]}
        return {"relayed": await clients[client].trigger_async(request)}

    async def grow(data):
        return {"text": "x" * data["characters"]}

    async def page(data):
        return {"status_code": 201, "body": {"got": data["body"]}}

    async def nan(data):
        return float("nan")

    def hang(data, metadata=None):
        called(data, metadata)
        threading.Event().wait()

    return {
        "echo": echo,
        "record": record,
        "metadata": with_metadata,
        "nothing": nothing,
        "throw": throw,
        "refuse": refuse,
        "relay": relay,
        "grow": grow,
        "page": page,
        "nan": nan,
        "hang": hang,
    }[does]


class Provider(TriggerHandler):
    def __init__(self, client, trigger_type, refuse):
        self.client = client
        self.trigger_type = trigger_type
        self.refuse = refuse

    def tell(self, event, binding):
        say({
            "event": event,
            "client": self.client,
            "trigger_type": self.trigger_type,
            "binding": {
                "id": binding.id,
                "function_id": binding.function_id,
                "config": binding.config,
                "metadata": binding.metadata,
            },
        })

    async def register_trigger(self, binding):
        self.tell("bound", binding)
        if self.refuse is not None:
            raise RuntimeError(self.refuse)

    async def unregister_trigger(self, binding):
        self.tell("unbound", binding)


def connect(client, url, name=None, namespace=None):
    options = {"worker_name": name, "reconnection_config": RECONNECT}
    # Namespaces came with 0.23.
    if "namespace" in inspect.signature(InitOptions).parameters:
        options["namespace"] = namespace
    clients[client] = register_worker(url, InitOptions(**options))


def state(client):
    return clients[client].get_connection_state()


def function(client, function_id, does):
    handles["function", client, function_id] = clients[client].register_function(
        function_id, handler_for(client, function_id, does)
    )


def unregister_function(client, function_id):
    handles["function", client, function_id].unregister()


def call(client, function_id, payload, void=False, metadata=None, queue=None):
    request = {"function_id": function_id, "payload": payload}
    if void:
        request["action"] = TriggerAction.Void()
    if queue is not None:
        request["action"] = TriggerAction.Enqueue(queue=queue)
    if metadata is not None:
        request["metadata"] = metadata
    return clients[client].trigger(request)


def provide(client, trigger_type, refuse=None):
    handles["type", client, trigger_type] = clients[client].register_trigger_type(
        {"id": trigger_type, "description": "of a test"}, Provider(client, trigger_type, refuse)
    )


def withdraw(client, trigger_type):
    clients[client].unregister_trigger_type({"id": trigger_type, "description": "of a test"})


def bind(client, trigger_type, function_id, config, metadata=None):
    trigger = {"type": trigger_type, "function_id": function_id, "config": config}
    if metadata is not None:
        trigger["metadata"] = metadata
    handles["binding", client, function_id] = clients[client].register_trigger(trigger)


def unbind(client, function_id):
    handles["binding", client, function_id].unregister()


def shutdown(client):
    clients.pop(client).shutdown()


COMMANDS = {
    command.__name__: command
    for command in [
        connect,
        state,
        function,
        unregister_function,
        call,
        provide,
        withdraw,
        bind,
        unbind,
        shutdown,
    ]
}


def carry_out(id, do, **arguments):
    try:
        say({"id": id, "value": COMMANDS[do](**arguments)})
    except InvocationError as error:
        say({"id": id, "error": {"code": error.code, "message": error.message}})
    except Exception as error:
        say({"id": id, "error": {"code": getattr(error, "code", "driver"), "message": str(error)}})


# The end of the input is the end of the driver.
with ThreadPoolExecutor(max_workers=16) as pool:
    for line in sys.stdin:
        pool.submit(carry_out, **json.loads(line))
    os._exit(0)
