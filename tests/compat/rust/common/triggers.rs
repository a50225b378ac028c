//! A provider that tells the test of its bindings, for the generations that have triggers.

use iii_sdk::errors::Error;
use iii_sdk::triggers::{TriggerConfig, TriggerHandler};
use iii_sdk::{IIIClient, RegisterTriggerType};
use serde_json::json;

use crate::driver::say;

struct Provider {
    client: String,
    trigger_type: String,
    refuse: Option<String>,
}

impl Provider {
    fn tell(&self, event: &str, binding: &TriggerConfig) {
        say(&json!({
            "event": event, "client": self.client, "trigger_type": self.trigger_type,
            "binding": {
                "id": binding.id, "function_id": binding.function_id,
                "config": binding.config, "metadata": binding.metadata,
            },
        }));
    }
}

#[async_trait::async_trait]
impl TriggerHandler for Provider {
    async fn register_trigger(&self, binding: TriggerConfig) -> Result<(), Error> {
        self.tell("bound", &binding);
        match &self.refuse {
            Some(message) => Err(Error::Handler(message.clone())),
            None => Ok(()),
        }
    }

    async fn unregister_trigger(&self, binding: TriggerConfig) -> Result<(), Error> {
        self.tell("unbound", &binding);
        Ok(())
    }
}

/// Returns what takes the trigger type back.
pub fn provide(
    client: &IIIClient,
    name: String,
    trigger_type: String,
    refuse: Option<String>,
) -> Result<impl FnOnce() + Send + 'static, Error> {
    let provider = Provider {
        client: name,
        trigger_type: trigger_type.clone(),
        refuse,
    };
    client.register_trigger_type(RegisterTriggerType::new(
        trigger_type.clone(),
        "of a test",
        provider,
    ));
    let client = client.clone();
    Ok(move || client.unregister_trigger_type(trigger_type))
}
