//! `iii-sdk` 0.22: triggers, no namespaces.

use std::time::Duration;

use iii_sdk::errors::Error;
use iii_sdk::protocol::{RegisterTriggerInput, TriggerRequest};
use iii_sdk::runtime::{IIIConnectionState, WorkerMetadata};
use iii_sdk::{register_worker, IIIClient, InitOptions, TriggerAction};
use serde_json::Value;

pub use crate::triggers::provide;

pub fn connect(url: &str, name: Option<&str>, _namespace: Option<&str>) -> IIIClient {
    let metadata = name.map(|name| WorkerMetadata {
        name: name.to_string(),
        ..WorkerMetadata::default()
    });
    register_worker(
        url,
        InitOptions {
            metadata,
            ..InitOptions::default()
        },
    )
}

pub async fn until_connected(client: &IIIClient) -> Result<(), Error> {
    while client.get_connection_state() != IIIConnectionState::Connected {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
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
    let trigger = client.register_trigger(RegisterTriggerInput {
        trigger_type,
        function_id,
        config,
        metadata,
    })?;
    Ok(move || trigger.unregister())
}
