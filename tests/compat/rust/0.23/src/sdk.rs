//! `iii-sdk` 0.23: triggers, namespaces, refused names.

use std::time::Duration;

use iii_sdk::errors::Error;
use iii_sdk::protocol::{RegisterTriggerInput, TriggerRequest};
use iii_sdk::runtime::WorkerMetadata;
use iii_sdk::{register_worker, IIIClient, InitOptions, TriggerAction};
use serde_json::Value;

pub use crate::triggers::provide;

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
        Some(queue) => Some(TriggerAction::Enqueue { queue }),
        None => void.then_some(TriggerAction::Void),
    };
    let request = TriggerRequest {
        function_id: function_id.into(),
        payload,
        action,
        timeout_ms: None,
    };
    match metadata {
        Some(metadata) => client.trigger(request.metadata(metadata)).await,
        None => client.trigger(request).await,
    }
}

/// Returns what takes the binding back.
pub fn bind(
    client: &IIIClient,
    trigger_type: String,
    function_id: String,
    config: Value,
    metadata: Option<Value>,
) -> Result<impl FnOnce() + Send + 'static, Error> {
    let mut input = RegisterTriggerInput::new(trigger_type, function_id, config);
    input.metadata = metadata;
    let trigger = client.register_trigger(input)?;
    Ok(move || trigger.unregister())
}
