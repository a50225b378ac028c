//! `iii-sdk` 0.26: observers instead of triggers, of which the tests ask nothing yet.

use std::time::Duration;

use iii_sdk::errors::Error;
use iii_sdk::protocol::{CallAction, CallRequest};
use iii_sdk::runtime::WorkerMetadata;
use iii_sdk::{register_worker, IIIClient, InitOptions};
use serde_json::Value;

pub fn connect(url: &str, name: Option<&str>, namespace: Option<&str>) -> IIIClient {
    let metadata = name.map(|name| WorkerMetadata {
        name: name.to_string(),
        ..WorkerMetadata::default()
    });
    register_worker(
        url,
        InitOptions {
            metadata,
            namespace: namespace.map(str::to_string),
            ..InitOptions::default()
        },
    )
}

pub async fn until_connected(client: &IIIClient) -> Result<(), Error> {
    client
        .wait_until_registered(Duration::from_secs(10))
        .await
        .map_err(|error| match error {
            Error::RegistrationRejected { code, .. } => refusal(&code, "the engine refused the worker"),
            other => other,
        })
}

pub fn refusal(code: &str, message: &str) -> Error {
    Error::Remote {
        code: code.into(),
        message: message.into(),
        stacktrace: None,
    }
}

pub async fn call(
    client: &IIIClient,
    function_id: &str,
    payload: Value,
    void: bool,
    queue: Option<String>,
    metadata: Option<Value>,
) -> Result<Value, Error> {
    let action = match queue {
        Some(queue) => Some(CallAction::Enqueue { queue }),
        None => void.then_some(CallAction::Void),
    };
    let request = CallRequest {
        function_id: function_id.into(),
        payload,
        action,
        timeout_ms: None,
    };
    match metadata {
        Some(metadata) => client.call(request.metadata(metadata)).await,
        None => client.call(request).await,
    }
}

type TakeBack = fn();

fn no_triggers() -> Result<TakeBack, Error> {
    Err(Error::Runtime("this generation has no triggers".into()))
}

pub fn provide(
    _client: &IIIClient,
    _name: String,
    _trigger_type: String,
    _refuse: Option<String>,
) -> Result<TakeBack, Error> {
    no_triggers()
}

pub fn bind(
    _client: &IIIClient,
    _trigger_type: String,
    _function_id: String,
    _config: Value,
    _metadata: Option<Value>,
) -> Result<TakeBack, Error> {
    no_triggers()
}
